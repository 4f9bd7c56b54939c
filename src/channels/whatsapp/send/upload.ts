import { z } from "zod";
import { HubError } from "../../../core/errors.ts";
import { type FilesToSend, markedIn } from "../../../core/files.ts";
import type { JsonObject } from "../../../core/json.ts";
import { type Api, postTo } from "./api.ts";

/** WhatsApp keeps an uploaded file for 30 days; a day less, because a message may wait. */
const LIFE_MS = 29 * 86_400_000;
/** The codes with which Meta refuses an id that it does not know, or no longer. */
const UNKNOWN_ID = new Set(["100", "131009", "131052", "131053"]);

const uploadedSchema = z.object({ id: z.string().regex(/^[\w.-]{1,128}$/) });

/**
 * Makes a call that names an upload. The file is uploaded to the number first, once in 29 days; an id that Meta no longer takes is
 * forgotten, and the file uploaded again.
 * @see https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
 */
export async function withUpload(
  api: Api,
  number: string,
  call: JsonObject,
  files: FilesToSend | undefined,
  signal: AbortSignal,
  send: (call: JsonObject) => Promise<unknown>,
): Promise<unknown> {
  const upload = markIn(call);
  if (upload === undefined) return send(call);
  if (!files) throw new HubError("rejected", "no uploads can be sent here", { reason: "upload_not_found" });
  const file = await files.find(upload, number);
  if (file.platform_id !== undefined) {
    try {
      return await send(withId(call, file.platform_id));
    } catch (error) {
      if (!(error instanceof HubError) || !UNKNOWN_ID.has(error.reason ?? "")) throw error;
      await files.keep(upload, number);
    }
  }
  const form = new FormData();
  form.set("messaging_product", "whatsapp");
  form.set("type", file.mime_type);
  const bytes = (await file.bytes(signal)) as Uint8Array<ArrayBuffer>;
  form.set("file", new Blob([bytes], { type: file.mime_type }), file.file_name ?? "file");
  const answer = await postTo(api, `${encodeURIComponent(number)}/media`, form, signal);
  const id = uploadedSchema.safeParse(answer).data?.id;
  if (id === undefined)
    throw new HubError("unavailable", "the Graph API gave no id for the file", { reason: "no_media_id" });
  await files.keep(upload, number, id, LIFE_MS);
  return send(withId(call, id));
}

/** The objects of a call that may name a file: that of its type, or the header of its buttons. */
function holders(call: JsonObject): JsonObject[] {
  const { type, interactive } = call as { type?: string; interactive?: { header?: JsonObject } };
  const header = interactive?.header;
  const inHeader = header && (header[String(header.type)] as JsonObject | undefined);
  return [call[String(type)] as JsonObject | undefined, inHeader].filter((one) => typeof one === "object");
}

function markIn(call: JsonObject): string | undefined {
  return holders(call).flatMap(({ id }) => markedIn(id) ?? [])[0];
}

function withId(call: JsonObject, id: string): JsonObject {
  const copy = structuredClone(call) as JsonObject;
  for (const holder of holders(copy)) if (markedIn(holder.id) !== undefined) Object.assign(holder, { id });
  return copy;
}
