import type { Context, MiddlewareHandler } from "hono";
import { HubError } from "../core/errors.ts";
import { parseJson } from "../core/json.ts";

/**
 * How many bytes past its limit a streamed body is read and discarded: a proxy that still sends may miss our answer.
 */
const DRAINED = 32 * 1024 * 1024;

/** The bytes of a request's body. Throws `payload_too_large` past `limit`; the bytes count, not only the headers. */
export async function readBody(request: Request, limit: number): Promise<Uint8Array> {
  if (!request.body) return new Uint8Array();
  if (Number(request.headers.get("content-length")) > limit) throw tooLarge(limit);
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    size += next.value.byteLength;
    if (size <= limit) chunks.push(next.value);
    else if (size > limit + DRAINED) await reader.cancel();
  }
  if (size > limit) throw tooLarge(limit);
  return chunks.length === 1 ? chunks[0]! : joined(chunks, size);
}

/**
 * Lets only JSON up to `limit` bytes through, cleaned by `parseJson`. The route's validation reads the cleaned body.
 */
export function jsonBody(limit: number): MiddlewareHandler {
  return async (c, next) => {
    refuseOtherTypes(c);
    cacheJson(c, parseJson(await readBody(c.req.raw, limit)));
    await next();
  };
}

/** As `jsonBody`; an empty body of any type counts as an empty object. */
export function optionalJsonBody(limit: number): MiddlewareHandler {
  return async (c, next) => {
    const bytes = await readBody(c.req.raw, limit);
    if (bytes.byteLength > 0) refuseOtherTypes(c);
    else c.req.raw = withoutBody(c.req.raw);
    cacheJson(c, bytes.byteLength > 0 ? parseJson(bytes) : {});
    await next();
  };
}

/** The same request without a body and without a content type. */
function withoutBody({ url, method, headers }: Request): Request {
  const rest = new Headers(headers);
  rest.delete("content-type");
  return new Request(url, { method, headers: rest });
}

function refuseOtherTypes(c: Context): void {
  if (!/^application\/json *(;|$)/i.test(c.req.header("content-type") ?? ""))
    throw new HubError("unsupported_media_type", "the body must be application/json");
}

function cacheJson(c: Context, value: unknown): void {
  c.req.bodyCache.text = Promise.resolve(JSON.stringify(value)) as never;
}

function tooLarge(limit: number): HubError {
  return new HubError("payload_too_large", `the body is larger than ${limit} bytes`);
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}
