import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { opened } from "../../core/receive/effects.ts";
import { callerOf, mintToken } from "../auth.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { type App, type AppOptions, channelName } from "../request.ts";
import { sessionSchema } from "../shapes.ts";
import { identitiesIn, identityFields, isKiosk, onlyClaims } from "./identities.ts";
import { present } from "./present.ts";

/** Registers `GET /session/restore`: a session found again, by its token or by a vouched identity. */
export function addRestore(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "get",
    path: "/session/restore",
    tags: ["Sessions"],
    summary: "Find a session again",
    description:
      "By the device's token; or, with an API key, by `phone` or `telegram_chat_id`, which gives the device a new " +
      "token. Slides the expiry and appends `channel` to the session's channels. Unless KIOSK_PHONE_POLICY is `trust`, a " +
      "kiosk's key finds only sessions that nobody has verified; others are `verification_required`.",
    security: [...security.token, { apiKey: [] }],
    request: {
      query: z.object({
        channel: channelName(options).optional(),
        phone: identityFields.phone.optional(),
        telegram_chat_id: identityFields.telegram_chat_id.optional(),
      }),
    },
    responses: {
      200: json(
        "The session; with a token only where it was found without one.",
        z.object({ session_token: z.string().optional(), session: sessionSchema }),
      ),
      ...problems(
        "malformed",
        "phone_ambiguous",
        "unauthorized",
        "verification_required",
        "session_not_found",
        "session_expired",
      ),
    },
  });

  app.openapi(route, async (c) => {
    const query = c.req.valid("query");
    const caller = await callerOf(c.req.raw.headers, options.keys);
    if (query.channel) c.var.exchange.facts.channel = query.channel;
    const hub = c.var.exchange.hub();
    if (caller.token_hash) {
      const { token_hash } = caller;
      const session = opened(hub, await hub.store.sessions.restore({ token_hash }, query.channel, hub.now()));
      return c.json({ session: present(c, token_hash, session) }, 200);
    }
    if (!caller.scopes) throw new HubError("unauthorized", "a session token or an API key is needed");
    // A plus sign that nobody escaped arrives as a space.
    const identities = identitiesIn(
      { ...query, phone: query.phone?.replace(/^ (?=\d)/, "+") },
      options.country,
    );
    if (Object.keys(identities).length === 0)
      throw new HubError("malformed", "query: phone or telegram_chat_id is needed beside an API key");
    const claimed = onlyClaims(caller, query, options);
    const { session_token, token_hash } = await mintToken();
    const channel = query.channel ?? (isKiosk(caller) ? "kiosk" : undefined);
    const who = { token_hash, identities, ...(claimed && { claimed }) };
    const session = opened(hub, await hub.store.sessions.restore(who, channel, hub.now()));
    return c.json({ session_token, session: present(c, token_hash, session) }, 200);
  });
}
