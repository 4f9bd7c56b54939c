import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { opened } from "../../core/receive/effects.ts";
import type { StartSession } from "../../core/sessions/sessions.ts";
import { callerOf, mintToken } from "../auth.ts";
import { jsonBody } from "../body.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { type App, type AppOptions, boundsOf, channelName } from "../request.ts";
import { sessionSchema } from "../shapes.ts";
import { clientDocument, documentSchema } from "./document.ts";
import { identitiesIn, identityFields, onlyClaims } from "./identities.ts";
import { present } from "./present.ts";

/** Registers `POST /session/start`: a device's session and its token. */
export function addStart(app: App, options: AppOptions): void {
  const bounds = boundsOf(options);
  const route = createRoute({
    method: "post",
    path: "/session/start",
    tags: ["Sessions"],
    summary: "Begin a session",
    description:
      "With an API key, `phone` and `telegram_chat_id` say who the customer is: their active session is restored, else a " +
      "new one opens. `customer_id` finds none: it is the shop's own label, by which data is exported and erased, and sent " +
      "again it replaces the one before. Without a key these three are refused, and a new anonymous session opens. " +
      "A kiosk's key vouches only where KIOSK_PHONE_POLICY is `trust`; else it opens a session for a phone that is new, " +
      "and `verification_required` says that this phone's owner must prove it: by `/session/verify`, `/auth/login` or " +
      "`/session/link`. Every call gives the device a token of its own. Unknown fields are ignored.",
    security: [...security.key, ...security.nobody],
    middleware: jsonBody(bounds.bodyBytes),
    request: {
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z.object({
              channel: channelName(options),
              phone: identityFields.phone.nullish(),
              telegram_chat_id: z.union([identityFields.telegram_chat_id, z.int()]).nullish(),
              customer_id: z
                .union([z.string().min(1).max(128), z.int()])
                .nullish()
                .openapi({
                  description: "The shop's own label of the session, kept as text. It finds no session.",
                }),
              data: documentSchema.nullish(),
            }),
          },
        },
      },
    },
    responses: {
      200: json(
        "The session, and the device's token, which is shown only here.",
        z.object({ session_token: z.string(), session: sessionSchema }),
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
        "phone, telegram_chat_id and customer_id need an API key to vouch for them",
      );
    const claimed = onlyClaims(caller, body, options);
    if (claimed && body.channel !== "kiosk")
      throw new HubError("forbidden", "channel: a kiosk's key opens sessions of the channel kiosk");
    c.var.exchange.facts.channel = body.channel;
    const { session_token, token_hash } = await mintToken();
    const hub = c.var.exchange.hub();
    const start: StartSession = {
      identities: isTrusted ? trusted : { visitor_id: crypto.randomUUID() },
      channel: body.channel,
      ...(body.customer_id != null && { customer_id: String(body.customer_id) }),
      ...(body.data && { data: clientDocument("data", body.data, bounds.documentBytes) }),
      token_hash,
      ...(claimed && isTrusted && { claimed }),
    };
    const session = opened(hub, await hub.store.sessions.start(start, hub.now()));
    return c.json({ session_token, session: present(c, token_hash, session) }, 200);
  });
}
