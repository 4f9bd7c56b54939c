import { HubError } from "../../core/errors.ts";
import type { RemoteFile } from "../../core/files.ts";
import type { MessageFile } from "./media.ts";
import { rangeOf } from "./range.ts";
import { type RelayLimits, relay } from "./relay.ts";

/** Types that a browser shows without running anything in them. Every other file is saved. */
const SHOWN = /^(image\/(jpeg|png|gif|webp|avif|heic|heif)|video\/[\w.+-]+|audio\/[\w.+-]+)$/;
/** The types of files whose message names none: Telegram's photos, voice messages and video notes. */
const USUAL: Readonly<Record<string, string>> = {
  image: "image/jpeg",
  video: "video/mp4",
  audio: "audio/ogg",
  voice: "audio/ogg",
  sticker: "image/webp",
};
/** What the kinds of messages may hold: the beginning of a media type. */
const KINDS: Readonly<Record<string, string>> = {
  image: "image/",
  video: "video/",
  audio: "audio/",
  voice: "audio/",
};
const ANY = "application/octet-stream";

/** A request for a file, as far as it matters. */
export interface Asked {
  readonly method: string;
  readonly headers: Headers;
}

/**
 * Answers a request for a file: the whole, one range, or the headers alone. The bytes are passed on as they come, and stored
 * nowhere. Throws the errors of `relay`.
 */
export async function answerFile(
  file: MessageFile,
  find: (signal: AbortSignal) => Promise<RemoteFile>,
  { method, headers }: Asked,
  limits: RelayLimits,
  etag: string,
  broken: Parameters<typeof relay>[3],
): Promise<Response> {
  if (headers.get("if-none-match")?.includes(etag))
    return new Response(null, { status: 304, headers: { etag, "cache-control": CACHE } });
  const asked = mayRange(headers, etag) ? (headers.get("range") ?? undefined) : undefined;
  if (method === "HEAD" || asked !== undefined) {
    const found = await relaying(find, limits);
    const size = found.size ?? file.size;
    if (size !== undefined && size > limits.maxBytes)
      throw new HubError("media_too_large", `the file is larger than ${limits.maxBytes} bytes`);
    const range = size === undefined ? undefined : rangeOf(asked, size);
    if (range === "none") return outside(size!, etag);
    const type = typeOf(file, found.type);
    if (method === "HEAD") {
      const length = range ? range.end - range.start + 1 : size;
      return new Response(null, {
        status: range ? 206 : 200,
        headers: {
          ...headersOf(file, type, etag),
          ...(range && { "content-range": `bytes ${range.start}-${range.end}/${size}` }),
          ...(length !== undefined && { "content-length": String(length) }),
        },
      });
    }
    // It was looked up just now. A second look-up follows only if it breaks off.
    const known = find;
    let first: RemoteFile | undefined = found;
    find = async (signal) => {
      const again = first ?? (await known(signal));
      first = undefined;
      return again;
    };
    if (range) {
      const part = await relay(find, range, limits, broken);
      const sent = typeOf(file, part.type);
      // The file is not of the size that its message says.
      if (part.size !== undefined && part.size !== size) {
        await part.body.cancel();
        if (range.start >= part.size) return outside(part.size, etag);
      } else
        return withLength(part.body, range.end - range.start + 1, 206, {
          ...headersOf(file, sent, etag),
          "content-range": `bytes ${range.start}-${range.end}/${size}`,
        });
    }
  }
  const whole = await relay(find, { start: 0 }, limits, broken);
  let type: string;
  try {
    type = typeOf(file, whole.type);
  } catch (error) {
    await whole.body.cancel();
    throw error;
  }
  return withLength(whole.body, whole.size, 200, headersOf(file, type, etag));
}

/** Kept by the browser, and asked about each time: a reader who may no longer read it gets no copy. */
const CACHE = "private, no-cache";

/** A range of another file than the one that the reader has a part of makes no sense. */
function mayRange(headers: Headers, etag: string): boolean {
  const condition = headers.get("if-range");
  return condition === null || condition === etag;
}

async function relaying(
  find: (signal: AbortSignal) => Promise<RemoteFile>,
  { openMs }: RelayLimits,
): Promise<RemoteFile> {
  return find(AbortSignal.timeout(openMs)).catch((error: unknown) => {
    if (error instanceof HubError) throw error;
    throw new HubError("unavailable", "the place of the file did not answer", { reason: "media_slow" });
  });
}

/**
 * The type that the answer has: that of the message, else the file's own. A place that answers with a page in place of a picture
 * has not sent the file: `unavailable`.
 */
function typeOf({ kind, mime_type }: MessageFile, given: string | undefined): string {
  const sent = cleanType(given);
  const wanted = KINDS[kind];
  const said = cleanType(mime_type);
  if (sent && sent !== ANY && wanted && !sent.startsWith(wanted) && !isContainer(sent, wanted))
    throw new HubError("unavailable", "the platform sent something else than the file", {
      reason: "media_wrong_type",
    });
  if (said && said !== ANY && (!wanted || said.startsWith(wanted) || isContainer(said, wanted))) return said;
  if (sent && sent !== ANY) return sent;
  return USUAL[kind] ?? ANY;
}

/** Ogg, MP4 and WebM hold sound and pictures alike, and are called by either name. */
function isContainer(type: string, wanted: string): boolean {
  return (
    wanted !== "image/" && /^(video\/(mp4|webm|ogg|3gpp)|audio\/(mp4|webm|ogg)|application\/ogg)$/.test(type)
  );
}

/** A media type without parameters, in lower case; undefined for what is none. */
function cleanType(type: string | undefined): string | undefined {
  const plain = type?.replace(/;.*$/s, "").trim().toLowerCase();
  return plain && /^[a-z]+\/[a-z0-9][a-z0-9.+-]{0,99}$/.test(plain) ? plain : undefined;
}

function headersOf(file: MessageFile, type: string, etag: string): Record<string, string> {
  return {
    "content-type": type,
    "content-disposition": disposition(SHOWN.test(type) ? "inline" : "attachment", file.file_name),
    "x-content-type-options": "nosniff",
    // What opens it by its address runs nothing, and belongs to no page.
    "content-security-policy": "default-src 'none'; sandbox",
    // Pages of other origins may show it; the link, or the token, has opened it already.
    "cross-origin-resource-policy": "cross-origin",
    "accept-ranges": "bytes",
    "cache-control": CACHE,
    etag,
  };
}

/** Per RFC 6266: the name in ASCII, and in UTF-8 beside it. */
function disposition(how: "inline" | "attachment", name: string | undefined): string {
  const clean = name
    ?.toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\\/:*?"<>|]/gu, "_")
    .replace(/^\.+/, "_")
    .slice(0, 200)
    .trim();
  if (!clean) return how;
  const plain = clean.replaceAll(/[^\x20-\x7e]/g, "_").replaceAll("%", "_");
  const coded = encodeURIComponent(clean.toWellFormed()).replaceAll(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16)}`,
  );
  return `${how}; filename="${plain}"${plain === clean ? "" : `; filename*=UTF-8''${coded}`}`;
}

function outside(size: number, etag: string): Response {
  return new Response(null, {
    status: 416,
    headers: { "content-range": `bytes */${size}`, "accept-ranges": "bytes", etag },
  });
}

interface FixedStream {
  new (length: number): { readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> };
}

/** An answer of a known length. On Workers only a stream of a fixed length keeps its `Content-Length`. */
function withLength(
  body: ReadableStream<Uint8Array>,
  length: number | undefined,
  status: number,
  headers: Record<string, string>,
): Response {
  if (length === undefined) return new Response(body, { status, headers });
  const whole = { ...headers, "content-length": String(length) };
  const Fixed = (globalThis as { FixedLengthStream?: FixedStream }).FixedLengthStream;
  if (!Fixed) return new Response(body, { status, headers: whole });
  const { readable, writable } = new Fixed(length);
  // A failure reaches the reader through `readable`.
  void body.pipeTo(writable).catch(() => {});
  return new Response(readable, { status, headers: whole });
}
