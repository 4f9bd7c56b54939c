import { createHash, timingSafeEqual } from "node:crypto";
import type { Hono } from "hono";
import type { Fields } from "./fields.ts";
import type { OnNode } from "./server.ts";
import { type GraphAnswer, unknownObject } from "./whatsapp-error.ts";
import type { WhatsApp } from "./whatsapp-state.ts";

const KINDS = ["image", "video", "audio", "document", "sticker"];
const URL_LIFE_S = 300;
const DOWNLOAD = "/whatsapp_business/attachments/";

/** Stores the files of a customer's message, so that their ids can be looked up. */
export function learnMedia(whatsapp: WhatsApp, message: Fields): void {
  for (const kind of KINDS) {
    const part = message[kind] as Fields | undefined;
    if (part?.id) whatsapp.media.set(String(part.id), part);
  }
}

/** `GET /<media id>`: returns a download URL that is valid for five minutes. */
export function findMedia(whatsapp: WhatsApp, id: string, origin: string): GraphAnswer {
  const known = whatsapp.media.get(id);
  if (!known && whatsapp.settings.strict) return unknownObject("get", id);
  const bytes = bytesOf(id);
  const expires = Math.floor(Date.now() / 1000) + URL_LIFE_S;
  const url = `${origin}${DOWNLOAD}?mid=${id}&ext=${expires}&hash=${hash(id, expires)}`;
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const mime_type = known?.mime_type ?? "application/octet-stream";
  return {
    status: 200,
    body: { url, mime_type, sha256, file_size: bytes.length, id, messaging_product: "whatsapp" },
  };
}

/** Mounts the download. It needs the bearer token, as the look-up does, and answers 404 once its URL is too old. */
export function mountDownloads(app: Hono<OnNode>, whatsapp: WhatsApp): void {
  app.get(DOWNLOAD, (c) => {
    if (!isAuthorized(whatsapp, c.req.header("authorization"))) return c.text("Unauthorized", 401);
    const { mid = "", ext = "", hash: given } = c.req.query();
    if (given !== hash(mid, Number(ext)) || Number(ext) * 1000 < Date.now()) return c.text("Not Found", 404);
    const type = String(whatsapp.media.get(mid)?.mime_type ?? "application/octet-stream");
    return c.body(bytesOf(mid), 200, { "content-type": type });
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

function bytesOf(id: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(`media ${id}\n`));
}
