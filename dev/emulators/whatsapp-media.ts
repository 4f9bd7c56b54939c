import { createHash, timingSafeEqual } from "node:crypto";
import type { Hono } from "hono";
import { applyFault, type Fault, type Faults } from "./faults.ts";
import type { Fields } from "./fields.ts";
import { type KeptFile, serveFile } from "./files.ts";
import type { OnNode, OnNodeContext } from "./server.ts";
import { type GraphAnswer, unknownObject } from "./whatsapp-error.ts";
import type { WhatsApp } from "./whatsapp-state.ts";

const KINDS = ["image", "video", "audio", "document", "sticker"];
const URL_LIFE_S = 300;
const DOWNLOAD = "/whatsapp_business/attachments/";

/** Stores the files of a customer's message, so that their ids can be looked up. */
export function learnMedia(whatsapp: WhatsApp, message: Fields): void {
  for (const kind of KINDS) {
    const part = message[kind] as Fields | undefined;
    if (part?.id) whatsapp.media.set(String(part.id), { ...whatsapp.media.get(String(part.id)), ...part });
  }
}

/** `GET /<media id>`: returns a download URL that is valid for five minutes. */
export function findMedia(whatsapp: WhatsApp, id: string, origin: string): GraphAnswer {
  const known = whatsapp.media.get(id);
  if (!known && whatsapp.settings.strict) return unknownObject("get", id);
  if (whatsapp.media.get(id)?.gone) return unknownObject("get", id);
  const file = fileOf(whatsapp, id);
  const expires = Math.floor(Date.now() / 1000) + URL_LIFE_S;
  const url = `${origin}${DOWNLOAD}?mid=${id}&ext=${expires}&hash=${hash(id, expires)}`;
  const sha256 = createHash("sha256")
    .update(file.bytes ?? `${file.size} made bytes`)
    .digest("hex");
  const mime_type = file.type;
  return {
    status: 200,
    body: { url, mime_type, sha256, file_size: file.size, id, messaging_product: "whatsapp" },
  };
}

/** Mounts the download. It needs the bearer token, as the look-up does, and answers 404 once its URL is too old. */
export function mountDownloads(
  app: Hono<OnNode>,
  whatsapp: WhatsApp,
  faults: Faults,
  refuse: (c: OnNodeContext, fault: Fault) => Response,
): void {
  app.get(DOWNLOAD, (c) => {
    if (!isAuthorized(whatsapp, c.req.header("authorization"))) return c.text("Unauthorized", 401);
    const { mid = "", ext = "", hash: given } = c.req.query();
    if (given !== hash(mid, Number(ext)) || Number(ext) * 1000 < Date.now()) return c.text("Not Found", 404);
    if (whatsapp.media.get(mid)?.gone) return c.text("Not Found", 404);
    const fault = faults.take("download", undefined);
    const file = fileOf(whatsapp, mid);
    const breakAfter = fault?.kind === "break" ? (fault.bytes ?? 0) : undefined;
    const proceed = () => serveFile(c, file, { breakAfter, contentType: fault?.type ?? file.type });
    return fault ? applyFault(c, fault, proceed, () => refuse(c, fault)) : proceed();
  });
}

export function isAuthorized({ accessToken }: WhatsApp, header: string | undefined): boolean {
  const given = Buffer.from(header ?? "");
  const wanted = Buffer.from(`Bearer ${accessToken}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function hash(id: string, expires: number): string {
  return createHash("sha256").update(`${id}:${expires}`).digest("base64url").slice(0, 20);
}

function fileOf(whatsapp: WhatsApp, id: string): KeptFile {
  const kept = whatsapp.bytes.get(id);
  if (kept) return kept;
  const bytes = new Uint8Array(Buffer.from(`media ${id}\n`));
  const type = String(whatsapp.media.get(id)?.mime_type ?? "application/octet-stream");
  return { size: bytes.byteLength, type, bytes };
}

/** Keeps a file; returns its id, which is all digits. */
export function keepMedia(whatsapp: WhatsApp, file: KeptFile): string {
  const id = String(10 ** 15 + Math.floor(Math.random() * 9 * 10 ** 14));
  whatsapp.media.set(id, { id, mime_type: file.type, ...(file.name && { filename: file.name }) });
  whatsapp.bytes.set(id, file);
  return id;
}

/** Forgets a file, as the platform does after some weeks. */
export function forgetMedia(whatsapp: WhatsApp, id: string): void {
  whatsapp.media.set(id, { id, gone: true });
  whatsapp.bytes.delete(id);
}
