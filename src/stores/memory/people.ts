import { HubError } from "../../core/errors.ts";
import { IDENTITY_KINDS, type Identities, type IdentityKind } from "../../core/identity.ts";
import type { Session, SessionRef } from "../../core/session.ts";
import { externalKey, newId, type SessionRow, type Tables } from "./tables.ts";

/** A browser is no person: two of them may be one customer. */
const TELLS_PEOPLE_APART = [
  "telegram_chat_id",
  "whatsapp_user_id",
  "phone",
] as const satisfies IdentityKind[];

/** The active session of an identity. One that is past its expiry is marked so and not found. */
export function findActive(
  tables: Tables,
  kind: IdentityKind,
  value: string,
  now: Date,
): SessionRow | undefined {
  for (const row of tables.sessions.values()) {
    const { session } = row;
    if (session.status !== "active" || session[kind] !== value) continue;
    if (session.expires_at > now) return row;
    retire(session, "expired", now);
  }
  return undefined;
}

/** The session that a token or id stands for. Throws `session_not_found` or `session_expired` unless it is active. */
export function findLive(tables: Tables, ref: SessionRef, now: Date): SessionRow {
  const id = "token_hash" in ref ? tables.tokens.get(ref.token_hash) : ref.session_id;
  const row = follow(tables, id);
  if (!row) throw new HubError("session_not_found", "there is no such session");
  const { status, expires_at } = row.session;
  if (status === "expired" || (status === "active" && expires_at <= now))
    throw new HubError("session_expired", "the session has expired");
  if (status !== "active") throw new HubError("session_not_found", "the session has ended");
  return row;
}

/** The session under this id, or the one it was merged into. */
export function follow(tables: Tables, id: string | undefined): SessionRow | undefined {
  let row = id === undefined ? undefined : tables.sessions.get(id);
  while (row?.session.merged_into) row = tables.sessions.get(row.session.merged_into);
  return row;
}

/**
 * The one session of the person with these proven identities: found, merged from several, or opened.
 * The strongest identity says who it is. A session found by a weaker one is the same person's unless it holds
 * another value of something that tells people apart; then only that identity moves, for its proof is newer.
 */
export function resolve(tables: Tables, identities: Identities, channel: string, now: Date): SessionRow {
  const owner = findOwner(tables, identities, now);
  return settleIdentities(tables, owner, identities, now) ?? open(tables, identities, channel, now);
}

/** Gives a session's person these identities, merging or stripping whoever holds them. Undefined when nobody does. */
export function settleIdentities(
  tables: Tables,
  owner: SessionRow | undefined,
  identities: Identities,
  now: Date,
): SessionRow | undefined {
  const holders = new Set<SessionRow>();
  for (const kind of IDENTITY_KINDS) {
    const value = identities[kind];
    const row = value === undefined ? undefined : findActive(tables, kind, value, now);
    if (row && row !== owner) holders.add(row);
  }
  let known: Identities = { ...(owner && identitiesOf(owner.session)), ...identities };
  const same = owner ? [owner] : [];
  for (const row of [...holders].sort(byAge)) {
    if (
      TELLS_PEOPLE_APART.every(
        (kind) =>
          row.session[kind] === undefined || known[kind] === undefined || row.session[kind] === known[kind],
      )
    ) {
      known = { ...identitiesOf(row.session), ...known };
      same.push(row);
    } else strip(row.session, identities, now);
  }
  const [survivor, ...younger] = same.sort(byAge);
  if (!survivor) return undefined;
  for (const row of younger) merge(tables, survivor, row, now);
  for (const kind of IDENTITY_KINDS) {
    const value = identities[kind];
    if (value !== undefined) survivor.session[kind] = value;
  }
  return survivor;
}

/** Marks the session as used on a channel now. */
export function touch(tables: Tables, row: SessionRow, channel: string | undefined, now: Date): void {
  const { session } = row;
  session.last_activity = now;
  session.updated_at = now;
  session.expires_at = new Date(now.getTime() + tables.settings.sessionTtlMs);
  if (channel !== undefined && !session.channels.includes(channel)) {
    session.channels = [...session.channels, channel];
    row.channels_since.push(now);
  }
}

/** Ends a session's life. */
export function retire(
  session: SessionRow["session"],
  status: Exclude<Session["status"], "active">,
  now: Date,
): void {
  session.status = status;
  session.ended_at = now;
  session.updated_at = now;
  session.version += 1;
}

function findOwner(tables: Tables, identities: Identities, now: Date): SessionRow | undefined {
  const anchor = IDENTITY_KINDS.find((kind) => identities[kind] !== undefined);
  return anchor && findActive(tables, anchor, identities[anchor]!, now);
}

function open(tables: Tables, identities: Identities, channel: string, now: Date): SessionRow {
  const session: SessionRow["session"] = {
    session_id: newId(tables, now),
    ...identities,
    channel,
    channels: [],
    status: "active",
    data: {},
    metadata: {},
    version: 1,
    message_count: 0,
    created_at: now,
    updated_at: now,
    last_activity: now,
    expires_at: now,
  };
  if (tables.settings.language !== undefined) session.language = tables.settings.language;
  const row: SessionRow = {
    session,
    channels_since: [],
    unreachable: [],
    messages: [],
    turns: [],
    deliveries: [],
  };
  tables.sessions.set(session.session_id, row);
  return row;
}

function strip(session: SessionRow["session"], identities: Identities, now: Date): void {
  for (const kind of IDENTITY_KINDS)
    if (identities[kind] !== undefined && session[kind] === identities[kind]) delete session[kind];
  session.updated_at = now;
  session.version += 1;
}

function merge(tables: Tables, survivor: SessionRow, younger: SessionRow, now: Date): void {
  const into = survivor.session;
  const from = younger.session;
  for (const key of [
    ...IDENTITY_KINDS,
    "customer_id",
    "language",
    "rating",
    "feedback",
    "summary",
  ] as const) {
    if (into[key] === undefined && from[key] !== undefined) Object.assign(into, { [key]: from[key] });
  }
  into.data = { ...into.data, ...from.data };
  into.metadata = { ...into.metadata, ...from.metadata };
  into.message_count += from.message_count;
  if (from.last_activity > into.last_activity) into.last_activity = from.last_activity;
  if (from.expires_at > into.expires_at) into.expires_at = from.expires_at;
  into.version += 1;
  uniteChannels(survivor, younger);
  survivor.unreachable = [...new Set([...survivor.unreachable, ...younger.unreachable])].sort();
  moveBelongings(tables, survivor, younger);
  from.message_count = 0;
  from.merged_into = into.session_id;
  retire(from, "merged", now);
}

function uniteChannels(survivor: SessionRow, younger: SessionRow): void {
  const uses = [survivor, younger].flatMap((row) =>
    row.session.channels.map((name, i) => ({ name, since: row.channels_since[i]! })),
  );
  uses.sort((a, b) => a.since.getTime() - b.since.getTime());
  const first = uses.filter((use, i) => uses.findIndex((other) => other.name === use.name) === i);
  survivor.session.channels = first.map((use) => use.name);
  survivor.channels_since = first.map((use) => use.since);
}

/** A caller's id that both sessions know keeps its own session's scope, so that both messages stay. */
function moveBelongings(tables: Tables, survivor: SessionRow, younger: SessionRow): void {
  const from = younger.session.session_id;
  const into = survivor.session.session_id;
  for (const row of younger.messages) {
    const { channel, external_id } = row.message;
    if (row.account === undefined && external_id !== undefined) {
      const key = externalKey(channel, into, external_id);
      if (tables.messagesByExternalId.has(key)) row.account = from;
      else {
        tables.messagesByExternalId.delete(externalKey(channel, from, external_id));
        tables.messagesByExternalId.set(key, row);
      }
    }
    row.message.session_id = into;
  }
  for (const turn of tables.turns.values()) if (turn.session_id === from) turn.session_id = into;
  for (const { delivery } of tables.deliveries.values())
    if (delivery.session_id === from) delivery.session_id = into;
  for (const [hash, id] of tables.tokens) if (id === from) tables.tokens.set(hash, into);
  survivor.messages = [...survivor.messages, ...younger.messages].sort(
    (a, b) => a.message.seq - b.message.seq,
  );
  survivor.turns = [...survivor.turns, ...younger.turns].sort((a, b) => a.seq - b.seq);
  survivor.deliveries = [...survivor.deliveries, ...younger.deliveries].sort((a, b) => a.seq - b.seq);
  younger.messages = [];
  younger.turns = [];
  younger.deliveries = [];
}

function identitiesOf(session: Session): Identities {
  return Object.fromEntries(
    IDENTITY_KINDS.flatMap((kind) => (session[kind] === undefined ? [] : [[kind, session[kind]]])),
  );
}

function byAge(a: SessionRow, b: SessionRow): number {
  const difference = a.session.created_at.getTime() - b.session.created_at.getTime();
  return difference || (a.session.session_id < b.session.session_id ? -1 : 1);
}
