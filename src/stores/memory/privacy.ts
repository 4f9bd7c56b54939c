import type { Part } from "../../core/answer/turn.ts";
import { type Identities, identitiesOf } from "../../core/identity/identity.ts";
import type {
  CustomerRef,
  Erased,
  ExportedMessage,
  ExportedSession,
  Privacy,
} from "../../features/privacy/privacy.ts";
import { addressesOf } from "./addresses.ts";
import { addAudit } from "./audit.ts";
import { customerCalled, documentOf, sessionsOf } from "./customers.ts";
import { takeIdentity, verifiedOf } from "./identities.ts";
import { retire } from "./retire.ts";
import {
  type CustomerRow,
  copy,
  externalKey,
  type MessageRow,
  type SessionRow,
  type Tables,
} from "./tables.ts";
import { eraseThreads } from "./threads.ts";
import { closeTokens } from "./tokens.ts";
import { moveWindows, openWindows } from "./windows.ts";

/** Export, erasure and audit in memory. */
export function memoryPrivacy(tables: Tables): Privacy {
  return {
    async export(of, after, limit, actor, now) {
      const rows = familyOf(tables, of);
      if (after === undefined) addAudit(tables, { actor, action: "export", of, details: {} }, now);
      const from = after === undefined || after.startsWith("s.") ? (after?.slice(2) ?? "") : undefined;
      const waiting = from === undefined ? [] : rows.filter(({ session }) => session.session_id > from);
      const sessions = waiting.slice(0, limit).map((row) => exported(tables, row));
      if (sessions.length < waiting.length)
        return { sessions, messages: [], after: `s.${sessions.at(-1)!.session_id}` };
      const [, seen = "", seq = "0"] = from === undefined ? after!.split(".") : [];
      const unread = rows.flatMap((row) =>
        row.messages.filter(
          ({ message }) =>
            message.session_id > seen || (message.session_id === seen && message.seq > Number(seq)),
        ),
      );
      const messages = unread.slice(0, limit - sessions.length).map(withRevisions);
      if (messages.length === unread.length) return { sessions, messages };
      const last = messages.at(-1);
      return { sessions, messages, after: last ? `m.${last.session_id}.${last.seq}` : `m.${NOBODY}.0` };
    },

    async erase(of, actor, now) {
      const rows = familyOf(tables, of);
      tables.effects.closed = [];
      const customer = customerOf(tables, of);
      let messages = 0;
      for (const row of rows) messages += erase(tables, row, now);
      const given = "customer_id" in of ? of.customer_id : undefined;
      for (const name of [given, customer?.customer_id]) if (name !== undefined) eraseThreads(tables, name);
      const identities = customer ? forgetCustomer(tables, customer) : [];
      const token_hashes = tables.effects.closed.sort();
      tables.effects.closed = [];
      const details = { sessions: rows.length, messages };
      addAudit(tables, { actor, action: "erase", of, details }, now);
      const session_ids = rows.map(({ session }) => session.session_id);
      return { ...details, session_ids, token_hashes, identities };
    },

    async audit(after, limit) {
      return tables.audit.filter(({ audit_id }) => after === undefined || audit_id > after).slice(0, limit);
    },
  };
}

const NOBODY = "00000000-0000-0000-0000-000000000000";

/** The customer with this `customer_id`, or the customer of this session. */
function customerOf(tables: Tables, of: CustomerRef): CustomerRow | undefined {
  return "customer_id" in of
    ? customerCalled(tables, of.customer_id)
    : tables.sessions.get(of.session_id)?.customer;
}

/** All sessions of a customer, in any state. */
function familyOf(tables: Tables, of: CustomerRef): SessionRow[] {
  const customer = customerOf(tables, of);
  const rows = customer ? sessionsOf(tables, customer) : [];
  return rows.sort((a, b) => (a.session.session_id < b.session.session_id ? -1 : 1));
}

function exported(tables: Tables, row: SessionRow): ExportedSession {
  const { session, customer } = row;
  const { phone } = verifiedOf(customer);
  return {
    ...documentOf(row),
    addresses: addressesOf(customer),
    devices: [...tables.tokens.values()]
      .filter((token) => token.session_id === session.session_id)
      .map(({ device_id, channel, created_at, last_used_at }) => ({
        device_id,
        channel,
        created_at,
        last_used_at,
      }))
      .sort(
        (a, b) => a.created_at.getTime() - b.created_at.getTime() || (a.device_id < b.device_id ? -1 : 1),
      ),
    windows: openWindows(tables, customer, new Date(0)),
    unreachable: customer.unreachable,
    has_password: phone !== undefined && tables.passwords.has(phone),
  };
}

function withRevisions({ message, revisions }: MessageRow): ExportedMessage {
  return { ...copy(message), revisions };
}

/** Deletes a customer with their identities, codes, links and password. Returns the identities. */
function forgetCustomer(tables: Tables, customer: CustomerRow): Erased["identities"] {
  const held = identitiesOf(documentOfIdentities(customer)).map(([kind, value]) => ({ kind, value }));
  for (const row of [...customer.identities.values()]) {
    takeIdentity(tables, row);
    if (row.kind === "phone") tables.codes.delete(row.value);
    if (row.kind === "phone" && row.verified_at) tables.passwords.delete(row.value);
    for (const [hash, { asked }] of tables.links)
      if (asked?.join() === [row.kind, row.value].join()) tables.links.delete(hash);
  }
  delete customer.customer_id;
  customer.unreachable = [];
  customer.reachability_at.clear();
  moveWindows(tables, customer);
  tables.customers.delete(customer.customer_key);
  return held;
}

function documentOfIdentities({ identities }: CustomerRow): Identities {
  return Object.fromEntries([...identities.values()].map(({ kind, value }) => [kind, value]));
}

/** Empties a session and ends it. Returns the number of messages that were emptied. */
function erase(tables: Tables, row: SessionRow, now: Date): number {
  const { session, messages } = row;
  const { session_id } = session;
  const hashes = [...tables.tokens].flatMap(([hash, token]) =>
    token.session_id === session_id ? [hash] : [],
  );
  for (const [hash, { token_hash }] of tables.links)
    if (hashes.includes(token_hash)) tables.links.delete(hash);
  closeTokens(tables, [row]);
  for (const [hash, ended] of tables.endedTokens)
    if (ended.session_id === session_id) tables.endedTokens.delete(hash);
  for (const key of ["language", "rating", "feedback", "summary"] as const) delete session[key];
  delete row.language_by;
  Object.assign(session, { data: {}, metadata: {} });
  row.last_channel = undefined;
  row.turns = [];
  row.deliveries = [];
  for (const [id, turn] of tables.turns) {
    if (turn.session_id !== session_id) continue;
    if (turn.state === "dead") turn.address = {};
    else tables.turns.delete(id);
  }
  for (const [key, other] of tables.messagesByExternalId) {
    if (other.message.session_id !== session_id) continue;
    tables.messagesByExternalId.delete(key);
    for (const type of ["edit", "receipt"]) tables.early.delete(`${type} ${key}`);
    // Only a platform's id is remembered as erased. A caller's id is unique within its session only.
    const { channel, external_id } = other.message;
    if (other.account !== undefined && key === externalKey(channel, other.account, external_id!))
      tables.erased.set(key, now);
  }
  for (const [key, { delivery }] of tables.deliveriesByExternalId)
    if (delivery.session_id === session_id) tables.deliveriesByExternalId.delete(key);
  for (const delivery of tables.deliveries.values()) {
    if (delivery.delivery.session_id !== session_id) continue;
    const content: Part = { kind: "text", text: "" };
    Object.assign(delivery.delivery, { address: {}, content });
    delivery.external_id = undefined;
    if (!["pending", "sending", "held"].includes(delivery.state)) continue;
    delivery.state = "dead";
    delivery.status = "failed";
    delivery.failure = { code: "rejected", reason: "erased" };
  }
  for (const { message } of messages) if (message.status === "pending") message.status = "failed";
  const full = messages.filter(({ message: { content } }) => !isErased(content));
  for (const one of full) {
    const { message } = one;
    Object.assign(message, { kind: "system", text: "", content: { kind: "system", event: "erased" } });
    delete message.external_id;
    delete message.reply_to;
    delete message.reaction;
    one.revisions = [];
  }
  session.updated_at = now;
  session.version += 1;
  if (session.status === "active") retire(session, "logged_out", now);
  return full.length;
}

function isErased(content: { kind: string }): boolean {
  return content.kind === "system" && "event" in content && content.event === "erased";
}
