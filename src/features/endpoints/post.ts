import { Webhook } from "standardwebhooks";
import { HubError, toHubError } from "../../core/errors.ts";
import { withTimeout } from "../../core/timeout.ts";
import type { Target } from "./endpoints.ts";
import type { ClaimedEvent } from "./event.ts";
import { wrongWithTarget } from "./target.ts";

/** An answer's body is read up to this size, so that the connection can be used again; its content is not looked at. */
const MOST_READ_BYTES = 4_096;
const READ_MS = 1_000;
/** The longest wait that an endpoint can ask for with `Retry-After`. */
const LONGEST_WAIT_MS = 12 * 3_600_000;

/** How a post ended: taken, refused for now (with what is wrong), or never again. */
export type Posted =
  | { readonly result: "taken" }
  | { readonly result: "failed" | "gone"; readonly error: HubError };

/**
 * Posts one event, signed with each secret as the Standard Webhooks specification says
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). Any 2xx takes it. A redirect is
 * a failure, and is not followed.
 */
export async function post(
  { url, content, secrets }: Target,
  event: ClaimedEvent,
  { now, open, timeoutMs }: { readonly now: Date; readonly open: boolean; readonly timeoutMs: number },
): Promise<Posted> {
  try {
    const wrong = wrongWithTarget(url, open);
    if (wrong) throw new HubError("rejected", `the URL ${wrong}`, { reason: "private_address" });
    const body = bodyOf(event, content);
    const response = await withTimeout(timeoutMs, "timeout", (signal) =>
      fetch(url, {
        method: "POST",
        // Workers do not support "error" here. With "manual" a redirect comes back as its 3xx status.
        redirect: "manual",
        headers: {
          ...signed(event.event_id, body, secrets, now),
          "content-type": "application/json",
          "user-agent": "session-hub",
        },
        body,
        signal,
      }),
    );
    await discard(response);
    return judged(response, now);
  } catch (thrown) {
    const error = toHubError(thrown);
    if (error.code !== "internal") return { result: "failed", error };
    return {
      result: "failed",
      error: new HubError("unavailable", "the endpoint cannot be reached", {
        reason: "unreachable",
        cause: thrown,
      }),
    };
  }
}

/** The body: `{type, timestamp, data}`. */
function bodyOf({ type, at, data, message }: ClaimedEvent, content: boolean): string {
  const whole = content && CARRIERS.has(type) ? { ...data, message: message ?? null } : data;
  return JSON.stringify({ type, timestamp: at.toISOString(), data: whole });
}

/** The types whose events carry their message. */
const CARRIERS = new Set(["message.received", "message.sent"]);

function signed(id: string, body: string, secrets: readonly string[], now: Date): Record<string, string> {
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
    "webhook-signature": secrets.map((secret) => new Webhook(secret).sign(id, now, body)).join(" "),
  };
}

function judged({ ok, status, headers }: Response, now: Date): Posted {
  if (ok) return { result: "taken" };
  const reason = status >= 300 && status < 400 ? "redirect" : `http_${status}`;
  if (status === 410)
    return { result: "gone", error: new HubError("rejected", "the endpoint is no more", { reason }) };
  const retryAfterMs = status === 429 || status === 503 ? waitOf(headers.get("retry-after"), now) : undefined;
  const code = retryAfterMs === undefined ? "unavailable" : "throttled";
  return {
    result: "failed",
    error: new HubError(code, `the endpoint answered ${status}`, {
      reason,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    }),
  };
}

/** `Retry-After` as seconds or as a date, per RFC 9110 section 10.2.3. */
function waitOf(header: string | null, now: Date): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now.getTime();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_WAIT_MS);
}

/** Reads the rest of an answer, up to a size and for a second, and drops the connection of one that goes on. */
async function discard({ body }: Response): Promise<void> {
  const reader = body?.getReader();
  if (!reader) return;
  let size = 0;
  const rest = async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      size += part.value.byteLength;
      if (size > MOST_READ_BYTES) return reader.cancel();
    }
  };
  try {
    await withTimeout(READ_MS, "endless_answer", rest);
  } catch {
    // The status has already said what became of the event.
    await Promise.allSettled([reader.cancel()]);
  }
}
