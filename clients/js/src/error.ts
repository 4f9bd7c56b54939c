import type { ErrorCode } from "./types.ts";

interface Facts {
  readonly status?: number;
  readonly requestId?: string;
  readonly retryAfterMs?: number;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** Every error of the hub and of the way to it. Act on `code`; `message` is for developers. */
export class HubError extends Error {
  override readonly name = "HubError";
  readonly code: ErrorCode;
  /** The HTTP status; absent if no answer came. */
  readonly status: number | undefined;
  /** The hub's id of the request, for its operator. */
  readonly requestId: string | undefined;
  /** How long the hub asks to wait. */
  readonly retryAfterMs: number | undefined;
  /** With `merge_required`: the two sessions, to be shown to the customer. */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, facts: Facts = {}) {
    super(message, { cause: facts.cause });
    this.code = code;
    this.status = facts.status;
    this.requestId = facts.requestId;
    this.retryAfterMs = facts.retryAfterMs;
    this.details = facts.details;
  }
}

const codeOf = (error: unknown) => (error instanceof HubError ? error.code : undefined);

/** Whether the token opens nothing any more. */
export function isDead(error: unknown): error is HubError {
  return ["session_not_found", "session_expired"].includes(codeOf(error)!);
}

/** Whether the same call may succeed later. */
export function isPassing(error: unknown): error is HubError {
  return [
    "network",
    "timeout",
    "too_many_requests",
    "unavailable",
    "throttled",
    "misconfigured",
    "internal",
  ].includes(codeOf(error)!);
}
