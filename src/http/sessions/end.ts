import { createRoute, z } from "@hono/zod-openapi";
import { tokenOf } from "../auth.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import type { App, AppOptions } from "../request.ts";
import { sessionSchema, viewSession } from "../shapes.ts";

/** Registers `POST /session/end`, for every channel, and `POST /session/signout`, for one device. */
export function addEnd(app: App, options: AppOptions): void {
  const end = createRoute({
    method: "post",
    path: "/session/end",
    tags: ["Sessions"],
    summary: "End a session",
    description: "On every channel; all its tokens die. It stays readable in the history.",
    security: security.token,
    responses: {
      200: json("The session as it ended.", z.object({ session: sessionSchema })),
      ...problems("unauthorized", "session_not_found", "session_expired"),
    },
  });
  app.openapi(end, async (c) => {
    const token_hash = await tokenOf(c.req.raw.headers, options.keys);
    const { exchange } = c.var;
    const hub = exchange.hub();
    const { session, token_hashes } = await hub.store.sessions.end(token_hash, hub.now());
    exchange.facts.session_id = session.session_id;
    void exchange.later(hub.cache.drop([...new Set([token_hash, ...token_hashes])]));
    return c.json({ session: viewSession(session) }, 200);
  });

  const signout = createRoute({
    method: "post",
    path: "/session/signout",
    tags: ["Sessions"],
    summary: "Sign this device out",
    description: "Its token dies, the session lives on. Signing out twice is no error.",
    security: security.token,
    responses: {
      200: json("Whether the token was still alive.", z.object({ signed_out: z.boolean() })),
      ...problems("unauthorized"),
    },
  });
  app.openapi(signout, async (c) => {
    const token_hash = await tokenOf(c.req.raw.headers, options.keys);
    const { exchange } = c.var;
    const hub = exchange.hub();
    const signed_out = await hub.store.sessions.signOut(token_hash, hub.now());
    void exchange.later(hub.cache.drop([token_hash]));
    return c.json({ signed_out }, 200);
  });
}
