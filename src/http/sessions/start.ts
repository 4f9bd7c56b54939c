import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { opened } from "../../core/receive/effects.ts";
import type { Session } from "../../core/sessions/session.ts";
import { callerOf, mintToken } from "../auth.ts";
import { jsonBody } from "../body.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { type App, type AppOptions, boundsOf, channelName } from "../request.ts";
import { sessionSchema } from "../shapes.ts";
import { clientDocument, documentSchema } from "./document.ts";
import { customerId, identitiesIn, identityBody, onlyClaims } from "./identities.ts";
import { counted } from "./lookups.ts";
import { conflicts, present } from "./present.ts";
import { customerOfPage, publicPageBody } from "./public-pages.ts";

/** Registers `POST /session/start`: opens or restores a session, and gives the device a token. */
export function addStart(app: App, options: AppOptions): void {
  const bounds = boundsOf(options);
  const route = createRoute({
    method: "post",
    path: "/session/start",
    tags: ["Sessions"],
    summary: "Begin a session",
    description:
      "With an API key, `phone`, `telegram_chat_id` and `whatsapp_user_id` identify the customer: their active session " +
      "is restored, or a new one opens. `customer_id` is the shop's own id of the customer: it finds the customer if no " +
      "identity does, and is saved for the customer who is found; `conflicts` says if it contradicts what is known. " +
      "Without a key these four fields are refused, and a new anonymous session opens; where the hub has a public id, a " +
      "page must give it as `public_id`, and may give a customer whom the shop's server has signed, as `identity`. " +
      "A kiosk's key is trusted only if KIOSK_PHONE_POLICY is `trust`. Otherwise it can open a session for a new phone " +
      "only; for other phones the answer is `verification_required`, and the owner must verify the phone by " +
      "`/session/verify`, `/auth/login` or `/session/link`. Every call gives the device a token of its own.",
    security: [...security.key, ...security.nobody],
    middleware: jsonBody(bounds.bodyBytes),
    request: {
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z.strictObject({
              channel: channelName(options),
              ...identityBody,
              customer_id: customerId.nullish().openapi({
                description: "The shop's own id of the customer, stored as text.",
              }),
              data: documentSchema.nullish(),
              ...publicPageBody,
            }),
          },
        },
      },
    },
    responses: {
      200: json(
        "The session, and the device's token, which is shown only here.",
        z.object({ session_token: z.string(), session: sessionSchema, conflicts }),
      ),
      ...problems(
        "malformed",
        "phone_ambiguous",
        "unauthorized",
        "forbidden",
        "verification_required",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });

  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    const caller = await callerOf(c.req.raw.headers, options.keys);
    const trusted = identitiesIn(body, options.country);
    const isTrusted = Object.keys(trusted).length > 0;
    if (!caller.scopes && (isTrusted || body.customer_id != null))
      throw new HubError(
        "unauthorized",
        "phone, telegram_chat_id, whatsapp_user_id and customer_id need an API key",
      );
    if (caller.scopes && (body.public_id !== undefined || body.identity))
      throw new HubError("malformed", "public_id: is for pages without an API key");
    const signed = caller.scopes
      ? undefined
      : await customerOfPage(options, c.req.raw, body, c.var.exchange.hub().now());
    const customer_id = signed ?? (body.customer_id == null ? undefined : String(body.customer_id));
    const namesSomebody = isTrusted || customer_id !== undefined;
    c.var.exchange.facts.channel = body.channel;
    const { session_token, token_hash } = await mintToken();
    const open = async () => {
      const claimed = onlyClaims(caller, body, options);
      if (claimed && body.channel !== "kiosk")
        throw new HubError("forbidden", "channel: a kiosk's key opens sessions of the channel kiosk");
      const hub = c.var.exchange.hub();
      const start = {
        identities: namesSomebody ? trusted : { visitor_id: crypto.randomUUID() },
        channel: body.channel,
        ...(customer_id !== undefined && { customer_id }),
        ...(body.data && { data: clientDocument("data", body.data, bounds.documentBytes) }),
        token_hash,
        ...(claimed && isTrusted && { claimed }),
      };
      return opened(hub, await hub.store.sessions.start(start, hub.now()));
    };
    const session = namesSomebody ? await counted(c, caller, open, wasThere) : await open();
    return c.json({ session_token, ...present(c, token_hash, session) }, 200);
  });
}

/** Whether the session existed before the call. A new session has version 1 and no later activity. */
function wasThere({ created_at, last_activity, version }: Session): "found" | "none" {
  return version === 1 && created_at.getTime() === last_activity.getTime() ? "none" : "found";
}
