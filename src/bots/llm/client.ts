import { APIConnectionError, APIError, OpenAI } from "openai";
import { HubError } from "../../core/errors.ts";

/** The largest answer in pieces, in bytes: an endpoint wraps each token into some hundred bytes. */
const MOST_STREAM_BYTES = 8 * 1024 * 1024;
/** The longest wait that an endpoint can ask for. */
const LONGEST_WAIT_MS = 15 * 60_000;

/** A model at an endpoint that speaks OpenAI's protocol. */
export interface Endpoint {
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly model: string;
}

/**
 * A client that asks once, follows no redirect, and reads no more than `mostBytes` of an answer: an endpoint that never stops must not fill
 * the Worker's memory.
 */
export function openAiClient({
  baseUrl,
  apiKey,
  mostBytes,
}: Omit<Endpoint, "model"> & { readonly mostBytes: number }): OpenAI {
  return new OpenAI({
    baseURL: baseUrl,
    // The client does not start without a key; endpoints on the same machine need none.
    apiKey: apiKey ?? "none",
    organization: null,
    project: null,
    maxRetries: 0,
    logLevel: "off",
    fetch: boundedFetch(mostBytes),
    // Workers do not support "error" here. With "manual" a redirect comes back as its 3xx status, which is refused.
    fetchOptions: { redirect: "manual" },
  });
}

/** The hub's error for a failure. Its cause is left out: errors of the client hold what the endpoint has said. */
export function toFailure(thrown: unknown, signal: AbortSignal): HubError {
  if (thrown instanceof HubError) return thrown;
  if (signal.aborted) return new HubError("unavailable", "the model was too slow", { reason: "llm_timeout" });
  if (thrown instanceof APIConnectionError || !(thrown instanceof APIError)) {
    const isJson = thrown instanceof SyntaxError;
    return new HubError(
      "unavailable",
      isJson ? "the model's answer is not JSON" : "the model cannot be reached",
      {
        reason: isJson ? "llm_bad_answer" : "llm_unreachable",
      },
    );
  }
  const reason = `llm_http_${thrown.status ?? "error"}`;
  const retryAfterMs = waitOf(thrown.headers);
  if (thrown.status === 429 || (thrown.status === 503 && retryAfterMs !== undefined))
    return new HubError("throttled", "the model's endpoint asks to wait", {
      reason,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  return new HubError("unavailable", `the model's endpoint answered ${thrown.status}`, { reason });
}

/** `Retry-After` in seconds, or OpenAI's `retry-after-ms`. A date is not read: this file has no clock. */
function waitOf(headers: Headers | undefined): number | undefined {
  const ms = headers?.get("retry-after-ms");
  const seconds = headers?.get("retry-after");
  const wait = /^\d+(\.\d+)?$/.test(ms ?? "")
    ? Number(ms)
    : /^\d+(\.\d+)?$/.test(seconds ?? "")
      ? Number(seconds) * 1_000
      : undefined;
  return wait === undefined ? undefined : Math.min(wait, LONGEST_WAIT_MS);
}

/** `fetch` whose answers end with an error after so many bytes. */
function boundedFetch(mostBytes: number): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (!response.body) return response;
    const isStream = response.headers.get("content-type")?.includes("text/event-stream");
    const most = isStream ? Math.max(mostBytes, MOST_STREAM_BYTES) : mostBytes;
    let size = 0;
    const counted = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          size += chunk.byteLength;
          if (size > most)
            controller.error(
              new HubError("unavailable", "the model's answer is too large", { reason: "llm_bad_answer" }),
            );
          else controller.enqueue(chunk);
        },
      }),
    );
    const { status, statusText, headers } = response;
    return new Response(counted, { status, statusText, headers });
  };
}
