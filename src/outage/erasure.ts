import type { InboundEvent } from "../core/receive/conversations.ts";
import type { JournaledEvent, JournalQuery } from "../core/receive/journal.ts";
import type { Erasure, JournalEntry } from "./journal.ts";

/** The shortest value searched for in an unreadable entry. A shorter one would match entries of other people. */
const SHORTEST = 5;

/**
 * Removes a person's events from the stored text of an entry. Returns the same text when no event is theirs, and an
 * empty text when all are. An unreadable entry is removed whole when it holds one of the person's values anywhere.
 */
export function without(text: string, entry: JournalEntry | undefined, whom: Erasure): string {
  const values = valuesOf(whom);
  if (!entry) {
    const isTheirs = [...values].some((value) => value.length >= SHORTEST && text.includes(value));
    return isTheirs ? "" : text;
  }
  const left = entry.events.filter((event) => !isTheirs(event, values));
  if (left.length === entry.events.length) return text;
  return left.length > 0 ? JSON.stringify({ ...entry, events: left }) : "";
}

/** The events of an entry that a trace looks for, without their content. */
export function eventsFor(
  { identities, session_ids, external_id }: JournalQuery,
  { at, events }: JournalEntry,
): Pick<JournaledEvent, "at" | "type" | "channel" | "external_id">[] {
  const values = valuesOf({ identities, session_ids, token_hashes: [] });
  return events.flatMap((event) => {
    const named = namesOf(event);
    const wanted = named.external_id === external_id && external_id !== undefined;
    return wanted || isTheirs(event, values) ? [{ at, type: event.type, ...named }] : [];
  });
}

/** The channel and the platform's id in an event. */
function namesOf(event: InboundEvent): { channel?: string; external_id?: string } {
  const [about] = Object.entries(event).flatMap(([key, value]) => (key === "type" ? [] : [value as object]));
  const { channel, external_id } = (about ?? {}) as { channel?: string; external_id?: string };
  return { ...(channel && { channel }), ...(external_id && { external_id }) };
}

/** Whether the person sent or received the event, by any of their values. The content of a message is not searched. */
function isTheirs(event: InboundEvent, values: ReadonlySet<string>): boolean {
  return peopleIn(event).some((part) =>
    Object.values(part ?? {}).some((value) => typeof value === "string" && values.has(value)),
  );
}

/** The parts of an event that name people. */
function peopleIn(event: InboundEvent): readonly (object | undefined)[] {
  switch (event.type) {
    case "message":
      return [event.message.from, event.message.address];
    case "echo":
      return [event.echo.to];
    case "edit":
      return [event.edit.address];
    case "identity_change":
      return [event.change.from, event.change.to];
    case "reachability":
      return [event.reachability.who];
    case "receipt":
      return [];
  }
}

/** All values that name the person. Phones are included without their plus too, because some addresses hold them so. */
function valuesOf({ identities, token_hashes, session_ids }: Erasure): ReadonlySet<string> {
  return new Set([
    ...identities,
    ...identities.map((value) => value.replace(/^\+/, "")),
    ...token_hashes,
    ...session_ids,
  ]);
}
