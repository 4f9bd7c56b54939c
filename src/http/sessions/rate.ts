import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { callerOf } from "../auth.ts";
import { jsonBody } from "../body.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { type App, type AppOptions, boundsOf } from "../request.ts";
import { isUntrusted } from "./identities.ts";
import { ratingFields } from "./rating.ts";

/** Registers `POST /api/sessions/:id/rate`: a customer's rating of a session, also after its end. */
export function addRate(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "post",
    path: "/api/sessions/{id}/rate",
    tags: ["Sessions"],
    summary: "Rate a session",
    description:
      "With the session's own token, also for 24 hours after the session has ended and the token opens nothing else; or with a " +
      "web or admin key, whenever. The rating may be changed until 24 hours after the end; a session that ended longer ago " +
      "is rated once. `feedback` that is left out is unchanged, `null` removes it. A kiosk's key needs the token beside " +
      "it, unless KIOSK_PHONE_POLICY is `trust`.",
    security: [...security.token, { apiKey: [] }],
    middleware: jsonBody(boundsOf(options).bodyBytes),
    request: {
      params: z.object({ id: z.uuid() }),
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z
              .strictObject({ rating: ratingFields.rating, feedback: ratingFields.feedback.nullish() })
              .openapi({ example: { rating: 5, feedback: "Quick and friendly" } }),
          },
        },
      },
    },
    responses: {
      200: json(
        "The saved rating.",
        z.object({ session_id: z.uuid(), rating: z.int(), feedback: z.string().nullable() }),
      ),
      ...problems(
        "malformed",
        "unauthorized",
        "forbidden",
        "verification_required",
        "session_not_found",
        "session_expired",
        "rating_closed",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });
  app.openapi(route, async (c) => {
    const caller = await callerOf(c.req.raw.headers, options.keys);
    const { token_hash } = caller;
    if (!token_hash && !caller.scopes)
      throw new HubError("unauthorized", "the session's token or an API key is needed");
    if (!token_hash && isUntrusted(caller, options))
      throw new HubError("verification_required", "a kiosk's key needs the session's own token beside it");
    const { rating, feedback } = c.req.valid("json");
    const { exchange } = c.var;
    const hub = exchange.hub();
    const id = c.req.valid("param").id.toLowerCase();
    const given = { rating, ...(feedback !== undefined && { feedback }) };
    const rated = await hub.store.sessions.rate(id, token_hash, given, hub.now());
    exchange.facts.session_id = rated.session_id;
    void exchange.later(hub.cache.drop({ changed: [rated.session_id] }));
    return c.json({ ...rated, feedback: rated.feedback ?? null }, 200);
  });
}
