import { ERROR_CODES, type ErrorCode, HubError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { TOO_LARGE } from "../../core/sessions/session.ts";

const SAYS: Partial<Record<ErrorCode, string>> = {
  session_not_found: "there is no such session, or it has ended",
  session_expired: "the session has expired",
  thread_not_found: "there is no such thread",
  thread_expired: "the thread has expired",
  rating_closed: "the rating can be changed for a day after the session has ended",
  merge_required: "the two are known as different customers",
  forbidden: "channel: a token's messages stand on its own channel only",
  version_conflict: "it has moved on from that version",
  not_found: "there is no such thing",
  unauthorized: "this address or sign-in is not valid any more",
  idempotency_conflict: "the Idempotency-Key came with another body before",
  illegal_transition: "its status does not allow this change",
  order_conflict: "the order_id is another order's, or the order has another currency",
  not_changeable: "this message cannot be changed in this way: see details",
  conversation_taken: "a colleague has this conversation: see details",
  conversation_held: "a person has this conversation: the bot is not asked",
  not_retryable: "this dead letter must not be sent any more: see details",
  answered_since: "somebody has answered since you looked: see details",
  user_exists: "there is a user with this e-mail",
  endpoint_limit: "there are 20 endpoints already",
  malformed: "the customers cannot be changed in this way",
  customer_conflict: "two customers are concerned: see details",
  payload_too_large: TOO_LARGE,
  language_not_allowed: "this session may not have that language",
  verification_required: "who this is has to be proven first",
  code_invalid: "the code is wrong or no longer valid",
  password_invalid: "phone and password do not belong together",
  too_many_requests: "too many tries; wait a while",
};

/**
 * Reads the refusal of a function that rolled back: `hub.refuse` raises an SQLSTATE of class HB with the hub's code as
 * message and JSON as detail. Returns undefined for every other error. The circuit breaker and the log treat a refusal
 * as an answer.
 */
export function raisedRefusal(
  sqlstate: string | undefined,
  message: string | undefined,
  detail: string | null | undefined,
): HubError | undefined {
  if (!sqlstate?.startsWith("HB")) return undefined;
  return refusal(message ?? "", detail ? (JSON.parse(detail) as JsonObject) : {});
}

/**
 * Reads the refusal of a function that had to commit, because it counts tries: it answers `{error, ...details}`.
 * Returns undefined for every other answer.
 */
export function returnedRefusal(answer: Readonly<Record<string, unknown>>): HubError | undefined {
  const { error, ...details } = answer;
  return typeof error === "string" ? refusal(error, details as JsonObject) : undefined;
}

/** Whether a call failed, as opposed to being refused. */
export function isFailure(error: unknown): boolean {
  return !(error instanceof HubError) || error.code === "unavailable" || error.code === "throttled";
}

function refusal(word: string, { retry_after_ms, ...details }: JsonObject): HubError {
  const code = word as ErrorCode;
  if (!(code in ERROR_CODES))
    return new HubError("internal", "the database refused with an unknown code", { reason: word });
  return new HubError(code, SAYS[code] ?? code, {
    ...(retry_after_ms != null && { retryAfterMs: Number(retry_after_ms) }),
    ...(Object.keys(details).length > 0 && { details }),
  });
}
