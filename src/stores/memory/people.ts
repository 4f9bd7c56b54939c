import { HubError } from "../../core/errors.ts";
import { type Identities, identitiesOf, isPersonal } from "../../core/identity/identity.ts";
import type { SessionRef } from "../../core/sessions/session.ts";
import { knownAddresses } from "./addresses.ts";
import { activeOf, lastEndedOf, newCustomer, seenActive, sessionsOf } from "./customers.ts";
import {
  areApart,
  giveIdentity,
  identityRow,
  isSomebody,
  type Known,
  knownOf,
  takeIdentity,
  verifiedOf,
} from "./identities.ts";
import { noticeIn, preferenceOf, spokenTo } from "./languages.ts";
import { mergeAll } from "./merge.ts";
import { tell } from "./notices.ts";
import { retire } from "./retire.ts";
import { type CustomerRow, newId, type SessionRow, type Tables } from "./tables.ts";
import { closeTokens, tokenOf, useToken } from "./tokens.ts";
import { moveWindows } from "./windows.ts";

/** As `lookUp`, and records the use of the token. */
export function findLive(tables: Tables, ref: SessionRef, now: Date): SessionRow {
  const row = lookUp(tables, ref, now);
  useDevice(tables, ref, now);
  return row;
}

/** Records that a device was used. Call it only after the last refusal: a refused call must change nothing. */
export function useDevice(tables: Tables, ref: SessionRef, now: Date): void {
  if ("token_hash" in ref) useToken(tables.tokens.get(ref.token_hash)!, now);
}

/** As `findLive`, at an earlier time. A session that was marked as expired since counts as active until its expiry. */
export function findLiveThen(tables: Tables, ref: SessionRef, then: Date): SessionRow {
  const row = lookUp(tables, ref, then, { wasMarked: true });
  useDevice(tables, ref, then);
  return row;
}

/**
 * The session that a token or id stands for. Throws `session_not_found` or `session_expired` unless it is active. With
 * `wasMarked` a session that is marked as expired is judged by its expiry alone.
 */
export function lookUp(tables: Tables, ref: SessionRef, now: Date, { wasMarked = false } = {}): SessionRow {
  const token = "token_hash" in ref ? tokenOf(tables, ref.token_hash, now) : undefined;
  const row = follow(tables, "token_hash" in ref ? token?.session_id : ref.session_id);
  if (!row) throw new HubError("session_not_found", "there is no such session");
  const { status, expires_at } = row.session;
  const canExpire = status === "active" || status === "expired";
  if (canExpire && (expires_at <= now || (status === "expired" && !wasMarked)))
    throw new HubError("session_expired", "the session has expired");
  if (!canExpire) throw new HubError("session_not_found", "the session has ended");
  return row;
}

/** The session under this id, or the one it was merged into. */
export function follow(tables: Tables, id: string | undefined): SessionRow | undefined {
  let row = id === undefined ? undefined : tables.sessions.get(id);
  while (row?.session.merged_into) row = tables.sessions.get(row.session.merged_into);
  return row;
}

/** The active session of the person with these verified identities: found, merged from several, or opened. */
export function resolve(tables: Tables, identities: Identities, channel: string, now: Date): SessionRow {
  const owner = findOwner(tables, identities, now);
  const customer = settleIdentities(tables, owner, identities, now) ?? welcome(tables, identities, now);
  return activeOf(tables, customer, now) ?? open(tables, customer, channel, now);
}

/** A new customer with these verified identities. */
export function welcome(tables: Tables, identities: Identities, now: Date): CustomerRow {
  const customer = newCustomer(tables, now);
  for (const [kind, value] of identitiesOf(identities))
    giveIdentity(tables, customer, kind, value, { verified: true, now });
  return customer;
}

/** The holder of the strongest of the identities: see `holderOf`. */
export function findOwner(tables: Tables, identities: Identities, now: Date): CustomerRow | undefined {
  const [strongest] = identitiesOf(identities);
  return strongest && holderOf(tables, ...strongest, now);
}

/**
 * The customer who holds an identity. A claimed identity counts only while the customer's session is active, so that a
 * claim carries nothing from one session to the next.
 */
export function holderOf(
  tables: Tables,
  kind: Parameters<typeof identityRow>[1],
  value: string,
  now: Date,
): CustomerRow | undefined {
  const row = identityRow(tables, kind, value);
  return row && (row.verified_at || seenActive(tables, row.customer, now)) ? row.customer : undefined;
}

/**
 * Gives a customer these verified identities. Each other customer who holds one of them is joined with the owner,
 * unless the two are known to be different people. In that case only the identity moves, because its proof is newer,
 * and the other customer is notified. Returns undefined when no customer holds any of them.
 *
 * `keep` is the token of the device that proved them. All other tokens of the sessions end when customers are joined,
 * and when a customer without an identity of a person gets the first one.
 */
export function settleIdentities(
  tables: Tables,
  owner: CustomerRow | undefined,
  identities: Identities,
  now: Date,
  keep?: string,
): CustomerRow | undefined {
  const given = identitiesOf(identities);
  const holders = new Set(given.flatMap(([kind, value]) => holderOf(tables, kind, value, now) ?? []));
  if (owner) holders.delete(owner);
  const before = owner && knownOf(owner);
  let known: Known = { ...before, identities: { ...before?.identities, ...identities } };
  const same = owner ? [owner] : [];
  for (const customer of [...holders].sort(bySeniority)) {
    const theirs = knownOf(customer);
    if (areApart(theirs, known)) strip(tables, customer, identities, now);
    else {
      known = unite(known, theirs);
      same.push(customer);
    }
  }
  if (same.length === 0) return undefined;
  return join(tables, same, identities, { owner, keep, now });
}

/** What is known of two people who are one. The first one's values win. */
function unite(one: Known, other: Known): Known {
  return {
    identities: { ...other.identities, ...one.identities },
    customer_id: one.customer_id ?? other.customer_id,
  };
}

interface Joining {
  /**
   * The customer who proved the identities. Sessions of other customers with only a claimed phone are merged as weak.
   */
  readonly owner: CustomerRow | undefined;
  readonly keep: string | undefined;
  readonly now: Date;
}

/** Joins customers into the oldest, with these verified identities. Their active sessions are merged. */
export function join(
  tables: Tables,
  same: readonly CustomerRow[],
  identities: Identities,
  { owner, keep, now }: Joining,
): CustomerRow {
  const [survivor, ...younger] = same.toSorted(bySeniority);
  const sessions = same.flatMap((customer) => activeOf(tables, customer, now) ?? []);
  const weak = sessions.filter(({ customer }) => isClaim(customer) && customer !== owner);
  const all: Identities = Object.assign({}, ...same.map(verifiedOf), identities);
  const isExposed = isSomebody(all) && !isSomebody(verifiedOf(survivor!));
  if (younger.length > 0 || isExposed)
    closeTokens(
      tables,
      same.flatMap((customer) => sessionsOf(tables, customer)),
      keep,
    );
  for (const customer of same) {
    if (isSomebody(all)) dropClaim(tables, customer, identities);
    dropReplaced(tables, customer, identities);
  }
  for (const customer of younger) moveCustomer(tables, survivor!, customer);
  mergeAll(
    tables,
    sessions,
    (row) => weak.includes(row),
    (row) => retire(row.session, "merged", now),
  );
  for (const [kind, value] of identitiesOf(identities))
    giveIdentity(tables, survivor!, kind, value, { verified: true, now });
  return survivor!;
}

/** Sorts customers by age, oldest first. */
function bySeniority(a: CustomerRow, b: CustomerRow): number {
  return a.created_at.getTime() - b.created_at.getTime() || (a.customer_key < b.customer_key ? -1 : 1);
}

function isClaim({ identities }: CustomerRow): boolean {
  return identities.has("phone") && identities.get("phone")!.verified_at === undefined;
}

/** Takes a claimed phone from a customer whose identity is now verified, unless that phone itself was verified. */
function dropClaim(tables: Tables, customer: CustomerRow, identities: Identities): void {
  const phone = customer.identities.get("phone");
  if (phone && !phone.verified_at && phone.value !== identities.phone) takeIdentity(tables, phone);
}

/**
 * Takes from a customer the identities that are replaced by new ones of the same kind. The password moves to the new
 * phone, unless that phone has one.
 */
function dropReplaced(tables: Tables, customer: CustomerRow, identities: Identities): void {
  for (const [kind, value] of identitiesOf(identities)) {
    const before = customer.identities.get(kind);
    if (!before || before.value === value) continue;
    takeIdentity(tables, before);
    const password = tables.passwords.get(before.value);
    if (kind !== "phone" || !before.verified_at || !password) continue;
    tables.passwords.delete(before.value);
    if (!tables.passwords.has(value)) tables.passwords.set(value, password);
  }
}

/** Moves everything of one customer to the survivor. Of two identities of one kind the survivor's stays. */
function moveCustomer(tables: Tables, survivor: CustomerRow, younger: CustomerRow): void {
  for (const row of younger.identities.values()) {
    if (survivor.identities.has(row.kind)) takeIdentity(tables, row);
    else {
      row.customer = survivor;
      survivor.identities.set(row.kind, row);
    }
  }
  survivor.unreachable = [...new Set([...survivor.unreachable, ...younger.unreachable])].sort();
  for (const [channel, at] of younger.reachability_at)
    survivor.reachability_at.set(channel, latest(at, survivor.reachability_at.get(channel) ?? at));
  const customer_id = survivor.customer_id ?? younger.customer_id;
  if (customer_id !== undefined) survivor.customer_id = customer_id;
  survivor.profile = { ...younger.profile, ...survivor.profile };
  if (younger.plan === "premium") survivor.plan = "premium";
  const preferred_language = survivor.preferred_language ?? younger.preferred_language;
  if (preferred_language !== undefined) survivor.preferred_language = preferred_language;
  for (const row of sessionsOf(tables, younger)) row.customer = survivor;
  moveWindows(tables, younger, survivor);
  tables.customers.delete(younger.customer_key);
}

/** Marks the session as used on a channel now. An event that comes late, from the journal, never moves a time back. */
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

/** Opens a session for a customer who has no active one. */
export function open(tables: Tables, customer: CustomerRow, channel: string, now: Date): SessionRow {
  const previous = lastEndedOf(tables, customer);
  const session: SessionRow["session"] = {
    session_id: newId(tables, now),
    ...(previous && { previous_session_id: previous.session.session_id }),
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
  const preferred = preferenceOf(tables, customer);
  const language = preferred ?? tables.settings.language;
  if (language !== undefined) session.language = language;
  const row: SessionRow = {
    session,
    ...(preferred !== undefined && { language_by: "customer" }),
    customer,
    channels_since: [],
    last_seq: 0,
    messages: [],
    turns: [],
    deliveries: [],
  };
  tables.sessions.set(session.session_id, row);
  return row;
}

/**
 * Takes from a customer the identities that another person has verified, and notifies them at their other addresses.
 */
function strip(tables: Tables, customer: CustomerRow, identities: Identities, now: Date): void {
  const lost = identitiesOf(identities).flatMap(([kind, value]) => {
    const row = customer.identities.get(kind);
    return row?.value === value ? [row] : [];
  });
  for (const row of lost) {
    takeIdentity(tables, row);
    if (row.kind === "phone") tables.passwords.delete(row.value);
  }
  const active = activeOf(tables, customer, now);
  if (active) {
    active.session.updated_at = now;
    active.session.version += 1;
  }
  const addresses = knownAddresses(customer);
  const row = active ?? (addresses.length > 0 ? lastEndedOf(tables, customer) : undefined);
  if (!row || !lost.some(({ kind }) => isPersonal(kind))) return;
  const name = lost.some(({ kind }) => kind === "phone") ? "phone_moved" : "account_moved";
  tell(tables, row, noticeIn(tables, name, spokenTo(tables, customer)), addresses, now);
  tables.effects.notified.push(row.session.session_id);
}

function latest(a: Date, b: Date): Date {
  return a > b ? a : b;
}
