import { z } from "zod";
import type { Part } from "../../../core/answer/turn.ts";
import { HubError } from "../../../core/errors.ts";
import type { FilesToSend } from "../../../core/files.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { Address } from "../../../core/messages/message.ts";
import { lenient, messageId } from "../fields.ts";
import { withUpload } from "./upload.ts";

/** The address, version and access token of the Graph API. */
export interface Api {
  readonly root: string;
  readonly version: string;
  readonly token: string;
}

const addressSchema = z.union([
  z.object({ phone_number_id: z.string(), to: z.string() }),
  z.object({ phone_number_id: z.string(), recipient: z.string() }),
]);

const sentSchema = z.object({ messages: z.array(z.object({ id: messageId })).min(1) });
const answerSchema = z.object({ error: lenient(z.object({ code: z.number().int() })) });

/** Error codes that ask to wait, each with the wait in ms; undefined: the hub's own backoff. */
const TOO_FAST: ReadonlyMap<number, number | undefined> = new Map([
  /** The hourly quotas of the app and of the account. */
  [4, 300_000],
  [80007, 300_000],
  /** Messages per second of this number. */
  [130429, undefined],
  /** Too many messages of this number were blocked or reported. The limit ends only after some time. */
  [131048, 900_000],
  /** Messages to this one customer. */
  [131056, 6_000],
]);

/**
 * Error codes of failures that may pass: our token (0, 190), a service that is down (2, 131000, 131016, 131057), a failed
 * download (131053).
 */
const DOWN: ReadonlySet<number> = new Set([0, 2, 190, 131000, 131016, 131053, 131057]);

/** Parts of a text have no call. A reaction's target is known only now. */
function callOf({ text, call, targets }: Part): JsonObject {
  if (call === undefined) return { type: "text", text: { body: text, preview_url: false } };
  const message_id = targets?.at(-1);
  if (message_id === undefined) return call;
  return { ...call, reaction: { ...(call.reaction as JsonObject), message_id } };
}

/**
 * Sends one part and returns its wamid. A success of the platform counts as sent even if its answer cannot be read,
 * because a second try would send it twice. The id is then a made-up one, `unread:…`.
 */
export async function sendPart(
  api: Api,
  to: Address,
  part: Part,
  signal: AbortSignal,
  files?: FilesToSend,
): Promise<string> {
  const { phone_number_id, ...recipient } = addressSchema.safeParse(to).data ?? nowhere();
  const send = (call: JsonObject) =>
    post(api, phone_number_id, { recipient_type: "individual", ...recipient, ...call }, signal);
  const answer = await withUpload(api, phone_number_id, callOf(part), files, signal, send);
  return sentSchema.safeParse(answer).data?.messages[0]?.id ?? `unread:${crypto.randomUUID()}`;
}

/**
 * Sends a one-time code by an authentication template. Meta writes its text, and its button copies the code.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/authentication-templates
 */
export async function sendCodeTemplate(
  api: Api,
  to: Address,
  { name, language }: { readonly name: string; readonly language: string },
  code: string,
  signal: AbortSignal,
): Promise<void> {
  const { phone_number_id, ...recipient } = addressSchema.safeParse(to).data ?? nowhere();
  const parameters = [{ type: "text", text: code }];
  const components = [
    { type: "body", parameters },
    { type: "button", sub_type: "url", index: "0", parameters },
  ];
  const template = { name, language: { code: language }, components };
  await post(
    api,
    phone_number_id,
    { recipient_type: "individual", ...recipient, type: "template", template },
    signal,
  );
}

/** Marks a customer's message as read and shows typing, for 25 seconds or until the reply. */
export async function showTyping(
  api: Api,
  to: Address,
  message_id: string,
  signal: AbortSignal,
): Promise<void> {
  const { phone_number_id } = addressSchema.safeParse(to).data ?? nowhere();
  await post(
    api,
    phone_number_id,
    { status: "read", message_id, typing_indicator: { type: "text" } },
    signal,
  );
}

function nowhere(): never {
  throw new HubError("rejected", "the address is not one of WhatsApp", { reason: "bad_address" });
}

/** Makes a call for one of our numbers and returns the Graph API's answer; undefined for a success that is no JSON. */
function post(api: Api, number: string, call: object, signal: AbortSignal): Promise<unknown> {
  const body = JSON.stringify({ messaging_product: "whatsapp", ...call });
  return postTo(api, `${encodeURIComponent(number)}/messages`, body, signal);
}

/** As `post`, to any path of the Graph API; a form is sent as one. */
export function postTo(
  api: Api,
  path: string,
  body: string | FormData,
  signal: AbortSignal,
): Promise<unknown> {
  return ask(api, path, { method: "POST", body }, signal);
}

/** Reads something of the Graph API; undefined for a success that is no JSON. Throws as a message that is not sent. */
export function getJson(api: Api, path: string, signal: AbortSignal): Promise<unknown> {
  return ask(api, path, { method: "GET" }, signal);
}

async function ask(
  api: Api,
  path: string,
  request: { readonly method: string; readonly body?: string | FormData },
  signal: AbortSignal,
): Promise<unknown> {
  const response = await fetch(`${api.root}/${api.version}/${path}`, {
    ...request,
    headers: {
      authorization: `Bearer ${api.token}`,
      ...(!(request.body instanceof FormData) && { "content-type": "application/json" }),
    },
    redirect: "manual",
    signal,
  }).catch(() => unreachable(signal));
  const answer: unknown = await response.json().catch(() => undefined);
  const error = answerSchema.safeParse(answer).data?.error;
  if (!response.ok || error) fail(response, error?.code);
  return answer;
}

/** Throws `unavailable` without a cause, because a runtime's error may quote the request's headers. */
function unreachable(signal: AbortSignal): never {
  const reason = signal.aborted ? "timeout" : "network";
  throw new HubError("unavailable", "the Graph API did not answer", { reason });
}

/**
 * Throws the hub's error for a refusal. It keeps only the platform's code, because the message may quote the customer.
 */
function fail({ status, headers }: Response, code: number | undefined): never {
  const reason = code === undefined ? `http_${status}` : String(code);
  const message = `the Graph API refused with ${reason}`;
  const known = code !== undefined && TOO_FAST.has(code);
  if (known || status === 429) {
    const retryAfterMs = waitIn(headers) ?? (known ? TOO_FAST.get(code) : undefined);
    throw new HubError(
      "throttled",
      message,
      retryAfterMs === undefined ? { reason } : { reason, retryAfterMs },
    );
  }
  if ((code !== undefined && DOWN.has(code)) || isPassing(status))
    throw new HubError("unavailable", message, { reason });
  throw new HubError("rejected", message, { reason });
}

/**
 * Whether a status may pass: redirects (a wrong root), an unknown token, a request that took too long, failures of
 * Meta.
 */
function isPassing(status: number): boolean {
  return (status >= 300 && status < 400) || status === 401 || status === 408 || status >= 500;
}

function waitIn(headers: Headers): number | undefined {
  const seconds = headers.get("retry-after")?.trim() ?? "";
  return /^\d{1,5}$/.test(seconds) ? Number(seconds) * 1000 : undefined;
}
