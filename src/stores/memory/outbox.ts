import type { OutboundReply, Outcome, Part, Turn } from "../../core/answer/turn.ts";
import type { Reply, ReplyOf } from "../../core/content/reply.ts";
import type { Address, Message } from "../../core/messages/message.ts";
import type { Settled } from "../../core/receive/conversations.ts";
import { addMessage, applyEarly, refreshStatus } from "./messages.ts";
import { setReachable } from "./reachability.ts";
import {
  atOnce,
  copy,
  count,
  type DeliveryRow,
  externalKey,
  later,
  type MessageRow,
  newId,
  observe,
  type SessionRow,
  type Tables,
} from "./tables.ts";
import { holdDelivery } from "./windows.ts";
import { finishDelivery } from "./work.ts";

/** Files keep their place when they are edited: it is the caption that changes. */
const CAPTIONED: readonly string[] = ["image", "video", "audio", "document"];

/** Saves a reply, with a delivery for each of its parts. Returns it, and the earlier message that it has changed. */
export function addReply(
  tables: Tables,
  row: SessionRow,
  claim: Turn,
  { content, parts }: OutboundReply,
  now: Date,
): { readonly message: Message; readonly changed?: Message | undefined } {
  const { channel, account, address } = claim;
  const blocked = parts.length > 0 && row.customer.unreachable.includes(channel);
  const status = parts.length === 0 ? "sent" : blocked ? "failed" : "pending";
  const said = {
    channel,
    account,
    content,
    direction: "outbound",
    role: "assistant",
    reply_to: claim.message.message_id,
    status,
  } as const;
  const reply = addMessage(tables, row, said, now);
  const changed = isChange(content)
    ? changeMessage(row, claim, content, parts[0]?.within_ms, now)
    : undefined;
  addDeliveries(tables, row, reply, { account, address, parts }, now);
  return { message: reply.message, changed };
}

type Change = ReplyOf<"edit" | "delete" | "reaction" | "pin">;

function isChange(content: Reply): content is Change {
  return ["edit", "delete", "reaction", "pin"].includes(content.kind);
}

/**
 * Changes the earlier message that a bot's reply names, and keeps what it said before an edit or a deletion as a revision. Edits
 * and deletions change the bot's own messages only. Undefined when nothing has changed: there is no such message in this session and
 * channel, it is deleted or itself a change, it is already so, or its platform takes the change no longer (`within_ms`).
 */
function changeMessage(
  row: SessionRow,
  { channel, message: answered }: Turn,
  change: Change,
  within_ms: number | undefined,
  now: Date,
): Message | undefined {
  const id = change.message_id ?? answered.message_id;
  const found = row.messages.find(({ message }) => message.message_id === id);
  if (!found || found.message.channel !== channel) return undefined;
  const { message, revisions } = found;
  if (within_ms !== undefined && now > later(message.created_at, within_ms)) return undefined;
  if (message.deleted_at || ["edit", "delete", "reaction", "pin"].includes(message.kind)) return undefined;
  switch (change.kind) {
    case "reaction":
      if (message.reaction === (change.emoji ?? undefined)) return undefined;
      if (change.emoji === null) delete message.reaction;
      else message.reaction = change.emoji;
      return message;
    case "pin": {
      const { pinned = true } = change;
      if ((message.pinned_at !== undefined) === pinned) return undefined;
      if (pinned) message.pinned_at = now;
      else delete message.pinned_at;
      return message;
    }
    case "edit": {
      if (message.role !== "assistant") return undefined;
      const { text, format } = change;
      const { content: before } = message;
      const isFile = CAPTIONED.includes(before.kind);
      const shown = before as { caption?: string; format?: ReplyOf<"text">["format"] };
      const said = isFile ? shown.caption : before.kind === "text" ? before.text : undefined;
      if (said === text && shown.format === format) return undefined;
      const { format: _, ...rest } = shown;
      const typed = format && { format };
      const content = (
        isFile ? { ...rest, caption: text, ...typed } : { kind: "text", text, ...typed }
      ) as Reply;
      revisions.push({ text: message.text, content: before, at: now });
      Object.assign(message, { content, kind: content.kind, text, edited_at: now });
      return message;
    }
    case "delete":
      if (message.role !== "assistant") return undefined;
      revisions.push({ text: message.text, content: message.content, at: now });
      message.content = { kind: "system", event: "deleted" };
      Object.assign(message, { kind: message.content.kind, text: "", deleted_at: now });
      delete message.reaction;
      delete message.pinned_at;
      return message;
  }
}

/**
 * Puts the parts of a message into the outbox. On a channel where the customer has blocked the shop they are dead at
 * once.
 */
export function addDeliveries(
  tables: Tables,
  row: SessionRow,
  message: MessageRow,
  { account, address, parts }: { account: string | undefined; address: Address; parts: readonly Part[] },
  now: Date,
): void {
  const { message_id, session_id, channel } = message.message;
  const blocked = row.customer.unreachable.includes(channel);
  for (const part of parts) {
    const delivery_id = newId(tables, now);
    const added: DeliveryRow = {
      delivery: copy({
        delivery_id,
        message_id,
        session_id,
        attempt: 0,
        channel,
        account: account!,
        address,
        content: part,
      }),
      seq: tables.seq,
      state: blocked ? "dead" : "pending",
      due_at: atOnce(now),
      status: blocked ? "failed" : "pending",
      ...(blocked && { failure: { code: "rejected", reason: "blocked" } }),
      created_at: now,
    };
    tables.deliveries.set(delivery_id, added);
    message.parts.push(added);
    if (blocked) count(tables, `deliveries|${channel}|dead`);
    else row.deliveries.push(added);
  }
}

/** The deliveries of one session on one channel. They are sent one after another. */
export interface Lane {
  readonly row: SessionRow;
  readonly channel: string;
  readonly account: string | undefined;
}

/** Records how an attempt ended, unless a newer one has been claimed. Returns the lane, whose next delivery may go. */
export function settleOne(
  tables: Tables,
  outcome: Outcome,
  changed: Settled["changed"][number][],
  now: Date,
): Lane | undefined {
  const settled = tables.deliveries.get(outcome.delivery_id);
  if (settled?.state !== "sending" || settled.delivery.attempt !== outcome.attempt) return undefined;
  const { channel, account, session_id, message_id } = settled.delivery;
  const row = tables.sessions.get(session_id)!;
  if (outcome.state === "held") {
    const isHeld = holdDelivery(tables, settled, outcome, now);
    count(tables, `deliveries|${channel}|${isHeld ? "held" : "failed"}`);
    return { row, channel, account };
  }
  count(tables, `deliveries|${channel}|${outcome.state === "pending" ? "failed" : outcome.state}`);
  settled.failure = outcome.state === "sent" ? undefined : { code: outcome.code, reason: outcome.reason };
  if (outcome.state === "pending") {
    settled.state = "pending";
    settled.due_at = outcome.retry_at;
    return { row, channel, account };
  }
  finishDelivery(tables, settled, outcome.state);
  settled.status = outcome.state === "sent" ? "sent" : "failed";
  if (settled.failure?.reason === "blocked") setReachable(row.customer, channel, false);
  let moved = refreshStatus(tables, message_id);
  if (outcome.state === "sent") {
    observe(tables, "deliver_ms", channel, settled.created_at, now);
    if (outcome.billed !== undefined) count(tables, `billed|${channel}|${outcome.billed}`);
    settled.external_id = outcome.external_id;
    settled.sent_at = now;
    if (outcome.external_id !== undefined && account !== undefined) {
      const key = externalKey(channel, account, outcome.external_id);
      const other = tables.deliveriesByExternalId.get(key);
      if (!other || other.seq < settled.seq) tables.deliveriesByExternalId.set(key, settled);
      if (applyEarly(tables, channel, account, outcome.external_id, now))
        moved = tables.messages.get(message_id)?.message;
    }
  }
  if (moved) changed.push({ session_id: moved.session_id, message_id, status: moved.status! });
  return { row, channel, account };
}
