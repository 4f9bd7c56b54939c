import { z } from "@hono/zod-openapi";
import { replySchema } from "../../core/content/reply.ts";
import { instant, messageSchema } from "../../http/shapes.ts";
import { type CannedReply, type Conversation, type Handoff, HOLDERS, type Note } from "./conversation.ts";

export const colleagueSchema = z.object({ user_id: z.uuid(), name: z.string() }).openapi("Colleague");

export const handoffSchema = z
  .object({
    handoff_id: z.uuid(),
    session_id: z.uuid().nullable().openapi({ description: "Where it began." }),
    channel: z.string().nullable(),
    requested_by: z.enum(["bot", "customer", "operator"]),
    reason: z.string().nullable().openapi({ description: "As the bot gave it." }),
    wanted: z
      .string()
      .nullable()
      .openapi({ description: "Whom the bot has asked for: `to` of its handoff." }),
    requested_at: instant,
    accepted_at: instant.nullable(),
    accepted_by: colleagueSchema.nullable(),
    overdue_at: instant.nullable(),
    ended_at: instant.nullable(),
    outcome: z.enum(["given_back", "closed", "merged", "erased"]).nullable(),
  })
  .openapi("Handoff");

export const noteSchema = z
  .object({
    note_id: z.uuid(),
    user: colleagueSchema,
    text: z.string(),
    mentions: z.array(colleagueSchema),
    created_at: instant,
  })
  .openapi("Note");

export const conversationSchema = z
  .object({
    customer_key: z
      .uuid()
      .openapi({ description: "The id of the conversation: there is one of each customer." }),
    customer_id: z.string().nullable(),
    name: z.string().nullable(),
    contact: z.string().nullable().openapi({ description: "A phone, an e-mail or an account." }),
    tags: z.array(z.string()),
    plan: z.enum(["basic", "premium"]),
    language: z.string().nullable(),
    session_id: z.uuid().nullable(),
    session_status: z.string().nullable(),
    channel: z.string().nullable().openapi({ description: "Where the customer wrote last." }),
    channels: z.array(z.string()),
    holder: z.enum(HOLDERS),
    user: colleagueSchema.nullable().openapi({ description: "Who has it, with the holder `person`." }),
    version: z
      .int()
      .openapi({ description: "Rises with each change of the holder. `If-Match` is compared with it." }),
    unread: z.int(),
    waiting_since: instant
      .nullable()
      .openapi({ description: "Since when the customer waits for a person's answer." }),
    overdue_at: instant
      .nullable()
      .openapi({ description: "When that was found to be longer than the limit." }),
    snoozed_until: instant.nullable(),
    handoff: handoffSchema.nullable(),
    last: z
      .object({
        message_id: z.uuid(),
        seq: z.int(),
        role: messageSchema.shape.role,
        author: z.string().nullable(),
        kind: z.string(),
        text: z.string().openapi({ description: "At most 160 characters." }),
        channel: z.string(),
        status: messageSchema.shape.status,
        at: instant,
      })
      .nullable(),
    last_at: instant,
  })
  .openapi("Conversation");

export const countsSchema = z
  .object({
    mine: z.int(),
    unassigned: z.int(),
    waiting: z.int(),
    overdue: z.int(),
    snoozed: z.int(),
    held: z.int(),
  })
  .openapi("ConversationCounts");

export const presenceSchema = z.object({ user: colleagueSchema, typing: z.boolean() }).openapi("Presence");

export const cannedReplySchema = z
  .object({
    reply_id: z.uuid(),
    shortcut: z.string(),
    title: z.string(),
    replies: z.array(replySchema.clone()),
    language: z.string().nullable(),
    version: z.int(),
    updated_by: colleagueSchema,
    updated_at: instant,
  })
  .openapi("CannedReply");

export const figuresSchema = z
  .object({
    requested: z.int(),
    by: z.object({ bot: z.int(), customer: z.int(), operator: z.int() }),
    accepted: z.int(),
    overdue: z.int(),
    given_back: z.int(),
    closed: z.int(),
    wait: z.object({ median_ms: z.number().nullable(), p95_ms: z.number().nullable() }).openapi({
      description: "From the request to the person; without those that a person took unasked.",
    }),
    talk: z
      .object({ median_ms: z.number().nullable(), p95_ms: z.number().nullable() })
      .openapi({ description: "From the person to the end." }),
  })
  .openapi("HandoffFigures");

const iso = (at: Date | undefined): string | null => at?.toISOString() ?? null;

export function viewHandoff(handoff: Handoff): z.infer<typeof handoffSchema> {
  return {
    handoff_id: handoff.handoff_id,
    session_id: handoff.session_id ?? null,
    channel: handoff.channel ?? null,
    requested_by: handoff.requested_by,
    reason: handoff.reason ?? null,
    wanted: handoff.wanted ?? null,
    requested_at: handoff.requested_at.toISOString(),
    accepted_at: iso(handoff.accepted_at),
    accepted_by: handoff.accepted_by ?? null,
    overdue_at: iso(handoff.overdue_at),
    ended_at: iso(handoff.ended_at),
    outcome: handoff.outcome ?? null,
  };
}

export function viewNote({ mentions, created_at, ...note }: Note): z.infer<typeof noteSchema> {
  return { ...note, mentions: [...mentions], created_at: created_at.toISOString() };
}

export function viewConversation(one: Conversation): z.infer<typeof conversationSchema> {
  return {
    customer_key: one.customer_key,
    customer_id: one.customer_id ?? null,
    name: one.name ?? null,
    contact: one.contact ?? null,
    tags: [...one.tags],
    plan: one.plan,
    language: one.language ?? null,
    session_id: one.session_id ?? null,
    session_status: one.session_status ?? null,
    channel: one.channel ?? null,
    channels: [...(one.channels ?? [])],
    holder: one.holder,
    user: one.user ?? null,
    version: one.version,
    unread: one.unread,
    waiting_since: iso(one.waiting_since),
    overdue_at: iso(one.overdue_at),
    snoozed_until: iso(one.snoozed_until),
    handoff: one.handoff ? viewHandoff(one.handoff) : null,
    last: one.last
      ? {
          ...one.last,
          author: one.last.author ?? null,
          status: one.last.status ?? null,
          at: one.last.at.toISOString(),
        }
      : null,
    last_at: one.last_at.toISOString(),
  };
}

export function viewCannedReply({
  replies,
  updated_at,
  language,
  ...reply
}: CannedReply): z.infer<typeof cannedReplySchema> {
  return {
    ...reply,
    replies: [...replies],
    language: language ?? null,
    updated_at: updated_at.toISOString(),
  };
}
