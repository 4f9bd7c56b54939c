import { createRoute, z } from "@hono/zod-openapi";
import { toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import type { Closing } from "../../core/sessions/rating.ts";
import type { Session, SessionRef } from "../../core/sessions/session.ts";
import { tokenOf } from "../auth.ts";
import { optionalJsonBody } from "../body.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { type App, type AppOptions, boundsOf, type HttpContext } from "../request.ts";
import { sessionSchema, viewSession } from "../shapes.ts";
import { ratingFields } from "./rating.ts";

/** Registers `POST /session/end`, for every channel, and `POST /session/signout` (`/auth/logout`), for one device. */
export function addEnd(app: App, options: AppOptions): void {
  const end = createRoute({
    method: "post",
    path: "/session/end",
    tags: ["Sessions"],
    summary: "End a session",
    description:
      "Ends it on every channel; all its tokens die, but may still rate the session for 24 hours. Its messages stay " +
      "readable in the history. The body may be left out; a field that is left out is unchanged.",
    security: security.token,
    middleware: optionalJsonBody(boundsOf(options).bodyBytes),
    request: {
      body: {
        required: false,
        content: {
          "application/json": {
            schema: z
              .strictObject({
                summary: z
                  .string()
                  .max(4_096)
                  .optional()
                  .openapi({ description: "What the session was about." }),
                rating: ratingFields.rating.optional(),
                feedback: ratingFields.feedback.optional(),
              })
              .openapi({ example: { summary: "Two tickets for Friday", rating: 5, feedback: "Quick" } }),
          },
        },
      },
    },
    responses: {
      200: json("The session as it ended.", z.object({ session: sessionSchema })),
      ...problems(
        "malformed",
        "unauthorized",
        "session_not_found",
        "session_expired",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });
  app.openapi(end, async (c) => {
    const token_hash = await tokenOf(c.req.raw.headers, options.keys);
    const { summary, rating, feedback } = c.req.valid("json");
    const closing = {
      ...(summary !== undefined && { summary }),
      ...(rating !== undefined && { rating }),
      ...(feedback !== undefined && { feedback }),
    };
    return c.json({ session: viewSession(await ended(c, token_hash, closing)) }, 200);
  });

  const signout = createRoute({
    method: "post",
    path: "/session/signout",
    tags: ["Sessions"],
    summary: "Sign this device out",
    description: "Its token dies; the session lives on. A second call answers 200 too.",
    security: security.token,
    responses: { 200: signedOutAnswer, ...problems("unauthorized") },
  });
  app.openapi(signout, async (c) => {
    const token_hash = await tokenOf(c.req.raw.headers, options.keys);
    return c.json({ signed_out: await signedOut(c, token_hash) }, 200);
  });

  const logout = createRoute({
    method: "post",
    path: "/auth/logout",
    tags: ["Identity"],
    summary: "Sign this device out, or the customer everywhere",
    description:
      "As `/session/signout`. With `everywhere` the session ends on every channel and all its tokens die, as by " +
      "`/session/end`. The body may be left out.",
    security: security.token,
    middleware: optionalJsonBody(boundsOf(options).bodyBytes),
    request: {
      body: {
        required: false,
        content: {
          "application/json": {
            schema: z
              .strictObject({ everywhere: z.boolean().optional() })
              .openapi({ example: { everywhere: true } }),
          },
        },
      },
    },
    responses: {
      200: signedOutAnswer,
      ...problems("malformed", "unauthorized", "payload_too_large", "unsupported_media_type"),
    },
  });
  app.openapi(logout, async (c) => {
    const token_hash = await tokenOf(c.req.raw.headers, options.keys);
    const { everywhere } = c.req.valid("json");
    const signed_out = everywhere ? await endedEverywhere(c, token_hash) : await signedOut(c, token_hash);
    return c.json({ signed_out }, 200);
  });
}

const signedOutAnswer = json("Whether the token was still alive.", z.object({ signed_out: z.boolean() }));

/** Ends the token of one device, and closes its connections. False if the token was not alive. */
async function signedOut(c: HttpContext, token_hash: string): Promise<boolean> {
  const { exchange } = c.var;
  const hub = exchange.hub();
  const session_id = await sessionOf(hub, { token_hash });
  const signed_out = await hub.store.sessions.signOut(token_hash, hub.now());
  if (session_id) hub.live.publish(session_id, { type: "closed", token_hash });
  void exchange.later(hub.cache.drop({ token_hashes: [token_hash] }));
  return signed_out;
}

/** Ends the session of a token on every channel, and closes its connections. Throws as `Sessions.end`. */
async function ended(c: HttpContext, token_hash: string, closing: Closing): Promise<Session> {
  const { exchange } = c.var;
  const hub = exchange.hub();
  const { session, token_hashes } = await hub.store.sessions.end(token_hash, hub.now(), closing);
  exchange.facts.session_id = session.session_id;
  const gone = {
    token_hashes: [...new Set([token_hash, ...token_hashes])],
    session_ids: [session.session_id],
  };
  void exchange.later(hub.cache.drop(gone));
  hub.live.publish(session.session_id, { type: "closed" });
  return session;
}

/** As `ended`. False if the token opens no session any more. */
async function endedEverywhere(c: HttpContext, token_hash: string): Promise<boolean> {
  try {
    await ended(c, token_hash, {});
    return true;
  } catch (error) {
    if (isOver(error)) return false;
    throw error;
  }
}

function isOver(error: unknown): boolean {
  const { code } = toHubError(error);
  return code === "session_not_found" || code === "session_expired";
}

/** The id of the session that a token or an id opens; undefined if there is none or it is over. */
export async function sessionOf({ store, now }: Hub, of: SessionRef): Promise<string | undefined> {
  try {
    const { session_id } = await store.sessions.messages(of, Number.MAX_SAFE_INTEGER, 1, now());
    return session_id;
  } catch (error) {
    if (isOver(error)) return undefined;
    throw error;
  }
}
