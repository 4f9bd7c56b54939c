import type { Handoff } from "../../core/answer/bot.ts";
import { HubError, toHubError } from "../../core/errors.ts";
import { mergePatch } from "../../core/json.ts";
import type { Done } from "../../core/receive/conversations.ts";
import { refuseGrowth, type Session } from "../../core/sessions/session.ts";
import { GOODBYE_MS } from "../../core/sessions/sessions.ts";
import type { Action } from "../../features/actions/action.ts";
import { chosenLanguage, switchLanguage } from "./languages.ts";
import { endTokens } from "./ratings.ts";
import { count, later, type SessionRow, type Tables } from "./tables.ts";

/**
 * Applies the actions of a bot's answer on its session: all, or none. Actions on customers, reservations and orders throw
 * `needs_database`. An error's `details.action` is the action's place.
 */
export function applyActions(
  tables: Tables,
  row: SessionRow,
  actions: readonly Action[],
  now: Date,
): Omit<Done, "session"> {
  const changed = actions.reduce<Session>((session, action, place) => {
    try {
      return applied(tables, row, session, action, now);
    } catch (thrown) {
      const { code, message } = toHubError(thrown);
      throw new HubError(code, message, { details: { action: place }, cause: thrown });
    }
  }, row.session);
  // switchLanguage moves the version itself.
  const moved = actions.some(({ type }) => type !== "set_language") ? 1 : 0;
  Object.assign(row.session, changed, { version: row.session.version + moved, updated_at: now });
  const messages = actions.flatMap((action) => {
    const said = action.type === "set_language" && switchLanguage(tables, row, action.language, now);
    return said ? [said] : [];
  });
  const hasEnded = actions.some(({ type }) => type === "end_session");
  const closed = hasEnded ? endTokens(tables, row.session.session_id, now, later(now, GOODBYE_MS)) : [];
  return { messages, closed };
}

/** Marks a session for a person: `metadata.handoff`. */
export function handOver(
  tables: Tables,
  { session }: SessionRow,
  channel: string,
  handoff: Handoff,
  now: Date,
): void {
  const { by: _, ...asked } = handoff;
  const metadata = { ...session.metadata, handoff: { ...asked, at: now.toISOString() } };
  Object.assign(session, { metadata, version: session.version + 1, updated_at: now });
  count(tables, `handoffs|${channel}`);
}

function applied(tables: Tables, row: SessionRow, session: Session, action: Action, now: Date): Session {
  switch (action.type) {
    case "set_language":
      chosenLanguage(tables, row.customer, action.language);
      return session;
    case "set_data": {
      const data = mergePatch(session.data, action.data);
      refuseGrowth(session, { data, metadata: session.metadata });
      return { ...session, data };
    }
    case "set_summary":
      return { ...session, summary: action.summary };
    case "end_session": {
      const ended = session.status === "active" ? { status: "logged_out" as const, ended_at: now } : {};
      return { ...session, ...ended, ...(action.summary !== undefined && { summary: action.summary }) };
    }
    default:
      throw new HubError("needs_database", "the memory store does not keep this: give the hub a database");
  }
}
