import { createRoute, z } from "@hono/zod-openapi";
import { strictReplySchema } from "../../core/content/reply.ts";
import { deliver } from "../../core/deliver/deliver.ts";
import { HubError } from "../../core/errors.ts";
import type { Identities } from "../../core/identity/identity.ts";
import { phoneOf } from "../../core/identity/phone.ts";
import { applyEffects, runInBackground } from "../../core/receive/effects.ts";
import { sha256Hex } from "../../core/signature.ts";
import { adminOf, botOf } from "../../http/auth.ts";
import { jsonBody } from "../../http/body.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { tellReplayed } from "../../http/idempotency.ts";
import { type App, type AppOptions, channelName, type HttpContext } from "../../http/request.ts";
import { customerId } from "../../http/sessions/identities.ts";
import { featuresOf } from "../features.ts";
import { PURPOSES } from "../opt-outs/opt-out.ts";
import type { Recipient } from "./dispatch.ts";
import { placeDispatches } from "./place.ts";
import { renderEverywhere } from "./render.ts";
import { dispatchSchema, viewDispatch } from "./view.ts";

const BODY_BYTES = 262_144;
/** How far ahead a message may be planned. */
const LATEST_MS = 366 * 86_400_000;
/** Kinds that are about an earlier message of a conversation. */
const ANSWERS = ["reaction", "edit", "delete", "typing", "pin"];

const when = z.iso
  .datetime({ offset: true, error: "must be an instant such as 2026-11-21T18:00:00Z" })
  .optional()
  .openapi({ type: "string", format: "date-time" });

const toSchema = z
  .union(
    [
      z.strictObject({ session_id: z.uuid() }),
      z.strictObject({ customer_id: customerId }),
      z.strictObject({ phone: z.string().min(3).max(64) }),
      z.strictObject({
        telegram_chat_id: z.string().regex(/^[1-9]\d{0,18}$/, "must be the id of a private chat"),
      }),
    ],
    "must be one of session_id, customer_id, phone and telegram_chat_id",
  )
  .openapi({
    description:
      "`customer_id` is the shop's, or the `customer_key`. A phone or a chat that nobody holds makes a new customer: with it the shop says " +
      "that they are its customer's.",
  });

function bodySchema(options: AppOptions) {
  return z
    .strictObject({
      to: toSchema,
      channel: z
        .union([z.literal("best"), channelName(options)])
        .default("best")
        .openapi({
          description:
            "`best`: where the customer can be reached now, the one they used last first; if that fails for good, the next.",
        }),
      content: strictReplySchema
        .refine(({ kind }) => !ANSWERS.includes(kind), "must be of a kind that stands alone")
        .openapi("StrictReply"),
      purpose: z.enum(PURPOSES).optional().openapi({
        description: "For opt-outs. Absent: `marketing` for a template of that category, else `service`.",
      }),
      idempotency_key: z
        .string()
        .regex(/^[!-~]{1,255}$/, "must be 1 to 255 visible ASCII characters")
        .openapi({
          description: "For 90 days the same key of the same API key with the same body is the same message.",
        }),
      not_before: when,
      expires_at: when,
    })
    .openapi({
      example: {
        to: { customer_id: "103" },
        channel: "best",
        content: { kind: "text", text: "Your order is ready." },
        idempotency_key: "order-7-ready",
      },
    });
}

/** Registers `POST /api/messages`, `GET /api/messages/{id}` and its cancelling: messages that the shop sends first. */
export function addDispatches(app: App, options: AppOptions): void {
  const shared = { tags: ["Messages"], security: security.key };
  const send = createRoute({
    ...shared,
    method: "post",
    path: "/api/messages",
    summary: "Send a message first",
    description:
      "With an admin or a bot's key. The message is saved before the answer, and then sent as replies are. It goes to nobody who has " +
      "opted out or blocked the shop. docs/messages.md says how the channel is chosen.",
    middleware: jsonBody(BODY_BYTES),
    request: { body: { required: true, content: { "application/json": { schema: bodySchema(options) } } } },
    responses: {
      201: json("It is saved.", dispatchSchema),
      ...problems(
        "malformed",
        "unauthorized",
        "forbidden",
        "not_found",
        "phone_ambiguous",
        "idempotency_conflict",
        "needs_database",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });
  app.openapi(send, async (c) => {
    const actor = await senderOf(c, options);
    const body = c.req.valid("json");
    const hub = c.var.exchange.hub();
    const { dispatches } = featuresOf(hub);
    const { to, channel, content, idempotency_key } = body;
    const { not_before, expires_at } = timesOf(body, hub.now());
    const channels = channel === "best" ? undefined : [channel];
    const recipient = recipientOf(to, options);
    const identities = "identities" in recipient ? recipient.identities : {};
    const isMarketing = content.kind === "template" && content.category === "marketing";
    const { dispatch, replayed, effects } = await dispatches.send(
      {
        to: recipient,
        purpose: body.purpose ?? (isMarketing ? "marketing" : "service"),
        ...(channels && { channels }),
        renderings: await renderEverywhere(hub, content, channels, identities),
        ...(not_before && { not_before }),
        ...(expires_at && { expires_at }),
      },
      { actor, now: hub.now(), idempotency_key, body_hash: await sha256Hex(JSON.stringify(body)) },
    );
    const { deliveries = [], ...rest } = effects;
    applyEffects(hub, dispatch.session_id, rest);
    if (dispatch.session_id !== undefined) {
      c.var.exchange.facts.session_id = dispatch.session_id;
      if (!replayed) hub.live.publish(dispatch.session_id, { type: "messages" });
    }
    if (deliveries.length > 0) {
      // The next channel is tried at once when this one refuses.
      const sent = deliver(hub, deliveries).then(() => placeDispatches(hub));
      runInBackground(hub, "dispatch.not_sent", sent);
    }
    tellReplayed(c, replayed);
    return c.json(viewDispatch(dispatch), 201);
  });

  const get = createRoute({
    ...shared,
    method: "get",
    path: "/api/messages/{id}",
    summary: "Where a message is that was sent first",
    description: "With an admin or a bot's key.",
    request: { params: z.object({ id: z.uuid() }) },
    responses: {
      200: json("The message.", dispatchSchema),
      ...problems("malformed", "unauthorized", "forbidden", "not_found", "needs_database"),
    },
  });
  app.openapi(get, async (c) => {
    await senderOf(c, options);
    const { dispatches } = featuresOf(c.var.exchange.hub());
    return c.json(viewDispatch(await dispatches.get(c.req.valid("param").id.toLowerCase())), 200);
  });

  const cancel = createRoute({
    ...shared,
    method: "post",
    path: "/api/messages/{id}/cancel",
    summary: "Cancel a message that was sent first",
    description:
      "With an admin or a bot's key. Ends a message of which nothing is on its way: one that waits for `not_before`, for its next channel, for its " +
      "customer to write, or behind other messages. It is in the audit. 409 when it is too late: a message is sent or cancelled, never both. The " +
      "same call again changes nothing.",
    request: { params: z.object({ id: z.uuid() }) },
    responses: {
      200: json("It is cancelled: `failed`, with the reason `cancelled`.", dispatchSchema),
      ...problems(
        "malformed",
        "unauthorized",
        "forbidden",
        "not_found",
        "illegal_transition",
        "needs_database",
      ),
    },
  });
  app.openapi(cancel, async (c) => {
    const actor = await senderOf(c, options);
    const hub = c.var.exchange.hub();
    const id = c.req.valid("param").id.toLowerCase();
    const cancelled = await featuresOf(hub).dispatches.cancel(id, { actor, now: hub.now() });
    const { session_id, message_id } = cancelled;
    if (session_id !== undefined && message_id !== undefined)
      hub.live.publish(session_id, { type: "status", message_id, status: "failed" });
    return c.json(viewDispatch(cancelled), 200);
  });
}

async function senderOf(c: HttpContext, { keys }: AppOptions): Promise<string> {
  const { headers } = c.req.raw;
  return (await botOf(headers, keys)) ?? adminOf(headers, keys);
}

function recipientOf(to: z.infer<typeof toSchema>, { country }: AppOptions): Recipient {
  if ("session_id" in to) return { session_id: to.session_id.toLowerCase() };
  if ("customer_id" in to) return { customer_id: String(to.customer_id) };
  const identities: Identities =
    "phone" in to ? { phone: phoneOf(to.phone, country) } : { telegram_chat_id: to.telegram_chat_id };
  return { identities };
}

function timesOf(
  body: { not_before?: string | undefined; expires_at?: string | undefined },
  now: Date,
): { not_before: Date | undefined; expires_at: Date | undefined } {
  const not_before = body.not_before === undefined ? undefined : new Date(body.not_before);
  const expires_at = body.expires_at === undefined ? undefined : new Date(body.expires_at);
  if (not_before && not_before.getTime() > now.getTime() + LATEST_MS)
    throw new HubError("malformed", "not_before: must be within a year");
  if (not_before && expires_at && expires_at <= not_before)
    throw new HubError("malformed", "expires_at: must be after not_before");
  return { not_before, expires_at };
}
