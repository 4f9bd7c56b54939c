import { HubError } from "../../core/errors.ts";
import { type Identities, identitiesOf } from "../../core/identity/identity.ts";
import { mergePatch } from "../../core/json.ts";
import type { TurnState } from "../../core/messages/message.ts";
import { MOST_FOUND, refuseGrowth, type Session } from "../../core/sessions/session.ts";
import type { SessionQuery, Sessions } from "../../core/sessions/sessions.ts";
import { claim, refuseClaim } from "./claims.ts";
import { nameCustomer, noteConflict } from "./customer-ids.ts";
import { activeOf, byAge, customerCalled, documentOf, seenActive, sessionsOf } from "./customers.ts";
import { identityRow } from "./identities.ts";
import { chosenLanguage, decideLanguage, switchLanguage } from "./languages.ts";
import { addMessage } from "./messages.ts";
import {
  findLive,
  findOwner,
  follow,
  holderOf,
  lookUp,
  open,
  settleIdentities,
  touch,
  useDevice,
  welcome,
} from "./people.ts";
import { endTokens, rate } from "./ratings.ts";
import { retire } from "./retire.ts";
import { listSessions } from "./session-list.ts";
import { type CustomerRow, copy, externalKey, type SessionRow, type Tables, takeEffects } from "./tables.ts";
import { giveToken } from "./tokens.ts";
import { openWindows } from "./windows.ts";

/** The frontends' calls on sessions in memory. */
export function memorySessions(tables: Tables): Sessions {
  return {
    async start({ identities, channel, customer_id, data, token_hash, claimed }, now) {
      takeEffects(tables);
      const found = findOwner(tables, identities, now);
      const there = found && seenActive(tables, found, now)?.session;
      if (data) {
        const before = there ?? { data: {}, metadata: {} };
        refuseGrowth(before, { ...before, data: mergePatch(before.data, data) });
      }
      const name = claimed ? undefined : customer_id;
      const { row, isConflict } = claimed
        ? { row: claim(tables, identities, channel, now), isConflict: false }
        : begin(tables, identities, name, channel, now);
      touch(tables, row, channel, now);
      if (data !== undefined) row.session.data = mergePatch(row.session.data, data);
      if (isConflict) noteConflict(tables, row, name!);
      if (row.session.created_at < now && (name !== undefined || data !== undefined))
        row.session.version += 1;
      if (token_hash !== undefined) giveToken(tables, token_hash, row, channel, now);
      return { ...documentOf(row), ...takeEffects(tables) };
    },

    async restore({ token_hash, identities, customer_id, claimed }, channel, now) {
      takeEffects(tables);
      const isGiven = identities !== undefined || customer_id !== undefined;
      const found = isGiven
        ? findNamed(tables, identities ?? {}, customer_id, claimed ?? false, channel, now)
        : findLive(tables, { token_hash }, now);
      if (!found) throw new HubError("session_not_found", "there is no such session");
      const name = claimed ? undefined : customer_id;
      const { row, isConflict } =
        name === undefined ? { row: found, isConflict: false } : named(tables, found, name, now, undefined);
      if (isConflict) noteConflict(tables, row, name!);
      touch(tables, row, channel, now);
      if (isGiven) giveToken(tables, token_hash, row, channel, now);
      return { ...documentOf(row), ...takeEffects(tables) };
    },

    async windows(session_id, now) {
      const row = tables.sessions.get(session_id);
      return row ? openWindows(tables, row.customer, now) : [];
    },

    async find(who, now) {
      if ("session_id" in who) {
        const row = tables.sessions.get(who.session_id);
        return row ? [documentOf(row)] : [];
      }
      const customer = customerMeant(tables, who);
      if (!customer) return [];
      const active = seenActive(tables, customer, now);
      const others = sessionsOf(tables, customer)
        .filter((row) => row !== active && row.session.status !== "merged")
        .sort(byAge)
        .reverse();
      return [...(active ? [active] : []), ...others].slice(0, MOST_FOUND).map(documentOf);
    },

    async update(of, changes, now) {
      takeEffects(tables);
      const asked = lookUp(tables, of, now);
      const { data, metadata, language, customer_id, message, if_version } = changes;
      if (if_version !== undefined && if_version !== asked.session.version)
        throw new HubError("version_conflict", `the session is at version ${asked.session.version}`);
      const isDevices = message !== undefined && "token_hash" in of;
      const channel = isDevices ? ownChannel(tables, of.token_hash, changes.channel) : changes.channel;
      const chosen = language && chosenLanguage(tables, asked.customer, language);
      refuseGrowth(asked.session, patched(asked.session, changes));
      useDevice(tables, of, now);
      const { row, isConflict } =
        customer_id === undefined
          ? { row: asked, isConflict: false }
          : named(tables, asked, customer_id, now, "token_hash" in of ? of.token_hash : undefined);
      const { session } = row;
      touch(tables, row, channel, now);
      Object.assign(session, patched(session, changes));
      if (isConflict) noteConflict(tables, row, customer_id!);
      if (chosen !== undefined) Object.assign(session, { language: chosen });
      if (chosen !== undefined) row.language_by = "chosen";
      if (data || metadata || language !== undefined || customer_id !== undefined) session.version += 1;
      if (message) addReported(tables, row, message, channel ?? session.channel, now);
      return { ...documentOf(row), ...takeEffects(tables) };
    },

    async setLanguage(of, language, now) {
      const row = findLive(tables, of, now);
      chosenLanguage(tables, row.customer, language);
      touch(tables, row, undefined, now);
      const message = switchLanguage(tables, row, language, now);
      return { session: documentOf(row), ...(message && { message: copy(message) }) };
    },

    async end(token_hash, now, closing) {
      const row = findLive(tables, { token_hash }, now);
      const { session } = row;
      retire(session, "logged_out", now);
      Object.assign(session, closing);
      const token_hashes = endTokens(tables, session.session_id, now);
      return { session: documentOf(row), token_hashes };
    },

    async rate(session_id, token_hash, rating, now) {
      return rate(tables, session_id, token_hash, rating, now);
    },

    async list(filter, after, limit) {
      return listSessions(tables, filter, after, limit);
    },

    async signOut(token_hash) {
      return tables.tokens.delete(token_hash);
    },

    async messages(of, after, limit, now) {
      const row =
        "token_hash" in of
          ? (endedByBot(tables, of.token_hash, now) ?? lookUp(tables, of, now))
          : follow(tables, of.session_id);
      if (!row) throw new HubError("session_not_found", "there is no such session");
      const { session_id } = row.session;
      const newer = row.messages.filter(({ message }) => message.seq > after);
      const messages = newer.slice(0, limit).map(({ message }) => {
        const turn = turnStateOf(tables, message.message_id);
        return { ...copy(message), ...(turn && { turn }) };
      });
      const merges = [...tables.sessions.values()].filter(
        ({ session }) => session.merged_into === session_id,
      );
      return {
        session_id,
        messages,
        cursor: messages.at(-1)?.seq ?? after,
        more: newer.length > limit,
        epoch: `${session_id}.${merges.length}`,
      };
    },
  };
}

/** The session that a bot has ended a moment ago, by one of its tokens. */
function endedByBot(tables: Tables, token_hash: string, now: Date): SessionRow | undefined {
  const ended = tables.tokens.has(token_hash) ? undefined : tables.endedTokens.get(token_hash);
  const isReadable = ended?.readable_until !== undefined && ended.readable_until > now;
  return isReadable ? tables.sessions.get(ended.session_id) : undefined;
}

interface Named {
  readonly row: SessionRow;
  /** The given `customer_id` cannot be this customer's, and was not stored. */
  readonly isConflict: boolean;
}

/**
 * The active session of the person with these identities and this `customer_id`: found, merged from several, or opened.
 */
function begin(
  tables: Tables,
  identities: Identities,
  customer_id: string | undefined,
  channel: string,
  now: Date,
): Named {
  const owner = findOwner(tables, identities, now);
  const settled = settleIdentities(tables, owner, identities, now);
  const { customer, isConflict } =
    customer_id === undefined
      ? { customer: settled ?? welcome(tables, identities, now), isConflict: false }
      : nameCustomer(tables, settled, identities, customer_id, now);
  const row = activeOf(tables, customer, now) ?? open(tables, customer, channel, now);
  return { row, isConflict };
}

/** Gives a session's customer a `customer_id`. Returns the session, or the older one that it was merged into. */
function named(
  tables: Tables,
  { customer: found }: SessionRow,
  customer_id: string,
  now: Date,
  keep: string | undefined,
): Named {
  const { customer, isConflict } = nameCustomer(tables, found, {}, customer_id, now, keep);
  return { row: activeOf(tables, customer, now)!, isConflict };
}

/**
 * The active session that a trusted caller names, by identities, or by `customer_id` if no identity finds a customer. A
 * claimed phone becomes verified by this, unless the caller only claims it as well.
 */
function findNamed(
  tables: Tables,
  identities: Identities,
  customer_id: string | undefined,
  claimed: boolean,
  channel: string | undefined,
  now: Date,
): SessionRow | undefined {
  if (claimed) refuseClaim(tables, identities, channel, now);
  for (const [kind, value] of identitiesOf(identities)) {
    const holder = holderOf(tables, kind, value, now);
    const row = holder && seenActive(tables, holder, now);
    if (!row) continue;
    const isClaim = !identityRow(tables, kind, value)!.verified_at;
    if (isClaim && !claimed) settleIdentities(tables, holder, { [kind]: value }, now);
    return row;
  }
  const isFound = identitiesOf(identities).some(([kind, value]) => holderOf(tables, kind, value, now));
  const called =
    customer_id === undefined || claimed || isFound ? undefined : customerCalled(tables, customer_id);
  return called && seenActive(tables, called, now);
}

/** The customer whom a query names. */
function customerMeant(
  tables: Tables,
  who: Exclude<SessionQuery, { session_id: string }>,
): CustomerRow | undefined {
  if ("customer_id" in who) return customerCalled(tables, who.customer_id);
  const rows = identitiesOf(who.identities).flatMap(
    ([kind, value]) => identityRow(tables, kind, value) ?? [],
  );
  return rows[0]?.customer;
}

/**
 * The channel of a message that a device stores: its token's own. Throws `forbidden` when the call names another one.
 */
function ownChannel(tables: Tables, token_hash: string, asked: string | undefined): string {
  const { channel } = tables.tokens.get(token_hash)!;
  if (asked !== undefined && asked !== channel)
    throw new HubError("forbidden", "channel: a token's messages stand on its own channel only");
  return channel;
}

/** A session's `data` and `metadata` after the patches. */
function patched(
  session: Session,
  { data, metadata }: Parameters<Sessions["update"]>[1],
): Pick<Session, "data" | "metadata"> {
  return {
    data: data ? mergePatch(session.data, data) : session.data,
    metadata: metadata ? mergePatch(session.metadata, metadata) : session.metadata,
  };
}

/** Stores a message that a frontend reports, once. */
function addReported(
  tables: Tables,
  row: SessionRow,
  reported: NonNullable<Parameters<Sessions["update"]>[1]["message"]>,
  channel: string,
  now: Date,
): void {
  const { role, text, external_id, author } = reported;
  const { session_id } = row.session;
  const isKnown =
    external_id !== undefined &&
    tables.messagesByExternalId.has(externalKey(channel, session_id, external_id));
  if (isKnown) return;
  const side =
    role === "user"
      ? { direction: "inbound" as const }
      : { direction: "outbound" as const, status: "sent" as const };
  const content = { kind: "text", text } as const;
  addMessage(tables, row, { channel, external_id, role, author, ...side, content }, now);
  decideLanguage(tables, row, reported.language);
}

/** The state of a message's turn. Undefined when the turn is done, or when the message has none. */
function turnStateOf(tables: Tables, message_id: string): TurnState | undefined {
  const turn = [...tables.turns.values()]
    .filter((row) => row.message_id === message_id && row.state !== "done")
    .sort((a, b) => (a.turn_id < b.turn_id ? -1 : 1))
    .at(-1);
  if (!turn) return undefined;
  const { attempt, failure } = turn;
  const waits = attempt === 0 ? ("waiting" as const) : ("retrying" as const);
  return {
    state: turn.state === "pending" ? waits : (turn.state as "running" | "dead"),
    attempt,
    ...failure,
  };
}
