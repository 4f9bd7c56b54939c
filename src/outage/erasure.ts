import type { InboundEvent } from "../core/receive/conversations.ts";
import type { Erasure, JournalEntry } from "./journal.ts";

/** Shorter values are not looked for in text that cannot be read: they stand everywhere. */
const SHORTEST = 5;

/**
 * The stored text of an entry without somebody's events; the same text when none are theirs, and an empty one when all
 * are. An entry that cannot be read is theirs when it names them anywhere.
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

/** Whether somebody sent or received what an event tells, by any of their values. What a message says does not count. */
function isTheirs(event: InboundEvent, values: ReadonlySet<string>): boolean {
  return peopleIn(event).some((part) =>
    Object.values(part ?? {}).some((value) => typeof value === "string" && values.has(value)),
  );
}

/** The parts of an event that say who it is about. */
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

/** Everything by which somebody is named; addresses hold phones without a plus. */
function valuesOf({ identities, token_hashes, session_ids }: Erasure): ReadonlySet<string> {
  return new Set([
    ...identities,
    ...identities.map((value) => value.replace(/^\+/, "")),
    ...token_hashes,
    ...session_ids,
  ]);
}
