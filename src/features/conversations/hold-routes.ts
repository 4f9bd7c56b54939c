import { createRoute, z } from "@hono/zod-openapi";
import { answer } from "../../core/answer/answer.ts";
import { runInBackground } from "../../core/receive/effects.ts";
import { jsonBody, optionalJsonBody } from "../../http/body.ts";
import { json } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { ifMatch, versionOf } from "../../http/if-match.ts";
import type { App, HttpContext } from "../../http/request.ts";
import { atDesk, BODY_BYTES, conversationParams, refusals, shared } from "./at-desk.ts";
import type { Holding } from "./conversation.ts";
import { conversationSchema, presenceSchema, viewConversation } from "./shape.ts";

const from = z
  .uuid()
  .optional()
  .openapi({ description: "The colleague from whom it is taken: without it a colleague's stays theirs." });
const holds = ["not_found", "conversation_taken", "version_conflict", "unsupported_media_type"] as const;

/** Registers what changes the holder of a conversation, and where people of the shop look. */
export function addHolding(app: App): void {
  addAction(app, "take", {
    summary: "Take a conversation over",
    description:
      "From the bot, or from nobody yet: the caller has it from now on, and what the bot was answering is dropped. Of two at once one has " +
      "it; the other gets `conversation_taken`, which names the winner.",
    fields: { from },
  });
  addAction(app, "assign", {
    summary: "Give a conversation to a colleague",
    description: "`to` has it from now on; with `null` nobody has it yet.",
    fields: { to: z.uuid().nullable(), from },
    example: { to: null },
    refuses: ["illegal_transition"],
  });
  addAction(app, "give-back", {
    summary: "Give a conversation back to the bot",
    description: "The bot answers what nobody has answered yet, unless `ask` is false.",
    fields: { ask: z.boolean().optional(), from },
    refuses: ["illegal_transition"],
  });
  addAction(app, "close", {
    summary: "Close a conversation",
    description: "The bot has it again, and is asked with the customer's next message only.",
    fields: { from },
    refuses: ["illegal_transition"],
  });
  addAction(app, "snooze", {
    summary: "Put a conversation away for a time",
    description: "Until then, or until the customer writes. With `null` it is back at once.",
    fields: { until: z.iso.datetime({ offset: true }).nullable() },
    example: { until: "2026-12-01T09:00:00Z" },
    refuses: ["illegal_transition"],
  });
  addAction(app, "seen", {
    summary: "Mark a conversation as read",
    description: "It has no unread messages.",
    fields: {},
  });
  addPresence(app);
}

type Action = "take" | "assign" | "give-back" | "close" | "snooze" | "seen";

function addAction(
  app: App,
  action: Action,
  {
    summary,
    description,
    fields,
    example,
    refuses = [],
  }: {
    readonly summary: string;
    readonly description: string;
    readonly fields: z.ZodRawShape;
    readonly example?: object;
    readonly refuses?: readonly "illegal_transition"[];
  },
): void {
  const route = createRoute({
    ...shared,
    method: "post",
    path: `/api/conversations/{id}/${action}`,
    summary,
    description: `${description} With \`If-Match\` only at that version.`,
    middleware: example ? jsonBody(BODY_BYTES) : optionalJsonBody(BODY_BYTES),
    request: {
      params: conversationParams,
      headers: ifMatch,
      body: {
        required: example !== undefined,
        content: {
          "application/json": { schema: z.strictObject(fields).openapi({ example: example ?? {} }) },
        },
      },
    },
    responses: {
      200: json("The conversation after that.", conversationSchema),
      ...problems(...refusals, ...holds, ...refuses),
    },
  });
  app.openapi(route, async (c) => {
    const { conversations, at } = await atDesk(c);
    const if_version = versionOf(c.req.valid("header"));
    const holding = {
      ...holdingOf(action, c.req.valid("json") as Record<string, unknown>),
      ...(if_version !== undefined && { if_version }),
    };
    const { conversation, session_id, turn } = await conversations.hold(at, c.req.valid("param").id, holding);
    if (action !== "seen" && action !== "snooze") publishHolder(c, session_id);
    if (turn) void c.var.exchange.later(answer(c.var.exchange.hub(), turn));
    c.header("ETag", `"${conversation.version}"`);
    return c.json(viewConversation(conversation), 200);
  });
}

function holdingOf(action: Action, { from, to, ask, until }: Record<string, unknown>): Holding {
  const other = from === undefined ? {} : { from: (from as string).toLowerCase() };
  switch (action) {
    case "assign":
      return { action, ...(to !== null && { to: to as string }), ...other };
    case "give-back":
      return { action: "give_back", ...(ask !== undefined && { ask: ask as boolean }), ...other };
    case "snooze":
      return { action, ...(until !== null && { until: new Date(until as string) }) };
    default:
      return { action, ...other };
  }
}

/** Tells the customer's devices and the cache who has the conversation now. */
export function publishHolder(c: HttpContext, session_id: string | undefined): void {
  if (session_id === undefined) return;
  const hub = c.var.exchange.hub();
  const published = hub.store.sessions.find({ session_id }, hub.now()).then(([session]) => {
    if (session?.status === "active") hub.live.publish(session_id, { type: "session", session });
  });
  runInBackground(hub, "desk.not_published", published);
  runInBackground(hub, "cache.not_dropped", hub.cache.drop({ changed: [session_id] }));
}

function addPresence(app: App): void {
  const route = createRoute({
    ...shared,
    method: "put",
    path: "/api/conversations/{id}/presence",
    summary: "Say that one looks at a conversation",
    description: "Every ten seconds while it is open, and as one types. Colleagues see it for half a minute.",
    middleware: jsonBody(BODY_BYTES),
    request: {
      params: conversationParams,
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z.strictObject({ typing: z.boolean() }).openapi({ example: { typing: true } }),
          },
        },
      },
    },
    responses: {
      200: json("Who looks at it.", z.object({ presence: z.array(presenceSchema) })),
      ...problems(...refusals, "not_found", "unsupported_media_type"),
    },
  });
  app.openapi(route, async (c) => {
    const { conversations, at } = await atDesk(c);
    const presence = await conversations.present(at, c.req.valid("param").id, c.req.valid("json").typing);
    return c.json({ presence }, 200);
  });
}
