import { HubError } from "../../core/errors.ts";
import { IDENTITY_KINDS } from "../../core/identity.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { Housekeeping, Sessions } from "../../core/ports.ts";
import { addMessage } from "./messages.ts";
import { findActive, findLive, follow, resolve, retire, touch } from "./people.ts";
import { copy, externalKey, type SessionRow, type Tables } from "./tables.ts";

/** The sessions as frontends use them. */
export function memorySessions(tables: Tables): Sessions {
  return {
    async start({ identities, channel, customer_id, data, token_hash }, now) {
      const row = resolve(tables, identities, channel, now);
      touch(tables, row, channel, now);
      if (customer_id !== undefined) row.session.customer_id = customer_id;
      if (data !== undefined) row.session.data = mergePatch(row.session.data, data);
      if (row.session.created_at < now && (customer_id !== undefined || data !== undefined))
        row.session.version += 1;
      tables.tokens.set(token_hash, row.session.session_id);
      return copy(row.session);
    },

    async restore({ token_hash, identities }, channel, now) {
      const row = identities
        ? IDENTITY_KINDS.map(
            (kind) => identities[kind] && findActive(tables, kind, identities[kind], now),
          ).find((found) => found)
        : findLive(tables, { token_hash }, now);
      if (!row) throw new HubError("session_not_found", "there is no such session");
      touch(tables, row, channel, now);
      tables.tokens.set(token_hash, row.session.session_id);
      return copy(row.session);
    },

    async update(token_hash, changes, now) {
      const row = findLive(tables, { token_hash }, now);
      const { session } = row;
      const { data, metadata, language, channel, message, if_version } = changes;
      if (if_version !== undefined && if_version !== session.version)
        throw new HubError("version_conflict", `the session is at version ${session.version}`);
      touch(tables, row, channel, now);
      if (data) session.data = mergePatch(session.data, data);
      if (metadata) session.metadata = mergePatch(session.metadata, metadata);
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
        .filter(([, id]) => id === session.session_id)
        .map(([hash]) => hash)
        .sort();
      for (const hash of token_hashes) tables.tokens.delete(hash);
      return { session: copy(session), token_hashes };
    },

    async signOut(token_hash) {
      return tables.tokens.delete(token_hash);
    },

    async messages(of, after, limit, now) {
      const row = "token_hash" in of ? findLive(tables, of, now) : follow(tables, of.session_id);
      if (!row) throw new HubError("session_not_found", "there is no such session");
      const { session_id } = row.session;
      const newer = row.messages.filter(({ message }) => message.seq > after);
      const messages = newer.slice(0, limit).map(({ message }) => copy(message));
      return { session_id, messages, cursor: messages.at(-1)?.seq ?? after, more: newer.length > limit };
    },
  };
}

/** What dies of age. */
export function memoryHousekeeping(tables: Tables): Housekeeping {
  return {
    async expire(now, limit) {
      const overdue = [...tables.sessions.values()]
        .filter(({ session }) => session.status === "active" && session.expires_at <= now)
        .slice(0, limit);
      for (const { session } of overdue) retire(session, "expired", now);
      return overdue.length;
    },

    async purge(before, limit) {
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
      return dead.length;
    },
  };
}

function forget(tables: Tables, row: SessionRow): void {
  const { session_id } = row.session;
  tables.sessions.delete(session_id);
  for (const [hash, id] of tables.tokens) if (id === session_id) tables.tokens.delete(hash);
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

/** JSON merge patch (RFC 7396) on an object: null removes, objects merge, the rest replaces. */
function mergePatch(target: Json | undefined, patch: JsonObject): JsonObject {
  const merged = new Map<string, Json>(
    target && typeof target === "object" && !Array.isArray(target) ? Object.entries(target) : [],
  );
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else if (typeof value === "object" && !Array.isArray(value))
      merged.set(key, mergePatch(merged.get(key), value as JsonObject));
    else merged.set(key, value);
  }
  return Object.fromEntries(merged);
}
