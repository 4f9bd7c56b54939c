import { IDENTITY_KINDS } from "../../core/identity/identity.ts";
import type { JsonObject } from "../../core/json.ts";
import type {
  CustomerRef,
  ExportedMessage,
  ExportedSession,
  Privacy,
} from "../../features/privacy/privacy.ts";
import { verifiedOf } from "./identities.ts";
import { follow, retire } from "./people.ts";
import { copy, type MessageRow, newId, type SessionRow, type Tables } from "./tables.ts";
import { closeTokens } from "./tokens.ts";

/** What a shop owes the people it keeps data of, said in the plainest way. */
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
      let messages = 0;
      const identities = rows.flatMap(({ session }) =>
        IDENTITY_KINDS.flatMap((kind) => {
          const value = session[kind];
          return value === undefined ? [] : { kind, value };
        }),
      );
      forgetPhones(tables, rows, now);
      for (const row of rows) messages += erase(tables, row, now);
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

/** Adds a line to the audit. */
export function addAudit(
  tables: Tables,
  line: { actor: string; action: string; of: CustomerRef | string; details: JsonObject },
  now: Date,
): void {
  const { actor, action, of, details } = line;
  const subject =
    typeof of === "string"
      ? of
      : "customer_id" in of
        ? `customer:${of.customer_id}`
        : `session:${of.session_id}`;
  tables.audit.push({ audit_id: newId(tables, now), at: now, actor, action, subject, details });
}

/** All sessions of a person: those named, and all that were ever merged with them. */
function familyOf(tables: Tables, of: CustomerRef): SessionRow[] {
  const rows = [...tables.sessions.values()];
  const rootOf = ({ session }: SessionRow) => follow(tables, session.session_id);
  const roots = new Set(
    rows
      .filter(({ session }) =>
        "customer_id" in of ? session.customer_id === of.customer_id : session.session_id === of.session_id,
      )
      .map(rootOf),
  );
  return rows
    .filter((row) => roots.has(rootOf(row)))
    .sort((a, b) => (a.session.session_id < b.session.session_id ? -1 : 1));
}

function exported(tables: Tables, { session, addresses, unreachable }: SessionRow): ExportedSession {
  const { session_id, status } = session;
  const { phone } = verifiedOf(session);
  return {
    ...copy(session),
    addresses: [...addresses.values()]
      .map(({ via: _, ...address }) => address)
      .sort((a, b) => (a.channel < b.channel ? -1 : 1)),
    devices: [...tables.tokens.values()]
      .filter((token) => token.session_id === session_id)
      .map(({ device_id, channel, created_at, last_used_at }) => ({
        device_id,
        channel,
        created_at,
        last_used_at,
      }))
      .sort(
        (a, b) => a.created_at.getTime() - b.created_at.getTime() || (a.device_id < b.device_id ? -1 : 1),
      ),
    unreachable,
    has_password: status === "active" && phone !== undefined && tables.passwords.has(phone),
  };
}

function withRevisions({ message, revisions }: MessageRow): ExportedMessage {
  return { ...copy(message), revisions };
}

/** Takes away what is kept of the phones themselves, unless somebody else has the number now. */
function forgetPhones(tables: Tables, rows: readonly SessionRow[], now: Date): void {
  for (const { session } of rows) {
    const { phone } = session;
    const isTaken = [...tables.sessions.values()].some(
      (row) =>
        row.session.status === "active" &&
        row.session.expires_at > now &&
        row.session.phone === phone &&
        !rows.includes(row),
    );
    if (phone === undefined || isTaken) continue;
    tables.codes.delete(phone);
    if (session.phone_verified !== false) tables.passwords.delete(phone);
  }
}

/** Empties a session and ends it. Returns how many messages it emptied. */
function erase(tables: Tables, row: SessionRow, now: Date): number {
  const { session, messages } = row;
  const { session_id } = session;
  closeTokens(tables, row);
  for (const kind of IDENTITY_KINDS) delete session[kind];
  for (const key of ["phone_verified", "customer_id", "feedback", "summary"] as const) delete session[key];
  Object.assign(session, { data: {}, metadata: {} });
  row.addresses.clear();
  row.unreachable = [];
  row.turns = [];
  row.deliveries = [];
  for (const [id, turn] of tables.turns) {
    if (turn.session_id !== session_id) continue;
    if (turn.state === "dead") turn.address = {};
    else tables.turns.delete(id);
  }
  for (const [key, other] of tables.messagesByExternalId)
    if (other.message.session_id === session_id) tables.messagesByExternalId.delete(key);
  for (const [key, { delivery }] of tables.deliveriesByExternalId)
    if (delivery.session_id === session_id) tables.deliveriesByExternalId.delete(key);
  for (const delivery of tables.deliveries.values()) {
    if (delivery.delivery.session_id !== session_id) continue;
    Object.assign(delivery.delivery, { address: {}, content: { kind: "system", event: "erased" } });
    delivery.external_id = undefined;
    if (delivery.state !== "pending" && delivery.state !== "sending") continue;
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
