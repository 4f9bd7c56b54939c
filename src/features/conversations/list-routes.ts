import { createRoute, z } from "@hono/zod-openapi";
import { isOpen } from "../../core/deliver/window.ts";
import type { Hub } from "../../core/hub.ts";
import { json } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { pause } from "../../http/poll.ts";
import { type App, type AppOptions, channelName, LONGEST_WAIT_S } from "../../http/request.ts";
import { instant, messageSchema, viewMessage } from "../../http/shapes.ts";
import { cursorField } from "../customers/describe.ts";
import { customerSchema, viewCustomer } from "../customers/shape.ts";
import { filesOf } from "../media/of-message.ts";
import { userSchema, viewUser } from "../staff/shape.ts";
import { atDesk, conversationParams, refusals, shared } from "./at-desk.ts";
import { VIEWS } from "./conversation.ts";
import type { Beside, DeskChanges } from "./conversations.ts";
import {
  conversationSchema,
  countsSchema,
  handoffSchema,
  noteSchema,
  presenceSchema,
  viewConversation,
  viewHandoff,
  viewNote,
} from "./shape.ts";

/** Between two looks for changes: a message is on a screen within 150 ms at the median. */
const LOOK_MS = 50;
/** After this many looks without a change they become slower: at most 300 in one call, which Workers allow. */
const QUICK_LOOKS = 100;
const SLOW_LOOK_MS = 100;

const seq = z.string().regex(/^\d{1,16}$/, "must be the seq of a message");
const row = z.record(z.string(), z.unknown());

const besideSchema = z
  .object({
    conversation: conversationSchema,
    customer: customerSchema,
    identities: z.array(
      z.object({ kind: z.string(), value: z.string(), verified: z.boolean(), last_seen_at: instant }),
    ),
    addresses: z
      .array(z.object({ channel: z.string(), used_at: instant }))
      .openapi({ description: "The channels on which the customer can be written to, last used first." }),
    windows: z.array(z.object({ channel: z.string(), closes_at: instant.nullable() })).openapi({
      description:
        "Of those channels, the ones that take free messages only for a time after the customer's last one: until when, or `null` if " +
        "only a template reaches them now.",
    }),
    unreachable: z
      .array(z.string())
      .openapi({ description: "Channels on which they have blocked the shop." }),
    sessions: z.array(row).openapi({ description: "The newest twenty sessions, newest first." }),
    orders: z.array(row).openapi({ description: "The newest ten orders." }),
    reservations: z.array(row).openapi({ description: "The last ten reservations." }),
    notes: z.array(noteSchema).openapi({ description: "The newest hundred, in order." }),
    handoffs: z.array(handoffSchema).openapi({ description: "The newest ten, newest first." }),
    presence: z.array(presenceSchema).openapi({ description: "Colleagues who look at it now." }),
  })
  .openapi("ConversationBeside");

/** Registers what the desk reads: the list, one conversation, its messages, and changes. */
export function addConversationLists(app: App, options: AppOptions): void {
  const list = createRoute({
    ...shared,
    method: "get",
    path: "/api/conversations",
    summary: "List conversations",
    description:
      "`mine`: those that the caller has. `unassigned`: nobody has them yet. `waiting`: customers who wait for a person's answer, the " +
      "longest first. `held`: all that people have or are to have. `snoozed`: put away for a time. `all`: also those of the bot, by the newest message; a page of " +
      "these may be short, so go on until `cursor` is null. `q` finds customers by words, e-mail or phone, in all views.",
    request: {
      query: z.object({
        view: z.enum(VIEWS).default("held"),
        q: z
          .string()
          .min(1)
          .max(128)
          .refine((text) => !text.includes("\0"), "must not hold a null character")
          .optional(),
        channel: channelName(options).optional().openapi({ description: "Where the customer wrote last." }),
        unread: z.enum(["true", "false"]).optional(),
        after: z
          .string()
          .regex(/^[\w~:.+-]{20,128}$/, "must be a cursor of this hub")
          .optional(),
        limit: z.coerce.number().int().min(1).max(100).default(50),
      }),
    },
    responses: {
      200: json(
        "A page of conversations.",
        z.object({
          conversations: z.array(conversationSchema),
          counts: countsSchema,
          user: userSchema.openapi({ description: "The caller." }),
          cursor: cursorField,
        }),
      ),
      ...problems(...refusals),
    },
  });
  app.openapi(list, async (c) => {
    const { unread, q, channel, after, ...query } = c.req.valid("query");
    const { conversations, at } = await atDesk(c);
    const page = await conversations.list(at, {
      ...query,
      ...(q !== undefined && { q }),
      ...(channel !== undefined && { channel }),
      ...(after !== undefined && { after }),
      unread: unread === "true",
    });
    return c.json(
      {
        conversations: page.conversations.map(viewConversation),
        counts: page.counts,
        user: viewUser(page.user),
        cursor: page.after ?? null,
      },
      200,
    );
  });

  addChanges(app);

  const get = createRoute({
    ...shared,
    method: "get",
    path: "/api/conversations/{id}",
    summary: "Read a conversation, with its customer beside it",
    description:
      "The id of a customer who has become another one leads to that one. The version is the ETag.",
    request: { params: conversationParams },
    responses: {
      200: json("The conversation.", besideSchema),
      ...problems(...refusals, "not_found"),
    },
  });
  app.openapi(get, async (c) => {
    const { conversations, at } = await atDesk(c);
    const beside = await conversations.get(at, c.req.valid("param").id);
    c.header("ETag", `"${beside.conversation.version}"`);
    return c.json(viewBeside(beside, c.var.exchange.hub()), 200);
  });

  const messages = createRoute({
    ...shared,
    method: "get",
    path: "/api/conversations/{id}/messages",
    summary: "Read a conversation's messages, of all sessions and channels",
    description:
      "In order. The newest ones, or those before or after a `seq`. If `epoch` changes, people or sessions have become one: read the " +
      "newest ones again.",
    request: {
      params: conversationParams,
      query: z.object({
        before: seq.optional(),
        after: seq.optional(),
        limit: z.coerce.number().int().min(1).max(200).default(50),
      }),
    },
    responses: {
      200: json(
        "A page of messages.",
        z.object({
          messages: z.array(messageSchema),
          more: z.boolean().openapi({ description: "Whether there are further ones in that direction." }),
          epoch: z.string(),
          customer_key: z.uuid(),
        }),
      ),
      ...problems(...refusals, "not_found"),
    },
  });
  app.openapi(messages, async (c) => {
    const { before, after, limit } = c.req.valid("query");
    const { conversations, at } = await atDesk(c);
    const page = await conversations.messages(at, c.req.valid("param").id, {
      ...(before !== undefined && { before: Number(before) }),
      ...(after !== undefined && { after: Number(after) }),
      limit,
    });
    return c.json({ ...page, messages: page.messages.map((one) => viewMessage(one, filesOf(c))) }, 200);
  });
}

/** Registers the long poll of the desk. */
function addChanges(app: App): void {
  const changes = createRoute({
    ...shared,
    method: "get",
    path: "/api/conversations/changes",
    summary: "Wait for changes",
    description:
      "Answers at once without `after`, and with the next change, or after `wait` seconds. `conversations` names each that has a new " +
      "message or another holder, note or mark since the cursor, and those of the five seconds before it, so that none is missed: read " +
      "those that are shown. At most 500: with as many, read the list again.",
    request: {
      query: z.object({
        after: z
          .string()
          .regex(/^[\w~:.+-]{20,160}$/, "must be a cursor of this hub")
          .optional(),
        wait: z.coerce.number().min(0).max(LONGEST_WAIT_S).default(0),
      }),
    },
    responses: {
      200: json(
        "What has changed.",
        z.object({
          cursor: z.string(),
          conversations: z.array(z.uuid()),
          presence: z.array(presenceSchema.extend({ customer_key: z.uuid() })),
          counts: countsSchema.nullable().openapi({ description: "`null` if nothing has changed." }),
        }),
      ),
      ...problems(...refusals),
    },
  });
  app.openapi(changes, async (c) => {
    const { after, wait } = c.req.valid("query");
    const { conversations, at } = await atDesk(c);
    const hub = c.var.exchange.hub();
    const { signal } = c.req.raw;
    const ends = Date.now() + wait * 1_000;
    let seen: DeskChanges;
    for (let looks = 0; ; looks++) {
      seen = await conversations.changes({ ...at, now: hub.now() }, after);
      const left = ends - Date.now();
      if (seen.fresh || after === undefined || left <= 0 || signal.aborted) break;
      await pause(Math.min(looks < QUICK_LOOKS ? LOOK_MS : SLOW_LOOK_MS, left), signal);
    }
    return c.json(
      {
        cursor: seen.cursor,
        conversations: [...seen.conversations],
        presence: seen.presence.map((one) => ({ ...one })),
        counts: seen.counts ?? null,
      },
      200,
    );
  });
}

/** Until when each channel with a window takes free messages of this customer. */
function windowsOf({ addresses, windows }: Beside, { channels, now }: Hub) {
  const names = new Set(addresses.map(({ channel }) => channel).filter((name) => channels[name]?.window));
  return [...names].map((channel) => {
    const found = windows.find((one) => one.channel === channel);
    return {
      channel,
      closes_at: found && isOpen(found.window_closes_at, now()) ? found.window_closes_at.toISOString() : null,
    };
  });
}

function viewBeside(beside: Beside, hub: Hub): z.infer<typeof besideSchema> {
  return {
    conversation: viewConversation(beside.conversation),
    customer: viewCustomer(beside.customer),
    identities: beside.identities.map((one) => ({ ...one, last_seen_at: one.last_seen_at.toISOString() })),
    addresses: beside.addresses.map(({ channel, used_at }) => ({ channel, used_at: used_at.toISOString() })),
    windows: windowsOf(beside, hub),
    unreachable: [...beside.unreachable],
    sessions: beside.sessions.map((one) => ({ ...one })),
    orders: beside.orders.map((one) => ({ ...one })),
    reservations: beside.reservations.map((one) => ({ ...one })),
    notes: beside.notes.map(viewNote),
    handoffs: beside.handoffs.map(viewHandoff),
    presence: beside.presence.map((one) => ({ ...one })),
  };
}
