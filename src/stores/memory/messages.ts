import { savedText } from "../../core/content/text.ts";
import { type Content, textOf } from "../../core/messages/content.ts";
import {
  type DeliveryStatus,
  type Edit,
  type InboundMessage,
  type Message,
  type Receipt,
  STATUS_LADDER,
} from "../../core/messages/message.ts";
import {
  copy,
  count,
  type DeliveryRow,
  type EarlyEvent,
  externalKey,
  type MessageRow,
  newId,
  type SessionRow,
  type Tables,
} from "./tables.ts";
import { refuseLate } from "./windows.ts";

interface NewMessage extends Pick<Message, "channel" | "direction" | "role" | "content"> {
  account?: string | undefined;
  external_id?: string | undefined;
  reply_to?: string | undefined;
  status?: DeliveryStatus | undefined;
  sent_at?: Date | undefined;
  author?: string | undefined;
}

/**
 * Appends a message that arrived at `at` to its session, and applies edits and receipts that arrived before it. Each
 * message of a webhook counts ten microseconds more than the one before it, so that they have one order, in whatever
 * sessions they are.
 */
export function addMessage(
  tables: Tables,
  row: SessionRow,
  { account, ...given }: NewMessage,
  now: Date,
  at = now,
  place = 0,
): MessageRow {
  row.last_seq = Math.max(row.last_seq + 1, at.getTime() * 1_000 + 10 * place);
  const message = copy({
    message_id: newId(tables, now),
    session_id: row.session.session_id,
    seq: row.last_seq,
    kind: given.content.kind,
    text: savedText(given.content),
    created_at: at,
    ...given,
  }) as Message;
  const { channel, external_id } = message;
  const added: MessageRow = { message, account, revisions: [], parts: [] };
  row.messages.push(added);
  tables.messages.set(message.message_id, added);
  if (external_id !== undefined)
    tables.messagesByExternalId.set(externalKey(channel, account ?? message.session_id, external_id), added);
  row.session.message_count += 1;
  row.session.updated_at = at;
  if (account !== undefined && external_id !== undefined)
    applyEarly(tables, channel, account, external_id, at);
  return added;
}

/** The id of the message that it answers: the hub's id if the message is stored, else the platform's. */
export function replyTarget(tables: Tables, inbound: InboundMessage, session_id: string): string | undefined {
  if (inbound.reply_to === undefined) return undefined;
  const key = externalKey(inbound.channel, inbound.account ?? session_id, inbound.reply_to);
  const { messagesByExternalId, deliveriesByExternalId } = tables;
  return (
    messagesByExternalId.get(key)?.message.message_id ??
    deliveriesByExternalId.get(key)?.delivery.message_id ??
    inbound.reply_to
  );
}

/**
 * Moves the status of a sent message forward. Returns undefined when the status does not move forward, or when the
 * message is unknown or a customer's.
 */
export function applyReceipt(tables: Tables, receipt: Receipt, now: Date): Message | undefined {
  const message = moveForward(tables, receipt, now);
  if (message) count(tables, `receipts|${receipt.channel}|${receipt.status}`);
  return message;
}

function moveForward(tables: Tables, receipt: Receipt, now: Date): Message | undefined {
  const { channel, account, external_id, status } = receipt;
  if (account === undefined) return undefined;
  const key = externalKey(channel, account, external_id);
  const delivery = tables.deliveriesByExternalId.get(key);
  if (delivery) {
    if (!isForward(delivery.status, status)) return undefined;
    if (receipt.window_ms !== undefined && wantsBack(tables, receipt))
      return takeBack(tables, key, delivery, receipt.window_ms, now);
    delivery.status = status;
    if (status === "failed") {
      delivery.state = "dead";
      delivery.failure = { code: "rejected", reason: receipt.reason ?? "failed" };
    }
    refreshStatus(tables, delivery.delivery.message_id);
    return tables.messages.get(delivery.delivery.message_id)?.message;
  }
  const echo = tables.messagesByExternalId.get(key);
  if (!echo) {
    const held = tables.early.get(`receipt ${key}`);
    if (held?.type !== "receipt" || isForward(held.receipt.status, status))
      tables.early.set(`receipt ${key}`, {
        type: "receipt",
        receipt,
        created_at: held?.created_at ?? now,
      });
    return undefined;
  }
  if (echo.message.direction !== "outbound" || !isForward(echo.message.status ?? "pending", status))
    return undefined;
  echo.message.status = status;
  return echo.message;
}

/** Whether a receipt says that the window was closed, for a delivery whose sender said what to do then. */
export function wantsBack(tables: Tables, { channel, account, external_id, window_ms }: Receipt): boolean {
  if (account === undefined || window_ms === undefined) return false;
  const sent = tables.deliveriesByExternalId.get(externalKey(channel, account, external_id));
  return sent?.delivery.content.outside !== undefined;
}

/** Takes back a delivery that its platform refuses afterwards, because the window was closed. */
function takeBack(
  tables: Tables,
  key: string,
  delivery: DeliveryRow,
  windowMs: number,
  now: Date,
): Message | undefined {
  tables.deliveriesByExternalId.delete(key);
  refuseLate(tables, delivery, windowMs, now);
  const { message_id } = delivery.delivery;
  refreshStatus(tables, message_id);
  return tables.messages.get(message_id)?.message;
}

/**
 * Replaces a message's content and keeps the old one as a revision. Returns undefined when the message is unknown or
 * deleted, when its content is the same, or when it was edited later than this edit.
 */
export function applyEdit(tables: Tables, edit: Edit, now: Date): Message | undefined {
  const { channel, account, external_id } = edit;
  if (account === undefined) return undefined;
  const key = externalKey(channel, account, external_id);
  const row = tables.messagesByExternalId.get(key);
  const at = edit.at ?? now;
  if (!row && tables.erased.has(key)) return undefined;
  if (!row) {
    const held = tables.early.get(`edit ${key}`);
    if (held?.type !== "edit" || (held.edit.content && held.edit.at <= at))
      tables.early.set(`edit ${key}`, {
        type: "edit",
        edit: { ...edit, at },
        created_at: held?.created_at ?? now,
      });
    return undefined;
  }
  const { message } = row;
  if (message.deleted_at || (message.edited_at && message.edited_at > at)) return undefined;
  if (edit.content && sameJson(edit.content, message.content)) return undefined;
  row.revisions.push({ text: message.text, content: message.content, at });
  const content: Content = edit.content ?? { kind: "system", event: "deleted" };
  message.content = content;
  message.kind = content.kind;
  message.text = edit.content ? textOf(content) : "";
  if (edit.content) message.edited_at = at;
  else message.deleted_at = at;
  return message;
}

/**
 * Sets a reply's status: that of its slowest part, or `failed` if one part failed. Returns the message if it changed.
 */
export function refreshStatus(tables: Tables, message_id: string): Message | undefined {
  const row = tables.messages.get(message_id);
  if (!row) return undefined;
  const before = row.message.status;
  const statuses = row.parts.map((part) => part.status);
  row.message.status = statuses.includes("failed")
    ? "failed"
    : statuses.sort((a, b) => rank(a) - rank(b))[0]!;
  return row.message.status === before ? undefined : row.message;
}

/** Applies the edit and the receipt that arrived before the message itself. Returns whether there was one. */
export function applyEarly(
  tables: Tables,
  channel: string,
  account: string,
  external_id: string,
  now: Date,
): boolean {
  let any = false;
  for (const type of ["edit", "receipt"]) {
    const key = `${type} ${externalKey(channel, account, external_id)}`;
    const early: EarlyEvent | undefined = tables.early.get(key);
    if (!early) continue;
    tables.early.delete(key);
    if (early.type === "edit") applyEdit(tables, early.edit, now);
    else applyReceipt(tables, early.receipt, now);
    any = true;
  }
  return any;
}

function isForward(from: DeliveryStatus, to: DeliveryStatus): boolean {
  if (from === "failed") return false;
  if (to === "failed") return rank(from) <= rank("sent");
  return rank(to) > rank(from);
}

function rank(status: DeliveryStatus): number {
  return status === "failed" ? -1 : STATUS_LADDER.indexOf(status);
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}
