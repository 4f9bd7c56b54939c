import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { adminOf, callerOf } from "../auth.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import type { App, AppOptions } from "../request.ts";
import { sessionSchema, viewSession } from "../shapes.ts";
import { identitiesIn, identityFields, phoneInQuery } from "./identities.ts";
import { counted } from "./lookups.ts";

/** Registers `GET /api/sessions`: finds a customer's sessions for an operator, and changes nothing. */
export function addFind(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "get",
    path: "/api/sessions",
    tags: ["Operation"],
    summary: "Look a customer's sessions up",
    description:
      "With an admin key, by exactly one of the parameters. Reads only: no expiry slides, no channel is appended, no token " +
      "is made. The active session comes first, then the newest; at most 20, without merged ones.",
    security: security.key,
    request: {
      query: z.object({
        phone: identityFields.phone.optional(),
        telegram_chat_id: identityFields.telegram_chat_id.optional(),
        whatsapp_user_id: identityFields.whatsapp_user_id.optional(),
        customer_id: z.string().min(1).max(128).optional(),
      }),
    },
    responses: {
      200: json(
        "The sessions; an empty list when there is none.",
        z.object({ sessions: z.array(sessionSchema) }),
      ),
      ...problems("malformed", "unauthorized", "forbidden"),
    },
  });
  app.openapi(route, async (c) => {
    const { headers } = c.req.raw;
    await adminOf(headers, options.keys);
    const caller = await callerOf(headers, options.keys);
    const { customer_id, ...given } = phoneInQuery(c.req.valid("query"));
    const identities = identitiesIn(given, options.country);
    if (Object.keys(identities).length + (customer_id === undefined ? 0 : 1) !== 1)
      throw new HubError(
        "malformed",
        "query: exactly one of phone, telegram_chat_id, whatsapp_user_id and customer_id is needed",
      );
    const hub = c.var.exchange.hub();
    const ask = () =>
      hub.store.sessions.find(customer_id === undefined ? { identities } : { customer_id }, hub.now());
    const found = await counted(c, caller, ask, ({ length }) => (length > 0 ? "found" : "none"));
    return c.json({ sessions: found.map(viewSession) }, 200);
  });
}
