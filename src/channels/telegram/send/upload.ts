import { GrammyError, InputFile } from "grammy/web";
import { HubError } from "../../../core/errors.ts";
import { type FilesToSend, markedIn } from "../../../core/files.ts";
import type { JsonObject } from "../../../core/json.ts";

/** The parameters in which the Bot API takes a file. */
const PARAMETERS = ["photo", "video", "audio", "voice", "document", "sticker"] as const;

/**
 * Makes a call that names an upload: with Telegram's `file_id` of it from an earlier message, else with its bytes, and keeps the
 * `file_id` of the answer. One that Telegram no longer takes is forgotten, and the bytes are sent.
 * @see https://core.telegram.org/bots/api#sending-files
 */
export async function withUpload(
  params: JsonObject,
  files: FilesToSend | undefined,
  signal: AbortSignal,
  post: (params: JsonObject) => Promise<unknown>,
): Promise<unknown> {
  const name = PARAMETERS.find((parameter) => markedIn(params[parameter]) !== undefined);
  if (!name) return post(params);
  const upload = markedIn(params[name])!;
  if (!files) throw new HubError("rejected", "no uploads can be sent here", { reason: "upload_not_found" });
  const file = await files.find(upload, name);
  if (file.platform_id !== undefined) {
    try {
      return await post({ ...params, [name]: file.platform_id });
    } catch (error) {
      if (
        !(error instanceof GrammyError) ||
        !/wrong .*file|file.?_?id|file reference/i.test(error.description)
      )
        throw error;
      await files.keep(upload, name);
    }
  }
  const bytes = await file.bytes(signal);
  const sent = await post({
    ...params,
    [name]: new InputFile(bytes, file.file_name ?? nameFor(file.mime_type)),
  } as never);
  const id = fileIdIn(sent, name);
  if (id !== undefined) await files.keep(upload, name, id);
  return sent;
}

/** Telegram tells some kinds by the end of the name. */
function nameFor(type: string): string {
  return `file.${(type.split("/")[1] ?? "bin").replace("jpeg", "jpg").replace(/[^a-z0-9]/g, "")}`;
}

/** The `file_id` in the message that was sent; of a photo that of its largest size. */
function fileIdIn(sent: unknown, name: string): string | undefined {
  const found = (sent as Record<string, unknown> | null)?.[name];
  const file = Array.isArray(found) ? found.at(-1) : found;
  const id = (file as { file_id?: unknown } | undefined)?.file_id;
  return typeof id === "string" ? id : undefined;
}
