import { z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { phoneOf } from "../../core/identity/phone.ts";
import { type Caller, callerOf } from "../../http/auth.ts";
import { security } from "../../http/describe.ts";
import { versionOf } from "../../http/if-match.ts";
import type { AppOptions, HttpContext } from "../../http/request.ts";
import { customerId } from "../../http/sessions/identities.ts";
import { emailField } from "../customers/fields.ts";
import type { BookingOwner, BookingQuery, Changing, Making, Reader } from "./orders.ts";

// What the routes of reservations and of orders have in common. A booking is one of both.

/** The credentials of routes that write, and of those that read. */
export const writers = security.key;
export const readers = [...security.token, { apiKey: [] }];

export const WRITERS = "With a web or an admin key.";
export const OWN =
  "With a session's token: only those of its customer; before anybody has signed in only those of the session.";

const phone = z.string().min(3).max(64).nullish().openapi({ example: "+493012345678" });

/** The fields that name the customer of a booking. */
export const ownerFields = {
  session_id: z.uuid().optional().openapi({
    description: "The session it comes from, whose history shows it. Its customer is the booking's.",
  }),
  customer_id: customerId.optional().openapi({
    description: "The shop's id of the customer, or the `customer_key`. A new id makes a new customer.",
    example: "103",
  }),
  email: emailField.nullish(),
  phone,
};

/** How a booking finds its customer. */
export const LINKING =
  "The customer is that of `session_id`, else `customer_id`, else the one who holds `email` or `phone`. Contacts prove nothing here: they " +
  "give no identity to anybody, and two customers who hold one of them each are refused with `customer_conflict`. Contacts that nobody " +
  "holds make a new customer, whom the same contacts find again.";

const day = z
  .union(
    [z.iso.datetime({ offset: true }), z.iso.date()],
    "must be an instant such as 2026-11-21T18:00:00Z, or a day",
  )
  .openapi({ type: "string", format: "date-time", example: "2026-11-01T00:00:00Z" })
  .optional();

/** The query of a list. */
export const listParams = {
  customer_id: z.string().min(1).max(128).optional().openapi({
    description: "Only with an admin key: those of one customer, by `customer_id` or `customer_key`.",
  }),
  from: day,
  to: day,
  limit: z.coerce.number().int().min(1).max(200).default(50),
};

export const readingRefusals = [
  "malformed",
  "unauthorized",
  "forbidden",
  "session_not_found",
  "session_expired",
  "needs_database",
] as const;
export const writingRefusals = [
  "malformed",
  "unauthorized",
  "forbidden",
  "needs_database",
  "payload_too_large",
  "unsupported_media_type",
] as const;

/** The holder of a web or an admin key. Throws `unauthorized` and `forbidden`. */
export async function writerOf(
  c: HttpContext,
  { keys }: AppOptions,
): Promise<Caller & { readonly actor: string }> {
  const caller = await callerOf(c.req.raw.headers, keys);
  const { scopes, actor } = caller;
  if (!scopes || !actor) throw new HubError("unauthorized", "a web or an admin key is needed");
  if (!scopes.has("web")) throw new HubError("forbidden", "a web or an admin key is needed");
  return { ...caller, actor };
}

/** The reader of one booking: a web or an admin key reads each, a session's token its own. */
export async function readerOf(
  c: HttpContext,
  { keys }: AppOptions,
): Promise<{ caller: Caller; reader: Reader }> {
  const caller = await callerOf(c.req.raw.headers, keys);
  const { scopes, token_hash } = caller;
  if (scopes?.has("web")) return { caller, reader: {} };
  if (token_hash !== undefined) return { caller, reader: { token_hash } };
  throw scopes
    ? new HubError("forbidden", "a web or an admin key, or a session's token, is needed")
    : new HubError("unauthorized", "a web or an admin key, or a session's token, is needed");
}

interface ListParams {
  readonly customer_id?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Whose bookings a list shows, and from when: all of them with an admin key. Throws `unauthorized` and `forbidden`. */
export async function rangeOf(
  c: HttpContext,
  { keys }: AppOptions,
  { customer_id, from, to }: ListParams,
): Promise<Omit<BookingQuery<never>, "status">> {
  const { scopes, token_hash } = await callerOf(c.req.raw.headers, keys);
  const isAdmin = scopes?.has("admin") ?? false;
  if (!isAdmin && token_hash === undefined)
    throw scopes
      ? new HubError("forbidden", "an admin key or a session's token is needed")
      : new HubError("unauthorized", "an admin key or a session's token is needed");
  if (!isAdmin && customer_id !== undefined)
    throw new HubError("forbidden", "customer_id needs an admin key");
  const of = isAdmin ? customer_id !== undefined && { customer_id } : { token_hash: token_hash! };
  return {
    ...(of && { of }),
    ...(from !== undefined && { from: new Date(from) }),
    ...(to !== undefined && { to: new Date(to) }),
  };
}

interface GivenOwner {
  readonly session_id?: string | undefined;
  readonly customer_id?: string | number | undefined;
  readonly phone?: string | null | undefined;
}

/** The fields of a booking's owner in the store's spelling. Throws `phone_ambiguous` and `malformed`. */
export function ownerOf(
  { session_id, customer_id, phone }: GivenOwner,
  { country }: AppOptions,
): BookingOwner {
  return {
    ...(session_id !== undefined && { session_id: session_id.toLowerCase() }),
    ...(customer_id !== undefined && { customer_id: String(customer_id) }),
    ...(phone != null && { phone: phoneOf(phone, country) }),
  };
}

/** The writer, the time and the `Idempotency-Key`. */
export function making(
  c: HttpContext,
  actor: string,
  headers: { "Idempotency-Key"?: string | undefined },
): Making {
  const key = headers["Idempotency-Key"];
  return { actor, now: c.var.exchange.hub().now(), ...(key !== undefined && { idempotency_key: key }) };
}

/** The writer, the time, and the version in `If-Match`. */
export function changing(c: HttpContext, actor: string, headers: Parameters<typeof versionOf>[0]): Changing {
  const if_version = versionOf(headers);
  return { actor, now: c.var.exchange.hub().now(), ...(if_version !== undefined && { if_version }) };
}

/** Tells the devices of a session that its history has a new event. */
export function publishEvent(c: HttpContext, session_id: string | undefined): void {
  if (session_id === undefined) return;
  c.var.exchange.facts.session_id = session_id;
  c.var.exchange.hub().live.publish(session_id, { type: "messages" });
}
