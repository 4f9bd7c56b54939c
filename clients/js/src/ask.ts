import { HubError } from "./error.ts";
import { FileRequestClass, sendFile } from "./send-file.ts";
import type { Call, Refusal } from "./types.ts";

export interface Request extends Call {
  /** The body of a POST: the bytes of a `Blob`, and everything else as JSON. */
  readonly body?: unknown;
  readonly method?: "POST";
  readonly token?: string | undefined;
  readonly limitMs?: number;
  /** The version that the session must have, as `If-Match`. */
  readonly version?: number | undefined;
  /** Called with the part of the body that has gone, from 0 to 1. */
  readonly onProgress?: ((part: number) => void) | undefined;
  /** The answer is a file: a `Blob`. Else it is JSON. */
  readonly isFile?: boolean;
}

/** Makes one call. Throws `HubError`, or the reason of the caller's signal. */
export type Ask = <T>(path: string, request: Request) => Promise<T>;

export interface Line {
  readonly url: string;
  readonly key?: string | undefined;
  readonly timeoutMs: number;
  readonly fetch?: typeof fetch | undefined;
}

/** Calls to one hub, each within a time limit that covers the whole answer. */
export function askOf({ url, key, timeoutMs, fetch: given }: Line): Ask {
  return async (path, { body, method, token, signal, limitMs = timeoutMs, version, onProgress, isFile }) => {
    signal?.throwIfAborted();
    const ending = new AbortController();
    const end = () => ending.abort();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      end();
    }, limitMs);
    signal?.addEventListener("abort", end);
    const isUpload = body instanceof Blob;
    const send =
      onProgress && !given && FileRequestClass()
        ? (to: string, init: RequestInit) => sendFile(to, init, onProgress)
        : (given ?? fetch);
    try {
      const answer = await send(url + path, {
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers: {
          ...(body !== undefined && {
            "content-type": isUpload ? body.type || "application/octet-stream" : "application/json",
          }),
          ...(token && { authorization: `Bearer ${token}` }),
          ...(key && { "x-api-key": key }),
          ...(version !== undefined && { "if-match": `"${version}"` }),
        },
        ...(body !== undefined && { body: isUpload ? body : JSON.stringify(body) }),
        credentials: "omit",
        // What a token has read stays in no cache of the browser: the next person at a kiosk may look there.
        ...(isFile && { cache: "no-store" }),
        signal: ending.signal,
      } as RequestInit);
      if (isFile && answer.ok) return (await answer.blob()) as never;
      // A proxy's page is not JSON, and counts as no answer.
      const said: unknown = await answer.json();
      if (answer.ok) return said as never;
      const { code, message, request_id, details } = (said as Refusal).error;
      const wait = Number(answer.headers.get("retry-after"));
      throw new HubError(code, message, {
        status: answer.status,
        requestId: request_id,
        ...(wait > 0 && { retryAfterMs: wait * 1_000 }),
        ...(details && { details }),
      });
    } catch (cause) {
      if (cause instanceof HubError) throw cause;
      signal?.throwIfAborted();
      throw new HubError(isLate ? "timeout" : "network", `no answer from ${url}`, { cause });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
    }
  };
}
