import type { OutboundReply, Outcome, Part, Turn } from "../../core/answer/turn.ts";
import type { ReplyOf } from "../../core/content/reply.ts";
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
  type MessageRow,
  newId,
  observe,
  type SessionRow,
  type Tables,
} from "./tables.ts";
import { holdDelivery } from "./windows.ts";
import { finishDelivery } from "./work.ts";

/** Saves a reply, with a delivery for each of its parts. */
export function addReply(
  tables: Tables,
  row: SessionRow,
  claim: Turn,
  { content, parts }: OutboundReply,
  now: Date,
): Message {
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
  if (content.kind === "edit" || content.kind === "delete") changeReply(row, channel, content, now);
  addDeliveries(tables, row, reply, { account, address, parts }, now);
  return reply.message;
}

/**
 * Changes the earlier reply that an edit or a deletion names, and keeps what it said as a revision. Nothing changes for a
 * message of another session or channel, one that the bot did not say, or one that is deleted.
 */
function changeReply(row: SessionRow, channel: string, change: ReplyOf<"edit" | "delete">, now: Date): void {
  const found = row.messages.find(({ message }) => message.message_id === change.message_id);
  if (!found || found.message.channel !== channel || found.message.role !== "assistant") return;
  const { message, revisions } = found;
  if (message.deleted_at || message.kind === "edit" || message.kind === "delete") return;
  revisions.push({ text: message.text, content: message.content, at: now });
  if (change.kind === "edit") {
    const { text, format } = change;
    message.content = { kind: "text", text, ...(format && { format }) };
    message.edited_at = now;
  } else {
    message.content = { kind: "system", event: "deleted" };
    message.deleted_at = now;
  }
  message.kind = message.content.kind;
  message.text = change.kind === "edit" ? change.text : "";
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
