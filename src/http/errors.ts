import { type Hook, z } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { ERROR_CODES, type ErrorCode, HubError, toHubError } from "../core/errors.ts";
import { describe, type HttpContext, type HttpEnv } from "./request.ts";

const MEANINGS: Record<ErrorCode, string> = {
  unauthorized: "the credentials are missing or wrong",
  forbidden: "the credentials do not open this",
  verification_required: "who this is must be proven first: by code, password or scan; the message says how",
  code_invalid: "the code is wrong, was used, is too old, or was guessed at too often",
  password_invalid: "phone and password do not belong together",
  malformed: "the request cannot be read; the message names the field",
  phone_ambiguous:
    "the phone's digits may be those of several people; write it with + and the country's prefix",
  session_not_found: "no such session, or it ended or signed out",
  session_expired: "the session lay idle past its lifetime",
  not_found: "no such thing",
  method_not_allowed: "see the Allow header",
  version_conflict: "the session changed since the version in If-Match",
  merge_required:
    "the two are known as different customers: ask, then send it again with `merge` true or false",
  payload_too_large: "the body or one of its documents is too large",
  unsupported_media_type: "the body must be application/json",
  too_many_requests: "wait as long as Retry-After says",
  rejected: "a platform refuses for good",
  internal: "a bug; give the request_id to an operator",
  needs_database: "the memory store does not keep this: give the hub a database",
  misconfigured: "a setting is missing or wrong; the message names it",
  throttled: "a dependency asks to wait as long as Retry-After says",
  unavailable: "a dependency is down or slow; nothing was saved, send it again after Retry-After",
};

/** What the caller can do about it. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  verification_required:
    ". To prove it: a code (POST /session/verify), a password (POST /auth/login), or a scan (POST /session/link)",
};

const errorSchema = z
  .object({
    error: z.object({
      code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
      message: z.string().openapi({ description: "For people; holds nothing of what was sent." }),
      request_id: z.string(),
    }),
  })
  .openapi("Error");

/** The error answers of an operation for the API description; what any operation can answer is added. */
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

/** Answers any thrown value in the one shape, with the status its code stands for. */
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
  return answer(c, error.code, message + (HINTS[error.code] ?? ""), headers);
}

/** Answers a path that no route has. */
export function onNotFound(c: HttpContext): Response {
  c.var.exchange.facts.code = "not_found";
  return answer(c, "not_found", "no such route");
}

/** Answers a known path called with a method it does not have. */
export function onMethodNotAllowed(c: HttpContext, methods: readonly string[]): Response {
  c.var.exchange.facts.code = "method_not_allowed";
  return answer(c, "method_not_allowed", "this route has other methods", { Allow: methods.join(", ") });
}

/** Turns the first failed check into `malformed`, naming the field and never the value. */
export const refuseInvalid: Hook<unknown, HttpEnv, string, undefined> = (result) => {
  if (result.success) return undefined;
  const issue = result.error.issues[0];
  const place = result.target === "json" ? "body" : result.target;
  const path = [place, ...(issue?.path ?? [])].map(String).join(".").slice(0, 200);
  throw new HubError("malformed", `${path}: ${issue?.message ?? "not valid"}`);
};

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

function answer(c: HttpContext, code: ErrorCode, message: string, headers: Record<string, string> = {}) {
  const body = { error: { code, message, request_id: c.var.exchange.id } };
  return c.json(body, ERROR_CODES[code] as ContentfulStatusCode, headers);
}
