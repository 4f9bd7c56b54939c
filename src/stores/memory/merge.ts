import { mergeDocuments } from "../../core/sessions/merge-documents.ts";
import { byAge } from "./customers.ts";
import { externalKey, inOrder, type SessionRow, type Tables } from "./tables.ts";

/**
 * Merges the younger session into the survivor; the caller ends the younger one. Documents are merged without loss. Of
 * other values the survivor's stay. A weak session is one whose customer only claimed a phone: on a conflict the values
 * of the other session stay. The younger row keeps its documents unchanged.
 */
export function merge(
  tables: Tables,
  survivor: SessionRow,
  younger: SessionRow,
  isWeak: (row: SessionRow) => boolean,
): void {
  const into = survivor.session;
  const from = younger.session;
  const [first, second] = isWeak(survivor) && !isWeak(younger) ? [from, into] : [into, from];
  for (const key of ["rating", "feedback", "summary"] as const) {
    const value = first[key] ?? second[key];
    if (value !== undefined) Object.assign(into, { [key]: value });
  }
  if (first === into) keepLanguage(survivor, survivor, younger);
  else keepLanguage(survivor, younger, survivor);
  const [under, over] = isWeak(younger) && !isWeak(survivor) ? [from, into] : [into, from];
  Object.assign(into, mergeDocuments(under, over));
  into.message_count += from.message_count;
  if (from.last_activity > into.last_activity) into.last_activity = from.last_activity;
  if (from.expires_at > into.expires_at) into.expires_at = from.expires_at;
  into.version += 1;
  uniteChannels(survivor, younger);
  moveBelongings(tables, survivor, younger);
  from.message_count = 0;
  from.merged_into = into.session_id;
  tables.effects.merged.push(from.session_id);
}

/** Of two languages the first one's stays, unless only the other's was decided. */
function keepLanguage(survivor: SessionRow, first: SessionRow, second: SessionRow): void {
  const isFirsts = first.session.language !== undefined && (first.language_by || !second.language_by);
  const { session, language_by } = isFirsts ? first : second;
  if (session.language !== undefined) survivor.session.language = session.language;
  if (language_by) survivor.language_by = language_by;
  else delete survivor.language_by;
}

function uniteChannels(survivor: SessionRow, younger: SessionRow): void {
  const uses = [survivor, younger].flatMap((row) =>
    row.session.channels.map((name, i) => ({ name, since: row.channels_since[i]! })),
  );
  uses.sort((a, b) => a.since.getTime() - b.since.getTime());
  const first = uses.filter((use, i) => uses.findIndex((other) => other.name === use.name) === i);
  survivor.session.channels = first.map((use) => use.name);
  survivor.channels_since = first.map((use) => use.since);
  // Makes the next message store its address at once: see `keepAddress`.
  survivor.last_channel = undefined;
}

/**
 * Moves messages, turns, deliveries and tokens to the survivor. If both sessions have a message with the same id of a
 * caller, the younger one's keeps its own session as the id's scope, so that both messages stay.
 */
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
  uniteMessages(tables, survivor, younger);
  survivor.turns = [...survivor.turns, ...younger.turns].sort(inOrder);
  survivor.deliveries = [...survivor.deliveries, ...younger.deliveries].sort((a, b) => a.seq - b.seq);
  younger.turns = [];
  younger.deliveries = [];
}

/** Joins the messages in order of `seq`. Two messages with the same `seq` follow each other, the survivor's first. */
function uniteMessages(tables: Tables, survivor: SessionRow, younger: SessionRow): void {
  survivor.messages = [...survivor.messages, ...younger.messages].sort(
    (a, b) => a.message.seq - b.message.seq,
  );
  younger.messages = [];
  let last = 0;
  for (const { message } of survivor.messages) {
    message.seq = Math.max(message.seq, last + 1);
    last = message.seq;
  }
  survivor.last_seq = Math.max(survivor.last_seq, younger.last_seq, last);
  for (const turn of tables.turns.values()) {
    const { message } = tables.messages.get(turn.message_id) ?? {};
    if (message && turn.session_id === survivor.session.session_id) turn.seq = message.seq;
  }
}

/** Merges several sessions into the oldest. */
export function mergeAll(
  tables: Tables,
  rows: readonly SessionRow[],
  isWeak: (row: SessionRow) => boolean,
  retireMerged: (row: SessionRow) => void,
): void {
  const [survivor, ...younger] = rows.toSorted(byAge);
  for (const row of younger) {
    merge(tables, survivor!, row, isWeak);
    retireMerged(row);
  }
}
