import { type Hook, z } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { ERROR_CODES, type ErrorCode, HubError, toHubError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import { describe, type HttpContext, type HttpEnv } from "./request.ts";

const MEANINGS: Record<ErrorCode, string> = {
  unauthorized: "the credentials are missing or wrong",
  forbidden: "the credentials do not open this",
  verification_required: "the person must first be verified by code, password or scan; the message says how",
  language_not_allowed:
    "this session may not have that language; `details.languages` has those that it may have",
  code_invalid: "the code is wrong, used or too old, or there were too many wrong tries",
  password_invalid: "phone and password do not belong together",
  malformed: "the request cannot be read; the message names the field",
  phone_ambiguous:
    "the phone's digits may be those of several people; write it with + and the country's prefix",
  session_not_found: "no such session, or it ended or signed out",
  session_expired: "the session was not used for longer than its lifetime",
  thread_not_found: "no such thread; it was deleted, or expired more than a week ago",
  thread_expired: "the thread was not used for longer than its lifetime; its data is deleted",
  not_found: "no such thing",
  method_not_allowed: "see the Allow header",
  version_conflict: "it changed since the version in If-Match",
  merge_required:
    "the sessions of two customers would become one: `details.sessions` names both; ask the customer, then send the same request again with `merge` true or false",
  customer_conflict:
    "the value is another customer's, or the two customers differ: `details` has the customers or the kinds; POST /api/customers/{id}/merge makes two one",
  idempotency_conflict: "the Idempotency-Key came with another body before",
  illegal_transition: "the status that it has does not allow this change; `details` has `from` and `to`",
  order_conflict: "the order_id is another order's, or the order has another currency",
  not_changeable:
    "the message cannot be changed in this way; `details.why`: `deleted`, `a_change` (of another message), `not_ours` (only the shop's own are edited and deleted), `too_late` (for the platform), `no_address`, or `channel` (it has no such change)",
  endpoint_limit: "there are 20 endpoints already; delete one",
  conversation_taken: "a colleague has the conversation: `details.user` names them",
  conversation_held:
    "a person has the conversation, so the bot is not asked; give it back first, or answer by hand",
  not_retryable:
    "the dead letter must not be sent any more; `details.why`: `opted_out` (the customer has asked to get no more), `maybe_sent` (a campaign's message that may have been shown), `deleted` or `edited` (the message, since)",
  answered_since:
    "somebody else has answered since `seen`: `details` has the `seq`, when, and who; read it, then send again",
  user_exists: "there is a user with this e-mail already",
  rating_closed: "the session has a rating and ended more than a day ago",
  precondition_failed:
    "the thread is not at the version in If-Match, or it exists although If-None-Match is `*`",
  media_expired: "the platform no longer has the file, or the upload was deleted",
  media_too_large: "the file is larger than the hub, or the platform, lets through",
  payload_too_large: "the body or one of its documents is too large",
  unsupported_media_type: "the body must be application/json",
  media_type_refused: "the file is of no type that docs/media.md lists, whatever its name says",
  media_infected: "the virus scanner refuses the file; it is not stored",
  too_many_requests: "wait as long as Retry-After says",
  rejected: "a platform refuses for good",
  internal: "a bug; give the request_id to an operator",
  needs_database: "the memory store cannot do this: configure a database",
  needs_storage: "uploads need a file storage: R2, Supabase Storage or a folder",
  misconfigured:
    "a setting is missing or wrong; the log names it, and with an admin key the message does too",
  scan_unavailable: "the virus scanner does not answer, so the file is not stored; send it again later",
  throttled: "a dependency asks to wait as long as Retry-After says",
  unavailable: "a dependency is down or slow; nothing was saved, send it again after Retry-After",
};

/** How many unknown fields an error names, and how many characters of each. */
const MOST_NAMES = 10;
const LONGEST_NAME = 64;

/** Advice for the caller, appended to the message. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  verification_required:
    ". To prove it: a code (POST /session/verify), a password (POST /auth/login), or a scan (POST /session/link)",
};

const errorSchema = z
  .object({
    error: z.object({
      code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
      message: z.string().openapi({
        description: "For people. Of the request it holds at most the names of unknown fields.",
      }),
      request_id: z.string(),
      details: z
        .record(z.string(), z.unknown())
        .optional()
        .openapi({
          description:
            "With `merge_required`: what the caller must show the customer. With `customer_conflict`: where the customers differ. With " +
            "`conversation_taken` and `answered_since`: who it was. With `not_changeable` and `not_retryable`: why.",
        }),
    }),
  })
  .openapi("Error");

/** The error answers of an operation for the API description, with those that every operation can give. */
export function problems(...codes: readonly ErrorCode[]): Record<never, never> {
  const all = new Set<ErrorCode>([
    ...codes,
    "too_many_requests",
    "internal",
    "misconfigured",
    "throttled",
    "unavailable",
  ]);
  const byStatus = Object.groupBy(all, (code) => String(ERROR_CODES[code]));
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, group = []]) => [
      status,
      {
        description: group.map((code) => `\`${code}\`: ${MEANINGS[code]}`).join("\n\n"),
        content: { "application/json": { schema: errorSchema } },
      },
    ]),
  );
}

/** Answers any thrown value as `{error: …}`, with the status of its code. */
export function onError(thrown: unknown, c: HttpContext): Response {
  const error = thrown instanceof HTTPException ? fromHono(thrown) : toHubError(thrown);
  const { facts } = c.var.exchange;
  facts.code = error.code;
  if (error.reason) facts.reason = error.reason;
  if (error.code === "internal") Object.assign(facts, describe(error.cause ?? error), { code: "internal" });
  const headers: Record<string, string> = {};
  if ([429, 503].includes(ERROR_CODES[error.code]))
    headers["Retry-After"] = String(Math.max(1, Math.ceil((error.retryAfterMs ?? 3_000) / 1_000)));
  if (ERROR_CODES[error.code] === 401) headers["WWW-Authenticate"] = "Bearer";
  const message = error.code === "internal" ? "something went wrong here" : error.message;
  return answer(c, error.code, message + (HINTS[error.code] ?? ""), headers, error.details);
}

/** Answers a path that no route has. */
export function onNotFound(c: HttpContext): Response {
  c.var.exchange.facts.code = "not_found";
  return answer(c, "not_found", "no such route");
}

/** Answers a call of a known path with a method that it does not have. */
export function onMethodNotAllowed(c: HttpContext, methods: readonly string[]): Response {
  c.var.exchange.facts.code = "method_not_allowed";
  return answer(c, "method_not_allowed", "this route has other methods", { Allow: methods.join(", ") });
}

/** Throws `malformed` for a failed check: it names the unknown fields, or the first wrong field; never a value. */
export const refuseInvalid: Hook<unknown, HttpEnv, string, undefined> = (result) => {
  if (result.success) return undefined;
  const { issues } = result.error;
  const place = result.target === "json" ? "body" : result.target;
  const unknown = unknownIn(issues);
  if (unknown) throw new HubError("malformed", unknownNames(at(place, unknown.path), "field", unknown.keys));
  const issue = issues[0];
  throw new HubError("malformed", `${at(place, issue?.path ?? [])}: ${issue?.message ?? "not valid"}`);
};

/** The error message for unknown names; `what` is `field` or `parameter`. */
export function unknownNames(place: string, what: string, names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map((name) => name.slice(0, LONGEST_NAME));
  const more = names.length > shown.length ? ", …" : "";
  return `${place}: unknown ${what}${names.length > 1 ? "s" : ""} ${shown.join(", ")}${more}`;
}

interface Unknown {
  readonly path: readonly PropertyKey[];
  readonly keys: readonly string[];
}

/** The first object with unknown fields. Among alternatives: the one in which nothing else is wrong. */
function unknownIn(
  issues: readonly z.core.$ZodIssue[],
  path: readonly PropertyKey[] = [],
): Unknown | undefined {
  for (const issue of issues) {
    const here = [...path, ...issue.path];
    if (issue.code === "unrecognized_keys") return { path: here, keys: issue.keys };
    if (issue.code !== "invalid_union") continue;
    const close = issue.errors.find((list) => list.every(({ code }) => code === "unrecognized_keys"));
    if (close) return unknownIn(close, here);
  }
  return undefined;
}

function at(place: string, path: readonly PropertyKey[]): string {
  return [place, ...path].map(String).join(".").slice(0, 200);
}

function fromHono(exception: HTTPException): HubError {
  switch (exception.status) {
    case 413:
      return new HubError("payload_too_large", "the body is too large");
    case 415:
      return new HubError("unsupported_media_type", "the body must be application/json");
    case 400:
      return new HubError("malformed", "the body is not valid JSON");
    default:
      return new HubError("internal", "unexpected HTTPException", { cause: exception });
  }
}

function answer(
  c: HttpContext,
  code: ErrorCode,
  message: string,
  headers: Record<string, string> = {},
  details?: JsonObject,
) {
  const body = { error: { code, message, request_id: c.var.exchange.id, ...(details && { details }) } };
  return c.json(body, ERROR_CODES[code] as ContentfulStatusCode, headers);
}
