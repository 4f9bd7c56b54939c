import type { JsonObject } from "./json.ts";

/**
 * The closed set of error codes, each with its HTTP status. Callers act on the code; the API description lists them.
 */
export const ERROR_CODES = {
  unauthorized: 401,
  forbidden: 403,
  verification_required: 403,
  language_not_allowed: 403,
  code_invalid: 403,
  password_invalid: 401,
  malformed: 400,
  phone_ambiguous: 400,
  session_not_found: 404,
  session_expired: 404,
  thread_not_found: 404,
  thread_expired: 404,
  not_found: 404,
  method_not_allowed: 405,
  version_conflict: 409,
  merge_required: 409,
  rating_closed: 409,
  precondition_failed: 412,
  customer_conflict: 409,
  idempotency_conflict: 409,
  illegal_transition: 409,
  order_conflict: 409,
  not_changeable: 409,
  endpoint_limit: 409,
  conversation_taken: 409,
  conversation_held: 409,
  not_retryable: 409,
  answered_since: 409,
  user_exists: 409,
  media_expired: 410,
  media_too_large: 413,
  payload_too_large: 413,
  unsupported_media_type: 415,
  media_type_refused: 415,
  media_infected: 422,
  too_many_requests: 429,
  rejected: 500,
  internal: 500,
  needs_database: 501,
  needs_storage: 501,
  misconfigured: 503,
  scan_unavailable: 503,
  throttled: 503,
  unavailable: 503,
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

interface Details {
  /** How long to wait before the next try, in ms. */
  retryAfterMs?: number;
  /** For the operator: the platform's or the database's own code, never content. */
  reason?: string;
  /** For the caller, sent with the message as JSON; never a secret. */
  details?: JsonObject | undefined;
  cause?: unknown;
}

/** The one error that crosses a port. `code` decides what happens; `message` is for people and holds no content. */
export class HubError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly reason: string | undefined;
  readonly details: JsonObject | undefined;

  constructor(code: ErrorCode, message: string, details: Details = {}) {
    super(message, { cause: details.cause });
    this.name = "HubError";
    this.code = code;
    this.retryAfterMs = details.retryAfterMs;
    this.reason = details.reason;
    this.details = details.details;
  }
}

/** Any thrown value as a `HubError`. Any other error is a bug and becomes `internal`. */
export function toHubError(error: unknown): HubError {
  if (error instanceof HubError) return error;
  const name = error instanceof Error ? error.name : typeof error;
  return new HubError("internal", `unexpected ${name}`, { reason: name, cause: error });
}

/**
 * The code and reason of an error that are stored and logged. Without a reason of the platform or database: the code.
 */
export function failureOf({ code, reason }: HubError): { code: ErrorCode; reason: string } {
  return { code, reason: reason ?? code };
}
