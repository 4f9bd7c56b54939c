import { HubError } from "../../core/errors.ts";
import type { Identities, IdentityKind } from "../../core/identity/identity.ts";
import { NOTICES } from "../../core/identity/notices.ts";
import type { Session, SessionRef } from "../../core/sessions/session.ts";
import { dropLostAddresses, knownAddresses } from "./addresses.ts";
import { areApart, IDENTITY_KINDS, isSomebody, PERSONAL, verifiedOf } from "./identities.ts";
import { byAge, merge } from "./merge.ts";
import { tell } from "./notices.ts";
import { followPhone } from "./passwords.ts";
import { newId, type SessionRow, type Tables } from "./tables.ts";
import { closeTokens, tokenOf, useToken } from "./tokens.ts";

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

/** As `lookUp`, and a token is used by it. */
export function findLive(tables: Tables, ref: SessionRef, now: Date): SessionRow {
  const row = lookUp(tables, ref, now);
  if ("token_hash" in ref) useToken(tables.tokens.get(ref.token_hash)!, now);
  return row;
}

/** The session that a token or id stands for. Throws `session_not_found` or `session_expired` unless it is active. */
export function lookUp(tables: Tables, ref: SessionRef, now: Date): SessionRow {
  const token = "token_hash" in ref ? tokenOf(tables, ref.token_hash, now) : undefined;
  const row = follow(tables, "token_hash" in ref ? token?.session_id : ref.session_id);
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
export function resolve(
  tables: Tables,
  identities: Identities,
  channel: string,
  now: Date,
  promised?: string,
): SessionRow {
  const owner = findOwner(tables, identities, now);
  return settleIdentities(tables, owner, identities, now) ?? open(tables, identities, channel, now, promised);
}

/**
 * Gives a session's person these identities, merging or stripping whoever holds them. Undefined when nobody does.
 * `keep` is the token through which the proof came: others of a session that was nobody's may be anybody's, and die.
 */
export function settleIdentities(
  tables: Tables,
  owner: SessionRow | undefined,
  identities: Identities,
  now: Date,
  keep?: string,
): SessionRow | undefined {
  const holders = new Set<SessionRow>();
  for (const kind of IDENTITY_KINDS) {
    const value = identities[kind];
    const row = value === undefined ? undefined : findActive(tables, kind, value, now);
    if (row && row !== owner) holders.add(row);
  }
  let known: Identities = { ...(owner && verifiedOf(owner.session)), ...identities };
  const same = owner ? [owner] : [];
  for (const row of [...holders].sort(byAge)) {
    const verified = verifiedOf(row.session);
    if (areApart(verified, known)) strip(tables, row, identities, now);
    else {
      known = { ...verified, ...known };
      same.push(row);
    }
  }
  const [survivor, ...younger] = same.sort(byAge);
  if (!survivor) return undefined;
  const phones = same.flatMap(({ session }) => verifiedOf(session).phone ?? []);
  if (isSomebody(known))
    for (const row of same) if (!isSomebody(verifiedOf(row.session))) closeTokens(tables, row, keep);
  for (const row of younger) {
    merge(tables, survivor, row, owner);
    retire(row.session, "merged", now);
  }
  const { session } = survivor;
  for (const kind of IDENTITY_KINDS) {
    const value = identities[kind];
    if (value !== undefined) session[kind] = value;
  }
  if (identities.phone !== undefined) delete session.phone_verified;
  else if (isSomebody(known)) dropClaim(session);
  dropLostAddresses(survivor);
  followPhone(tables, survivor, phones, now);
  return survivor;
}

/** Lets the id of a session that was promised lead to this one. */
export function leadTo(tables: Tables, row: SessionRow, promised: string, channel: string, now: Date): void {
  if (tables.sessions.has(promised)) return;
  const { session } = open(tables, {}, channel, now, promised);
  session.merged_into = row.session.session_id;
  retire(session, "merged", now);
  session.version = 1;
}

/** Marks the session as used on a channel now. What comes late, from the journal, moves nothing back. */
export function touch(tables: Tables, row: SessionRow, channel: string | undefined, now: Date): void {
  const { session } = row;
  session.last_activity = latest(session.last_activity, now);
  session.updated_at = latest(session.updated_at, now);
  session.expires_at = latest(session.expires_at, new Date(now.getTime() + tables.settings.sessionTtlMs));
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

/** The active session of the strongest of the identities. */
export function findOwner(tables: Tables, identities: Identities, now: Date): SessionRow | undefined {
  const anchor = IDENTITY_KINDS.find((kind) => identities[kind] !== undefined);
  return anchor && findActive(tables, anchor, identities[anchor]!, now);
}

/** A new session, of nobody or of these identities. */
export function open(
  tables: Tables,
  identities: Identities & Pick<Session, "phone_verified">,
  channel: string,
  now: Date,
  promised?: string,
): SessionRow {
  const session: SessionRow["session"] = {
    session_id: promised === undefined || tables.sessions.has(promised) ? newId(tables, now) : promised,
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
    addresses: new Map(),
    messages: [],
    turns: [],
    deliveries: [],
  };
  tables.sessions.set(session.session_id, row);
  followPhone(tables, row, [], now);
  return row;
}

/** A phone that somebody claimed does not become that of who they turn out to be. */
function dropClaim(session: SessionRow["session"]): void {
  if (session.phone_verified !== false) return;
  delete session.phone;
  delete session.phone_verified;
}

/** Takes from a session what is proven to be another person's now, and tells its own. */
function strip(tables: Tables, row: SessionRow, identities: Identities, now: Date): void {
  const { session } = row;
  const lost = IDENTITY_KINDS.filter(
    (kind) => identities[kind] !== undefined && session[kind] === identities[kind],
  );
  const phones = lost.includes("phone") ? [] : [session.phone ?? []].flat();
  for (const kind of lost) delete session[kind];
  session.updated_at = now;
  session.version += 1;
  dropLostAddresses(row);
  followPhone(tables, row, phones, now);
  if (!PERSONAL.some((kind) => lost.includes(kind))) return;
  const { phone_moved, account_moved } = tables.settings.notices ?? NOTICES;
  tell(tables, row, lost.includes("phone") ? phone_moved : account_moved, knownAddresses(row), now);
  tables.effects.notified.push(session.session_id);
}

function latest(a: Date, b: Date): Date {
  return a > b ? a : b;
}
