import { isPersonal } from "../../core/identity/identity.ts";
import {
  DEAD_LETTER_DAYS,
  ERASED_DAYS,
  type Housekeeping,
  type Retention,
} from "../../core/sweep/housekeeping.ts";
import { addAudit } from "./audit.ts";
import { sessionsOf } from "./customers.ts";
import { takeIdentity } from "./identities.ts";
import { FORGET_MS } from "./rate-limits.ts";
import { forgetEndedTokens } from "./ratings.ts";
import { retire } from "./retire.ts";
import { later, type SessionRow, type Tables } from "./tables.ts";
import { expireThreads } from "./threads.ts";
import { expireWindows } from "./windows.ts";

const DAY_MS = 24 * 60 * 60_000;

/** Expiry and retention in memory. */
export function memoryHousekeeping(tables: Tables): Housekeeping {
  return {
    async expire(now, limit) {
      const overdue = [...tables.sessions.values()]
        .filter(({ session }) => session.status === "active" && session.expires_at <= now)
        .slice(0, limit);
      for (const { session } of overdue) retire(session, "expired", now);
      for (const [phone, code] of tables.codes) if (code.expires_at <= now) tables.codes.delete(phone);
      for (const [hash, link] of tables.links) if (link.expires_at <= now) tables.links.delete(hash);
      for (const [key, { ends_at }] of tables.rateLimits)
        if (later(ends_at, FORGET_MS) <= now) tables.rateLimits.delete(key);
      forgetEndedTokens(tables, now);
      expireThreads(tables, now, limit);
      expireWindows(tables, now, limit);
      if (!tables.sweptAt || tables.sweptAt < now) tables.sweptAt = now;
      return overdue.length;
    },

    async purge(before, limit, retention) {
      const dead = [...tables.sessions.values()]
        .filter(({ session }) => session.ended_at && session.ended_at < before)
        .sort((a, b) => a.session.ended_at!.getTime() - b.session.ended_at!.getTime())
        .slice(0, limit);
      for (const row of dead) forget(tables, row);
      const stale = [...tables.early]
        .filter(([, { created_at }]) => created_at < before)
        .sort(([, a], [, b]) => a.created_at.getTime() - b.created_at.getTime())
        .slice(0, limit);
      for (const [key] of stale) tables.early.delete(key);
      const kept = retention && forgetKept(tables, retention, limit);
      forgetCustomers(tables, limit);
      const details = { sessions: dead.length, ...kept };
      if (kept && Object.values(details).some((count) => count > 0))
        addAudit(tables, { actor: "retention", action: "purge", of: "retention", details }, retention.now);
      return dead.length;
    },
  };
}

/** Deletes what `retention` names, also from active sessions. Returns the number of each. */
function forgetKept(
  tables: Tables,
  { now, messages_before, passwords_before, identities_before }: Retention,
  limit: number,
): { messages: number; passwords: number; identities: number } {
  forgetDeadLetters(tables, later(now, -DEAD_LETTER_DAYS * DAY_MS));
  for (const [key, erased_at] of tables.erased)
    if (erased_at < later(now, -ERASED_DAYS * DAY_MS)) tables.erased.delete(key);
  return {
    messages: messages_before ? forgetMessages(tables, messages_before, limit) : 0,
    passwords: passwords_before ? forgetPasswords(tables, passwords_before, limit) : 0,
    identities: identities_before ? forgetIdentities(tables, identities_before, limit) : 0,
  };
}

/** Deletes old messages, except those still to be answered or sent. Returns how many. */
function forgetMessages(tables: Tables, before: Date, limit: number): number {
  const old = [...tables.messages.values()]
    .filter(({ message }) => message.created_at < before && !isAtWork(tables, message.message_id))
    .slice(0, limit);
  for (const { message, parts } of old) {
    const { message_id, session_id } = message;
    const row = tables.sessions.get(session_id)!;
    row.messages = row.messages.filter((other) => other.message !== message);
    tables.messages.delete(message_id);
    for (const [key, other] of tables.messagesByExternalId)
      if (other.message === message) tables.messagesByExternalId.delete(key);
    for (const [key, other] of tables.deliveriesByExternalId)
      if (parts.includes(other)) tables.deliveriesByExternalId.delete(key);
    for (const { delivery } of parts) tables.deliveries.delete(delivery.delivery_id);
    for (const [id, turn] of tables.turns) if (turn.message_id === message_id) tables.turns.delete(id);
  }
  return old.length;
}

function isAtWork({ turns, deliveries }: Tables, message_id: string): boolean {
  return (
    [...turns.values()].some(
      (turn) => turn.message_id === message_id && ["pending", "running"].includes(turn.state),
    ) ||
    [...deliveries.values()].some(
      ({ delivery, state }) =>
        delivery.message_id === message_id && ["pending", "sending", "held"].includes(state),
    )
  );
}

function forgetPasswords({ passwords }: Tables, before: Date, limit: number): number {
  const old = [...passwords].filter(([, { updated_at }]) => updated_at < before).slice(0, limit);
  for (const [phone] of old) passwords.delete(phone);
  return old.length;
}

/**
 * Deletes identities last seen before `before`, unless their customer has an active session: such an identity is looked
 * at again when `before` is a day later. Returns how many it deleted.
 */
function forgetIdentities(tables: Tables, before: Date, limit: number): number {
  const unseen = [...tables.identities.values()].filter(
    ({ last_seen_at, unseen_check_at = last_seen_at }) => last_seen_at < before && unseen_check_at < before,
  );
  for (const row of unseen) if (isTalking(tables, row.customer)) row.unseen_check_at = later(before, DAY_MS);
  const old = unseen
    .filter(({ customer }) => !isTalking(tables, customer))
    .sort((a, b) => a.last_seen_at.getTime() - b.last_seen_at.getTime())
    .slice(0, limit);
  for (const row of old) {
    takeIdentity(tables, row);
    if (row.kind === "phone") tables.passwords.delete(row.value);
  }
  return old.length;
}

function isTalking(tables: Tables, customer: Parameters<typeof sessionsOf>[1]): boolean {
  return sessionsOf(tables, customer).some(({ session }) => session.status === "active");
}

/**
 * Deletes customers without a `customer_id`, a session, or an identity of a person. An identity of a browser does not
 * count.
 */
function forgetCustomers(tables: Tables, limit: number): void {
  const gone = [...tables.customers.values()].filter(
    (customer) =>
      customer.customer_id === undefined &&
      ![...customer.identities.keys()].some(isPersonal) &&
      sessionsOf(tables, customer).length === 0,
  );
  for (const customer of gone.slice(0, limit)) {
    for (const row of customer.identities.values()) takeIdentity(tables, row);
    tables.customers.delete(customer.customer_key);
  }
}

/** Deletes dead turns and deliveries created before `before`. The status of their message stays. */
function forgetDeadLetters(tables: Tables, before: Date): void {
  for (const [id, turn] of tables.turns)
    if (turn.state === "dead" && turn.created_at < before) tables.turns.delete(id);
  for (const [id, row] of tables.deliveries) {
    if (row.state !== "dead" || row.created_at >= before) continue;
    tables.deliveries.delete(id);
    for (const [key, other] of tables.deliveriesByExternalId)
      if (other === row) tables.deliveriesByExternalId.delete(key);
  }
}

function forget(tables: Tables, row: SessionRow): void {
  const { session_id } = row.session;
  tables.sessions.delete(session_id);
  for (const [hash, token] of tables.tokens) if (token.session_id === session_id) tables.tokens.delete(hash);
  for (const [key, { message }] of tables.messagesByExternalId)
    if (message.session_id === session_id) tables.messagesByExternalId.delete(key);
  for (const [key, { delivery }] of tables.deliveriesByExternalId)
    if (delivery.session_id === session_id) tables.deliveriesByExternalId.delete(key);
  for (const [key, { message }] of tables.messages)
    if (message.session_id === session_id) tables.messages.delete(key);
  for (const [key, turn] of tables.turns) if (turn.session_id === session_id) tables.turns.delete(key);
  for (const [key, { delivery }] of tables.deliveries)
    if (delivery.session_id === session_id) tables.deliveries.delete(key);
}
