import type { HubError } from "../core/errors.ts";
import type { InboundEvent } from "../core/receive/conversations.ts";
import type { JournalDepth, JournaledEvent, JournalQuery } from "../core/receive/journal.ts";

/** One call of `Conversations.receive` that the store could not take. `at` is the time of the call. */
export interface JournalEntry {
  readonly type: "receive";
  readonly at: Date;
  readonly events: readonly InboundEvent[];
}

export interface WaitingEntry {
  readonly id: string;
  /** Absent when the stored text cannot be read. */
  readonly entry?: JournalEntry;
}

/** How a person's events are found: by the values of their identities, their token hashes and their session ids. */
export interface Erasure {
  readonly identities: readonly string[];
  readonly token_hashes: readonly string[];
  readonly session_ids: readonly string[];
}

/**
 * The entries that wait for the store, in the order they were appended. They hold what customers wrote, so they are
 * stored and removed as soon as possible. Every method but `forget` and `find` is one round trip. All throw `unavailable` when the
 * journal does not answer.
 */
export interface Journal {
  /**
   * Appends the entry. With `behind` it appends only while other entries wait, and returns false otherwise. Throws
   * `unavailable` with reason `journal_full` when the journal has reached its limit. Entries of frontends are refused
   * at half of the limit already: so they leave room for platforms.
   */
  append(entry: JournalEntry, options: { behind: boolean }): Promise<boolean>;
  /** The oldest `limit` entries, in order. */
  read(limit: number): Promise<WaitingEntry[]>;
  remove(ids: readonly string[]): Promise<void>;
  depth(): Promise<JournalDepth>;
  /**
   * Makes the caller the only replayer for `ms`. Returns a function that gives the lease back earlier, or undefined
   * while another replayer holds it.
   */
  lease(ms: number): Promise<(() => Promise<void>) | undefined>;
  /** Counts a failure of an entry that the store refuses while it answers other calls. Returns the count. */
  countFailure(id: string): Promise<number>;
  /** Moves an entry to the quarantine, with the reason for the operator. There it delays no other entry. */
  quarantine(id: string, reason: string): Promise<void>;
  /** As `Backlog.find`, in several round trips. */
  find(query: JournalQuery): Promise<JournaledEvent[]>;
  /** Deletes a person's events from the quarantine. Returns the number of changed entries. */
  forget(whom: Erasure): Promise<number>;
}

/** Whether an error means that a dependency is down or slow. The same call may succeed later. */
export function isOutage({ code }: HubError): boolean {
  return code === "unavailable" || code === "throttled";
}

/** Whether a frontend posted the entry: an event from a platform names the account that received it. */
export function isCallers({ events }: JournalEntry): boolean {
  return events.every((event) => event.type === "message" && event.message.account === undefined);
}
