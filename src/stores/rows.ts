import type { DeadLetter, Delivery, Part, Turn } from "../core/answer/turn.ts";
import type { Reply } from "../core/content/reply.ts";
import { savedText } from "../core/content/text.ts";
import type { OpenWindow } from "../core/deliver/window.ts";
import type { Device, KnownAddress } from "../core/identity/proofs.ts";
import type { Content } from "../core/messages/content.ts";
import type { Message } from "../core/messages/message.ts";
import type { Metrics } from "../core/operations.ts";
import type { Effects, Opened } from "../core/receive/conversations.ts";
import type { Session } from "../core/sessions/session.ts";
import type { Customer } from "../features/customers/customer.ts";
import type { AuditLine, ExportedMessage, ExportedSession } from "../features/privacy/privacy.ts";
import type { FoundMessage } from "../features/search/search.ts";

/** A row as the database's functions return it: instants as text, absent values as null. */
export type Row = Record<string, unknown>;

const INSTANTS = new Set([
  "created_at",
  "updated_at",
  "last_activity",
  "expires_at",
  "ended_at",
  "sent_at",
  "edited_at",
  "deleted_at",
  "pinned_at",
  "send_at",
  "window_closes_at",
  "due_at",
  "starts_at",
  "swept_at",
  "oldest_turn_at",
  "oldest_delivery_at",
  "used_at",
  "last_used_at",
  "at",
  "datetime",
  "requested_at",
  "accepted_at",
  "overdue_at",
  "waiting_since",
  "snoozed_until",
  "oldest_waiting_at",
  "last_at",
  "last_seen_at",
]);

/** Content as its three columns: `kind`, the `text` that a bot reads, and the other fields in `content`. */
export function toColumns(content: Content | Reply): { kind: string; text: string; content: Row } {
  const { kind, ...rest } = content;
  if (content.kind !== "text") return { kind, text: savedText(content), content: rest };
  const { text, ...typed } = rest as { text: string };
  return { kind, text, content: typed };
}

export function toSession(row: Row): Session {
  return plain(row) as unknown as Session;
}

/** A session that a call opened for a device, with the other changes of the call. */
export function toOpened(row: Row): Opened {
  return { ...toSession(row.session as Row), ...toEffects(row) };
}

/** What a call changed besides its own session. */
export function toEffects({ merged, closed, notified, conflicts, deliveries }: Row): Effects {
  return {
    ...(merged != null && { merged: merged as string[] }),
    ...(closed != null && { closed: closed as string[] }),
    ...(notified != null && { notified: notified as string[] }),
    ...(conflicts != null && { conflicts: conflicts as "customer_id"[] }),
    ...(deliveries != null && { deliveries: (deliveries as Row[]).map(toDelivery) }),
  };
}

export function toAddress(row: Row): KnownAddress {
  return plain(row) as unknown as KnownAddress;
}

export function toDevice(row: Row): Device {
  return plain(row) as unknown as Device;
}

export function toAuditLine(row: Row): AuditLine {
  return plain(row) as unknown as AuditLine;
}

export function toExportedSession({ addresses, devices, windows, ...row }: Row): ExportedSession {
  return {
    ...(plain(row) as unknown as ExportedSession),
    addresses: (addresses as Row[]).map(toAddress),
    windows: (windows as Row[]).map((window) => toRecord<OpenWindow>(window)),
    devices: (devices as Row[]).map(toDevice),
  };
}

export function toExportedMessage({ revisions, ...row }: Row): ExportedMessage {
  const before = (revisions as Row[]).map(({ text, kind, content, at }) => ({
    text: text as string,
    content: toContent({ kind, text, content }),
    at: new Date(at as string),
  }));
  return { ...toMessage(row), revisions: before };
}

export function toMessage(row: Row): Message {
  return { ...(plain(row) as unknown as Message), content: toContent(row) };
}

export function toTurn(row: Row): Turn {
  return toTurnOf(row, toSession(row.session as Row), toMessage(row.message as Row));
}

/** Reads a turn whose row holds neither session nor message; the caller passes both. */
export function toTurnOf({ messages, history, ...row }: Row, session: Session, message: Message): Turn {
  return {
    ...(plain(row) as unknown as Turn),
    session,
    message,
    messages: (messages as Row[] | null | undefined)?.map(toMessage) ?? [message],
    history: (history as Row[]).map(toMessage),
  };
}

export function toDelivery(row: Row): Delivery {
  const { kind: _, text, content, ...delivery } = plain(row);
  return {
    ...(delivery as unknown as Omit<Delivery, "content">),
    content: { kind: "text", text, ...(content as Row) } as Part,
  };
}

export function toCustomer(row: Row): Customer {
  return plain(row) as unknown as Customer;
}

export function toFoundMessage(row: Row): FoundMessage {
  return plain(row) as unknown as FoundMessage;
}

/** A row whose fields are those of `T`: instants as `Date`, absent values left out. */
export function toRecord<T>(row: unknown): T {
  return plain(row as Row) as T;
}

export function toDeadLetter(row: Row): DeadLetter {
  return plain(row) as unknown as DeadLetter;
}

export function toMetrics(row: Row): Metrics {
  return plain(row) as unknown as Metrics;
}

function toContent({ kind, text, content }: Row): Content {
  const whole = kind === "text" ? { kind, text, ...(content as Row) } : { kind, ...(content as Row) };
  return whole as Content;
}

function plain(row: Row): Row {
  const result: Row = {};
  for (const key in row) {
    const value = row[key];
    if (value === null) continue;
    result[key] = typeof value === "string" && INSTANTS.has(key) ? new Date(value) : value;
  }
  return result;
}

/** The cursor of a page that has a next one. */
export function cursorOf({ after }: Row): { after?: string } {
  return after == null ? {} : { after: after as string };
}
