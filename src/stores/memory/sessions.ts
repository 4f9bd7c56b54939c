import { HubError } from "../../core/errors.ts";
import type { Identities } from "../../core/identity/identity.ts";
import { mergePatch } from "../../core/json.ts";
import { refuseGrowth } from "../../core/sessions/session.ts";
import type { Sessions } from "../../core/sessions/sessions.ts";
import type { Housekeeping } from "../../core/sweep/housekeeping.ts";
import { claim, refuseClaim } from "./claims.ts";
import { IDENTITY_KINDS } from "./identities.ts";
import { addMessage } from "./messages.ts";
import {
  findActive,
  findLive,
  findOwner,
  follow,
  leadTo,
  lookUp,
  resolve,
  retire,
  settleIdentities,
  touch,
} from "./people.ts";
import { addAudit } from "./privacy.ts";
import { FORGET_MS } from "./rate-limits.ts";
import { copy, externalKey, later, type SessionRow, type Tables, takeEffects } from "./tables.ts";
import { giveToken } from "./tokens.ts";

/** The sessions as frontends use them. */
export function memorySessions(tables: Tables): Sessions {
  return {
    async start({ identities, channel, customer_id, data, token_hash, session_id, claimed }, now) {
      takeEffects(tables);
      const there = findOwner(tables, identities, now)?.session;
      if (there && data) refuseGrowth(there, { ...there, data: mergePatch(there.data, data) });
      const row =
        taken(tables, identities, session_id, now) ??
        (claimed ? claim : resolve)(tables, identities, channel, now, session_id);
      touch(tables, row, channel, now);
      if (customer_id !== undefined) row.session.customer_id = customer_id;
      if (data !== undefined) row.session.data = mergePatch(row.session.data, data);
      if (row.session.created_at < now && (customer_id !== undefined || data !== undefined))
        row.session.version += 1;
      if (token_hash !== undefined) giveToken(tables, token_hash, row, channel, now);
      if (session_id !== undefined) leadTo(tables, row, session_id, channel, now);
      return { ...copy(row.session), ...takeEffects(tables) };
    },

    async restore({ token_hash, identities, claimed }, channel, now) {
      takeEffects(tables);
      const row = identities
        ? findVouched(tables, identities, claimed ?? false, channel, now)
        : findLive(tables, { token_hash }, now);
      if (!row) throw new HubError("session_not_found", "there is no such session");
      touch(tables, row, channel, now);
      if (identities) giveToken(tables, token_hash, row, channel, now);
      return { ...copy(row.session), ...takeEffects(tables) };
    },

    async find() {
      throw new HubError("needs_database", "not yet");
    },

    async update(of, changes, now) {
      const row = findLive(tables, of, now);
      const { session } = row;
      const { data, metadata, language, channel, message, if_version } = changes;
      if (if_version !== undefined && if_version !== session.version)
        throw new HubError("version_conflict", `the session is at version ${session.version}`);
      const after = {
        data: data ? mergePatch(session.data, data) : session.data,
        metadata: metadata ? mergePatch(session.metadata, metadata) : session.metadata,
      };
      refuseGrowth(session, after);
      touch(tables, row, channel, now);
      Object.assign(session, after);
      if (language !== undefined) session.language = language;
      if (data || metadata || language !== undefined) session.version += 1;
      if (message) {
        const { role, text, external_id } = message;
        const spoken = channel ?? session.channel;
        const known =
          external_id === undefined
            ? undefined
            : tables.messagesByExternalId.get(externalKey(spoken, session.session_id, external_id));
        const side =
          role === "user"
            ? { direction: "inbound" as const }
            : { direction: "outbound" as const, status: "sent" as const };
        if (!known)
          addMessage(
            tables,
            row,
            { channel: spoken, external_id, role, ...side, content: { kind: "text", text } },
            now,
          );
      }
      return copy(session);
    },

    async end(token_hash, now) {
      const { session } = findLive(tables, { token_hash }, now);
      retire(session, "logged_out", now);
      const token_hashes = [...tables.tokens]
        .filter(([, { session_id }]) => session_id === session.session_id)
        .map(([hash]) => hash)
        .sort();
      for (const hash of token_hashes) tables.tokens.delete(hash);
      return { session: copy(session), token_hashes };
    },

    async signOut(token_hash) {
      return tables.tokens.delete(token_hash);
    },

    async messages(of, after, limit, now) {
      const row = "token_hash" in of ? lookUp(tables, of, now) : follow(tables, of.session_id);
      if (!row) throw new HubError("session_not_found", "there is no such session");
      const { session_id } = row.session;
      const newer = row.messages.filter(({ message }) => message.seq > after);
      const messages = newer.slice(0, limit).map(({ message }) => copy(message));
      return { session_id, messages, cursor: messages.at(-1)?.seq ?? after, more: newer.length > limit };
    },
  };
}

/** What a start of nobody has opened under its promised id: it comes out of the journal again, and no identity tells. */
function taken(
  tables: Tables,
  identities: Identities,
  promised: string | undefined,
  now: Date,
): SessionRow | undefined {
  const row = tables.sessions.get(promised ?? "");
  const isIt = row?.session.status === "active" && row.session.expires_at > now;
  return isIt && Object.keys(identities).length === 0 ? row : undefined;
}

/** The session that a caller's word finds. A phone that was only claimed is proven by it, unless it is a claim itself. */
function findVouched(
  tables: Tables,
  identities: Identities,
  claimed: boolean,
  channel: string | undefined,
  now: Date,
): SessionRow | undefined {
  if (claimed) refuseClaim(tables, identities, channel, now);
  for (const kind of IDENTITY_KINDS) {
    const value = identities[kind];
    const row = value === undefined ? undefined : findActive(tables, kind, value, now);
    if (!row) continue;
    const isClaim = kind === "phone" && row.session.phone_verified === false;
    return isClaim && !claimed ? settleIdentities(tables, row, { phone: value! }, now) : row;
  }
  return undefined;
}

/** What dies of age. */
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
      if (retention) {
        const { now, messages_before, passwords_before } = retention;
        const messages = messages_before ? forgetMessages(tables, messages_before, limit) : 0;
        const passwords = passwords_before ? forgetPasswords(tables, passwords_before, limit) : 0;
        const details = { sessions: dead.length, messages, passwords };
        if (dead.length + messages + passwords > 0)
          addAudit(tables, { actor: "retention", action: "purge", of: "retention", details }, now);
      }
      return dead.length;
    },
  };
}

/** Deletes old messages, but for those still to be answered or sent. Returns how many. */
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
      ({ delivery, state }) => delivery.message_id === message_id && ["pending", "sending"].includes(state),
    )
  );
}

function forgetPasswords({ passwords }: Tables, before: Date, limit: number): number {
  const old = [...passwords].filter(([, { updated_at }]) => updated_at < before).slice(0, limit);
  for (const [phone] of old) passwords.delete(phone);
  return old.length;
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
