import type { HubError } from "../core/errors.ts";
import type { InboundEvent } from "../core/receive/conversations.ts";
import type { JournalDepth } from "../core/receive/journal.ts";

/** One call of `Conversations.receive` that the store could not take. `at` is when it came. */
export interface JournalEntry {
  readonly type: "receive";
  readonly at: Date;
  readonly events: readonly InboundEvent[];
}

export interface WaitingEntry {
  readonly id: string;
  /** Absent when it cannot be read. */
  readonly entry?: JournalEntry;
}

/** By what somebody's events are found: all values of the identities, hashes of tokens and ids of sessions they had. */
export interface Erasure {
  readonly identities: readonly string[];
  readonly token_hashes: readonly string[];
  readonly session_ids: readonly string[];
}

/**
 * What waits for the store, in the order it came. It holds what customers wrote, so it is emptied as soon as possible.
 * One method is one round trip, but for `forget`; all throw `unavailable` when the journal does not answer.
 */
export interface Journal {
  /**
   * Appends the entry. With `behind` it does so only while something waits already, and returns false when nothing
   * does. Throws `unavailable` with reason `journal_full` past its limit, of which callers of ours may fill half:
   * platforms send again what is refused, and must not find the journal full of frontends' messages.
   */
  append(entry: JournalEntry, options: { behind: boolean }): Promise<boolean>;
  /** The oldest `limit` entries, in order. */
  read(limit: number): Promise<WaitingEntry[]>;
  remove(ids: readonly string[]): Promise<void>;
  depth(): Promise<JournalDepth>;
  /**
   * Makes the caller the only one who replays, for `ms`. Returns a function that gives the lease back sooner, or
   * undefined while somebody else holds it.
   */
  lease(ms: number): Promise<(() => Promise<void>) | undefined>;
  /** Counts that the store refused an entry though it answered otherwise. Returns how often by now. */
  countFailure(id: string): Promise<number>;
  /** Moves an entry to the quarantine, where it holds up nobody and an operator finds it with the reason. */
  quarantine(id: string, reason: string): Promise<void>;
  /** Deletes somebody's events from the quarantine. Returns from how many entries. */
  forget(whom: Erasure): Promise<number>;
}

/** Whether an error says that a dependency is down or slow: what was asked may work later. */
export function isOutage({ code }: HubError): boolean {
  return code === "unavailable" || code === "throttled";
}

/** Whether a caller of ours brought it: platforms name the account that was written to. */
export function isCallers({ events }: JournalEntry): boolean {
  return events.every((event) => event.type === "message" && event.message.account === undefined);
}
