import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../core/errors.ts";
import type { Page } from "../core/sessions/sessions.ts";
import { type FileLinks, filesOf } from "../features/media/of-message.ts";
import { callerOf, tokenOf } from "./auth.ts";
import { json, security } from "./describe.ts";
import { problems } from "./errors.ts";
import { poll } from "./poll.ts";
import { type App, type AppOptions, LONGEST_WAIT_S } from "./request.ts";
import { sessionOf } from "./sessions/end.ts";
import { messageSchema, viewMessage } from "./shapes.ts";

/** The cursor after which a page of messages starts. */
export const cursorSchema = z
  .string()
  .regex(/^\d{1,16}$/, "must be a cursor of this hub")
  .default("0")
  .openapi({ description: "The cursor of the previous page. Without it: from the beginning." });

/** The mark by which a reader sees that the session has merged. */
export const epochSchema = z.string().openapi({
  description:
    "Opaque. It changes when the session merges with another one: then read the messages from the beginning again, " +
    "because some that you do not have may lie before your cursor.",
});

const paging = {
  after: cursorSchema,
  limit: z.coerce.number().int().min(1).max(200).default(50),
};

const pageSchema = z.object({
  messages: z.array(messageSchema),
  cursor: z.string().openapi({ description: "Opaque: pass it as `after`." }),
  more: z.boolean().openapi({ description: "Whether there is a next page now." }),
  epoch: epochSchema,
});

/** Registers the routes that read a session's messages: for the device with its token, and for operators. */
export function addMessages(app: App, options: AppOptions): void {
  const own = createRoute({
    method: "get",
    path: "/session/messages",
    tags: ["Messages"],
    summary: "Read the session's messages",
    description:
      "In order. With `wait` and no new message, the answer comes with the next message, or empty after `wait` seconds.",
    security: security.token,
    request: {
      query: z.object({ ...paging, wait: z.coerce.number().min(0).max(LONGEST_WAIT_S).default(0) }),
    },
    responses: {
      200: json("A page of messages.", pageSchema),
      ...problems("malformed", "unauthorized", "session_not_found", "session_expired"),
    },
  });
  app.openapi(own, async (c) => {
    const token_hash = await tokenOf(c.req.raw.headers, options.keys);
    const { after, limit, wait } = c.req.valid("query");
    const hub = c.var.exchange.hub();
    const page = await poll(
      () => hub.store.sessions.messages({ token_hash }, Number(after), limit, hub.now()),
      (seen) => seen.messages.length > 0,
      wait * 1_000,
      c.req.raw.signal,
    );
    c.var.exchange.facts.session_id = page.session_id;
    return c.json(viewPage(page, filesOf(c)), 200);
  });

  const history = createRoute({
    method: "get",
    path: "/api/sessions/{id}/messages",
    tags: ["Messages"],
    summary: "Read any session's history",
    description:
      "With an admin key: any session, in any state. With a token: its own session, also by the id of a session that was merged into it.",
    security: [...security.token, { apiKey: [] }],
    request: { params: z.object({ id: z.uuid() }), query: z.object(paging) },
    responses: {
      200: json("A page of messages.", pageSchema),
      ...problems("malformed", "unauthorized", "forbidden", "session_not_found", "session_expired"),
    },
  });
  app.openapi(history, async (c) => {
    const { id } = c.req.valid("param");
    const { after, limit } = c.req.valid("query");
    const { token_hash, scopes } = await callerOf(c.req.raw.headers, options.keys);
    const isAdmin = scopes?.has("admin") ?? false;
    if (!isAdmin && !token_hash)
      throw scopes
        ? new HubError("forbidden", "history needs an admin key")
        : new HubError("unauthorized", "history needs an admin key or the session's own token");
    const ref = isAdmin || !token_hash ? { session_id: id.toLowerCase() } : { token_hash };
    const hub = c.var.exchange.hub();
    const page = await hub.store.sessions.messages(ref, Number(after), limit, hub.now());
    const isOwn = async () => page.session_id === (await sessionOf(hub, { session_id: id.toLowerCase() }));
    if (!isAdmin && page.session_id !== id.toLowerCase() && !(await isOwn()))
      throw new HubError("forbidden", "this token belongs to another session");
    c.var.exchange.facts.session_id = page.session_id;
    return c.json(viewPage(page, filesOf(c)), 200);
  });
}

function viewPage(page: Page, files: FileLinks): z.infer<typeof pageSchema> {
  return {
    messages: page.messages.map((message) => viewMessage(message, files)),
    cursor: String(page.cursor),
    more: page.more,
    epoch: page.epoch,
  };
}
