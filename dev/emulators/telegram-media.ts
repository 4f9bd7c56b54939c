import { createHash } from "node:crypto";
import type { Fields } from "./fields.ts";
import type { KeptFile } from "./files.ts";
import { chatFor } from "./telegram-business.ts";
import { format } from "./telegram-markup.ts";
import { say } from "./telegram-message.ts";
import type { Done, Method } from "./telegram-methods.ts";
import { structured } from "./telegram-params.ts";
import { badRequest } from "./telegram-refusal.ts";
import type { Telegram } from "./telegram-state.ts";

const KINDS = ["photo", "document", "video", "audio", "voice", "animation", "video_note", "sticker"] as const;
const MAX_DOWNLOAD_BYTES = 20 * 1024 * 1024;

const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

/** A method that sends one file: by `file_id`, by URL or as an upload. */
export function sendMedia(kind: "photo" | "document" | "video" | "audio" | "voice" | "sticker"): Method {
  return (telegram, params) => {
    const file = readFile(telegram, params, kind);
    const caption = format(
      String(params.caption ?? ""),
      params.parse_mode,
      structured(params, "caption_entities"),
    );
    const chat = chatFor(telegram, params);
    if (caption.text.length > 1024) badRequest("message caption is too long");
    const fields = {
      [kind]: kind === "photo" ? [{ ...file, width: 1, height: 1 }] : file,
      ...(caption.text && { caption: caption.text }),
      ...(caption.entities && { caption_entities: caption.entities }),
    };
    const done = say(telegram, chat, params, caption.text, fields, kind !== "sticker");
    const source = typeof params[kind] === "string" ? { source: params[kind] } : {};
    return { ...done, sent: { ...done.sent, ...source } };
  };
}

function readFile(telegram: Telegram, params: Fields, kind: string): Fields {
  const value = params[kind];
  if (value instanceof Blob) return uploaded(telegram, value as File);
  const text = String(value ?? "");
  if (text === "") badRequest(`there is no ${kind} in the request`);
  const attached = text.startsWith("attach://") ? params[text.slice("attach://".length)] : undefined;
  if (attached instanceof Blob) return uploaded(telegram, attached as File);
  if (/^https?:\/\//.test(text)) return newFile(telegram, { file_size: 1024 });
  const known = telegram.files.get(text);
  if (known) return known;
  if (telegram.settings.strict || !/^[\w-]{10,}$/.test(text))
    badRequest("wrong file identifier/HTTP URL specified");
  return newFile(telegram, { file_id: text, file_size: 1024 });
}

function newFile(telegram: Telegram, fields: Fields): Fields {
  const file_id = String(fields.file_id ?? `BQAC${crypto.randomUUID().replaceAll("-", "")}`);
  const file_unique_id = `AQ${createHash("sha256").update(file_id).digest("base64url").slice(0, 14)}`;
  const file = { ...fields, file_id, file_unique_id };
  telegram.files.set(file_id, file);
  return file;
}

/** Keeps an upload. Its bytes are read while the call is answered: a look at them comes later. */
function uploaded(telegram: Telegram, blob: File): Fields {
  const file = newFile(telegram, { file_name: blob.name, mime_type: blob.type, file_size: blob.size });
  void blob.arrayBuffer().then((bytes) =>
    telegram.bytes.set(String(file.file_id), {
      size: blob.size,
      type: blob.type,
      bytes: new Uint8Array(bytes),
    }),
  );
  return file;
}

/** Keeps a file that a customer can send; returns its id. */
export function keepFile(telegram: Telegram, kept: KeptFile): string {
  const file = newFile(telegram, {
    file_size: kept.size,
    mime_type: kept.type,
    ...(kept.name && { file_name: kept.name }),
  });
  telegram.bytes.set(String(file.file_id), kept);
  return String(file.file_id);
}

/** Stores the files of a customer's message for `getFile`. */
export function learnFiles(telegram: Telegram, message: Fields): void {
  for (const kind of KINDS) {
    for (const file of [message[kind]].flat() as (Fields | undefined)[])
      if (file?.file_id) {
        const known = telegram.files.get(String(file.file_id));
        telegram.files.set(String(file.file_id), { ...known, ...file });
      }
  }
}

export function getFile(telegram: Telegram, params: Fields): Done {
  const id = String(params.file_id ?? "");
  if (id === "") badRequest("file_id not specified");
  const known = telegram.files.get(id);
  if (!known && telegram.settings.strict) badRequest("wrong file_id or the file is temporarily unavailable");
  const file = known ?? newFile(telegram, { file_id: id, file_size: 1024 });
  if (Number(file.file_size ?? 0) > MAX_DOWNLOAD_BYTES) badRequest("file is too big");
  const folder = file.width === undefined ? "documents" : "photos";
  const { file_unique_id, file_size } = file;
  return { result: { file_id: id, file_unique_id, file_size, file_path: `${folder}/${id}` } };
}

/**
 * The file for a `file_path`: what was uploaded, else a one-pixel picture or a line of text. Undefined if `getFile` gave no such path.
 */
export function fileAt(telegram: Telegram, path: string): KeptFile | undefined {
  const [folder, id = ""] = path.split("/");
  if (!telegram.files.has(id)) return undefined;
  const kept = telegram.bytes.get(id);
  if (kept) return kept;
  const bytes = new Uint8Array(folder === "photos" ? PIXEL : Buffer.from(`file ${id}\n`));
  return { size: bytes.byteLength, type: "application/octet-stream", bytes };
}
