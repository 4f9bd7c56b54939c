import { uniteAddresses } from "./addresses.ts";
import { IDENTITY_KINDS } from "./identities.ts";
import { externalKey, inOrder, type SessionRow, type Tables } from "./tables.ts";

/**
 * Merges the younger session into the survivor, all but its end: the younger one's documents win per key, the survivor's
 * other values. What was claimed by nobody wins against nothing, unless it is where the proof comes from (`owner`).
 */
export function merge(
  tables: Tables,
  survivor: SessionRow,
  younger: SessionRow,
  owner: SessionRow | undefined,
): void {
  const into = survivor.session;
  const from = younger.session;
  const isWeak = (row: SessionRow) => row.session.phone_verified === false && row !== owner;
  const older = isWeak(survivor) && !isWeak(younger) ? from : into;
  const other = older === into ? from : into;
  const values = [
    ...IDENTITY_KINDS.filter((kind) => kind !== "phone"),
    "customer_id",
    "language",
    "rating",
    "feedback",
    "summary",
  ] as const;
  for (const key of values) {
    const value = older[key] ?? other[key];
    if (value !== undefined) Object.assign(into, { [key]: value });
  }
  takePhone(into, from);
  const [under, over] = isWeak(younger) && !isWeak(survivor) ? [from, into] : [into, from];
  into.data = { ...under.data, ...over.data };
  into.metadata = { ...under.metadata, ...over.metadata };
  into.message_count += from.message_count;
  if (from.last_activity > into.last_activity) into.last_activity = from.last_activity;
  if (from.expires_at > into.expires_at) into.expires_at = from.expires_at;
  into.version += 1;
  uniteChannels(survivor, younger);
  uniteAddresses(survivor, younger);
  survivor.unreachable = [...new Set([...survivor.unreachable, ...younger.unreachable])].sort();
  moveBelongings(tables, survivor, younger);
  from.message_count = 0;
  from.merged_into = into.session_id;
  tables.effects.merged.push(from.session_id);
}

/** The older session first. */
export function byAge(a: SessionRow, b: SessionRow): number {
  const difference = a.session.created_at.getTime() - b.session.created_at.getTime();
  return difference || (a.session.session_id < b.session.session_id ? -1 : 1);
}

/** A proven phone goes before a claimed one, then the survivor's before the other. */
function takePhone(into: SessionRow["session"], from: SessionRow["session"]): void {
  const isVerified = ({ phone, phone_verified }: SessionRow["session"]) =>
    phone !== undefined && phone_verified !== false;
  if (from.phone === undefined || isVerified(into) || (into.phone !== undefined && !isVerified(from))) return;
  into.phone = from.phone;
  if (isVerified(from)) delete into.phone_verified;
  else into.phone_verified = false;
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
  for (const token of tables.tokens.values()) if (token.session_id === from) token.session_id = into;
  survivor.messages = [...survivor.messages, ...younger.messages].sort(
    (a, b) => a.message.seq - b.message.seq,
  );
  survivor.turns = [...survivor.turns, ...younger.turns].sort(inOrder);
  survivor.deliveries = [...survivor.deliveries, ...younger.deliveries].sort((a, b) => a.seq - b.seq);
  younger.messages = [];
  younger.turns = [];
  younger.deliveries = [];
}
