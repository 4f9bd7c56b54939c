import { z } from "@hono/zod-openapi";
import { replySchema } from "../core/content/reply.ts";
import { identitiesOf } from "../core/identity/identity.ts";
import { contentSchema } from "../core/messages/content.ts";
import type { Message } from "../core/messages/message.ts";
import type { Session } from "../core/sessions/session.ts";
import { type FileLinks, fileLinkOf, withFileLinks } from "../features/media/of-message.ts";

/** A point in time, ISO 8601 in UTC. */
export const instant = z.string().openapi({ format: "date-time" });
const document = z.record(z.string(), z.unknown());
/**
 * The content of a message, by kind. Core's schemas are cloned, because they may be made before zod is extended with the
 * method `openapi`, which only later schemas have.
 */
const contentShape = contentSchema.clone().openapi("Content");
/** What was said to a customer, by kind. */
const replyShape = replySchema.clone().openapi("Reply");
export const savedShape = z.union([contentShape, replyShape]).openapi({
  description: "Of a customer's message a `Content`, of the bot's a `Reply`.",
});

/**
 * A session as callers see it: every column, `null` without a value. Identities of kinds that are not named here, which
 * a new channel may bring, are further fields beside the others.
 */
export const sessionSchema = z
  .object({
    session_id: z.uuid(),
    phone: z.string().nullable().openapi({ description: "E.164" }),
    phone_verified: z.boolean().openapi({
      description:
        "False while the phone is only claimed: it was typed at a kiosk. True in all other cases, also for a session " +
        "without a phone.",
    }),
    telegram_chat_id: z.string().nullable(),
    whatsapp_user_id: z.string().nullable(),
    visitor_id: z.string().nullable(),
    customer_id: z
      .string()
      .nullable()
      .openapi({ description: "The shop's own id of the customer, the same in all their sessions." }),
    channel: z.string().openapi({ description: "The channel on which it began." }),
    channels: z.array(z.string()).openapi({ description: "Each channel once, in order of first use." }),
    status: z.enum(["active", "logged_out", "expired", "merged"]).openapi({
      description:
        "`logged_out`: ended on every channel. `expired`: not used until `expires_at`. `merged`: continues as `merged_into`.",
    }),
    merged_into: z.uuid().nullable(),
    previous_session_id: z
      .uuid()
      .nullable()
      .openapi({ description: "The same customer's session before this one." }),
    language: z.string().nullable(),
    data: document.openapi({ description: "The data of the frontends, and a copy of `channels`." }),
    metadata: document,
    version: z.int().openapi({ description: "Compared with `If-Match`; also the ETag." }),
    message_count: z.int(),
    rating: z
      .int()
      .nullable()
      .openapi({ description: "1 to 5, as given to `POST /api/sessions/{id}/rate` or `/session/end`." }),
    feedback: z
      .string()
      .nullable()
      .openapi({ description: "The customer's feedback; given with the rating." }),
    summary: z
      .string()
      .nullable()
      .openapi({ description: "A summary of the session, as given to `/session/end`; else null." }),
    created_at: instant,
    updated_at: instant,
    last_activity: instant,
    expires_at: instant,
    ended_at: instant.nullable(),
    duration_seconds: z.int().nullable().openapi({
      description:
        "From its beginning to its end, or to its last activity if it expired; `null` while it is active.",
    }),
  })
  .openapi("Session");

/** The state of the turn of a message that is not answered. */
export const turnSchema = z
  .object({
    state: z.enum(["waiting", "running", "retrying", "dead"]).openapi({
      description:
        "`waiting`: the bot has not been asked yet. `running`: the bot is asked now. `retrying`: an attempt failed, and " +
        "another one follows. `dead`: it failed for good, unless an operator retries it.",
    }),
    attempt: z.int().openapi({ description: "How many times the bot was asked." }),
    code: z.string().optional().openapi({ description: "The hub's code of the last failure." }),
    reason: z
      .string()
      .optional()
      .openapi({ description: "The bot's own code of the failure, or the hub's." }),
  })
  .openapi("Turn");

/** A message as callers see it. */
export const messageSchema = z
  .object({
    message_id: z.uuid(),
    session_id: z.uuid(),
    seq: z.int().openapi({
      description: "The order within the session. It rises, with gaps.",
    }),
    channel: z.string(),
    external_id: z.string().nullable(),
    direction: z
      .enum(["inbound", "outbound"])
      .openapi({ description: "`inbound`: from the customer. `outbound`: to them." }),
    role: z.enum(["user", "assistant", "operator", "system"]).openapi({
      description:
        "`user`: the customer. `assistant`: the bot. `operator`: a person of the shop, in the platform's own app. `system`: the " +
        "hub's own notices, and messages with a link token.",
    }),
    author: z
      .string()
      .nullable()
      .openapi({
        description:
          "The caller that sent it for its sender: `key:`, the API key's scope and the first 8 hex digits of its SHA-256. " +
          "`null` if the sender sent it.",
      }),
    kind: z.string(),
    text: z.string(),
    content: savedShape,
    reply_to: z.string().nullable().openapi({
      description:
        "The `message_id` of the message that it answers or reacts to; the platform's id if the hub does not know that one.",
    }),
    status: z
      .enum(["pending", "sent", "delivered", "read", "played", "failed"])
      .nullable()
      .openapi({
        description:
          "The status of an outbound message. With several parts the slowest part counts, and a failed part makes the message " +
          "`failed`. A message that a device fetches itself is `sent` at once. `null` for an inbound message.",
      }),
    sent_at: instant.nullable(),
    created_at: instant,
    edited_at: instant.nullable(),
    deleted_at: instant.nullable(),
    media_url: z
      .string()
      .nullable()
      .openapi({
        description:
          "Where the message's file is read: `GET /api/media/{message_id}`, relative to the hub unless it knows its own address. With " +
          "MEDIA_LINK_SECRET it is a signed link, which needs no credentials and ends within two hours; the next read of the " +
          "message brings a new one. `null` without a file that the hub can read.",
        example: "/api/media/0190a1b2-0000-7000-8000-000000000001?expires=1795327200&signature=…",
      }),
    turn: turnSchema.nullable().openapi({
      description:
        "Only in a history, for an inbound message that is not answered yet or never will be. `null` once the bot has " +
        "answered or stayed silent.",
    }),
  })
  .openapi("Message");

/** The session in the shape of `sessionSchema`. */
export function viewSession(session: Session): z.infer<typeof sessionSchema> {
  return {
    session_id: session.session_id,
    phone: session.phone ?? null,
    phone_verified: session.phone_verified ?? true,
    telegram_chat_id: session.telegram_chat_id ?? null,
    whatsapp_user_id: session.whatsapp_user_id ?? null,
    visitor_id: session.visitor_id ?? null,
    customer_id: session.customer_id ?? null,
    channel: session.channel,
    channels: [...session.channels],
    status: session.status,
    merged_into: session.merged_into ?? null,
    previous_session_id: session.previous_session_id ?? null,
    language: session.language ?? null,
    data: { ...session.data, channels: session.channels },
    metadata: session.metadata,
    version: session.version,
    message_count: session.message_count,
    rating: session.rating ?? null,
    feedback: session.feedback ?? null,
    summary: session.summary ?? null,
    created_at: session.created_at.toISOString(),
    updated_at: session.updated_at.toISOString(),
    last_activity: session.last_activity.toISOString(),
    expires_at: session.expires_at.toISOString(),
    ended_at: session.ended_at?.toISOString() ?? null,
    duration_seconds: durationOf(session),
    ...otherIdentities(session),
  };
}

/** In whole seconds; null while the session is active. An expired session lasted until its last activity. */
function durationOf({ status, created_at, last_activity, ended_at }: Session): number | null {
  if (!ended_at) return null;
  const end = status === "expired" ? last_activity : ended_at;
  return Math.max(0, Math.floor((end.getTime() - created_at.getTime()) / 1_000));
}

function otherIdentities(session: Session): Record<string, string> {
  return Object.fromEntries(identitiesOf(session).filter(([kind]) => !(kind in sessionSchema.shape)));
}

/** The message in the shape of `messageSchema`. Uploads in it get a link. */
export function viewMessage(message: Message, files: FileLinks): z.infer<typeof messageSchema> {
  return {
    message_id: message.message_id,
    session_id: message.session_id,
    seq: message.seq,
    channel: message.channel,
    external_id: message.external_id ?? null,
    direction: message.direction,
    role: message.role,
    author: message.author ?? null,
    kind: message.kind,
    text: message.text,
    content: withFileLinks(message, files),
    reply_to: message.reply_to ?? null,
    status: message.status ?? null,
    sent_at: message.sent_at?.toISOString() ?? null,
    created_at: message.created_at.toISOString(),
    edited_at: message.edited_at?.toISOString() ?? null,
    deleted_at: message.deleted_at?.toISOString() ?? null,
    media_url: fileLinkOf(message, files) ?? null,
    turn: message.turn ? { ...message.turn } : null,
  };
}
