import { identitiesOf } from "../../core/identity/identity.ts";
import type { Session } from "../../core/sessions/session.ts";
import type { SessionFilter, SessionList } from "../../core/sessions/sessions.ts";
import { documentOf } from "./customers.ts";
import type { Tables } from "./tables.ts";

/** A page of sessions, the newest first. */
export function listSessions(
  tables: Tables,
  filter: SessionFilter,
  after: string | undefined,
  limit: number,
): SessionList {
  const matching = [...tables.sessions.values()]
    .filter((row) => matches(documentOf(row), [row.customer.profile.name], filter))
    .map(documentOf);
  const listed = matching
    .filter(({ status }) => (filter.status ? status === filter.status : status !== "merged"))
    .filter(({ session_id }) => after === undefined || session_id < after)
    .sort((a, b) => (a.session_id > b.session_id ? -1 : 1));
  const sessions = listed.slice(0, limit);
  const last = sessions.at(-1);
  const counts: Record<string, number> = {};
  for (const { status } of matching) counts[status] = (counts[status] ?? 0) + 1;
  return {
    sessions,
    ...(last && last !== listed.at(-1) && { after: last.session_id }),
    ...(after === undefined && { counts }),
  };
}

function matches(
  session: Session,
  names: readonly (string | undefined)[],
  { channel, customer_id, active_since, q }: SessionFilter,
): boolean {
  return (
    (channel === undefined || session.channels.includes(channel)) &&
    (customer_id === undefined || session.customer_id === customer_id) &&
    (active_since === undefined || session.last_activity >= active_since) &&
    (q === undefined || says(session, names, q.toLowerCase()))
  );
}

function says(session: Session, names: readonly (string | undefined)[], text: string): boolean {
  const { session_id, customer_id, summary, feedback } = session;
  const places = [
    session_id,
    customer_id,
    summary,
    feedback,
    ...names,
    ...identitiesOf(session).map(([, value]) => value),
  ];
  return places.some((place) => place?.toLowerCase().includes(text));
}
