import type { HubError } from "../core/errors.ts";
import type { Identities } from "../core/identity/identity.ts";
import type { InboundEvent } from "../core/receive/conversations.ts";
import type { SessionChanges, StartSession } from "../core/sessions/sessions.ts";

/** One call that the store could not take, as it is to be made once the store is back. `at` is when it came. */
export type JournalEntry = { readonly at: Date } & (
  | { readonly type: "receive"; readonly kept: readonly InboundEvent[] }
  | { readonly type: "start"; readonly start: StartSession }
  | {
      readonly type: "restore";
      readonly who: { readonly token_hash: string; readonly identities?: Identities };
      readonly channel?: string;
    }
  | { readonly type: "update"; readonly token_hash: string; readonly changes: SessionChanges }
);

export interface WaitingEntry {
  readonly id: string;
  /** Absent when it cannot be read. */
  readonly entry?: JournalEntry;
}

export interface JournalDepth {
  /** Entries that wait to be taken to the store. */
  readonly depth: number;
  /** Since when the oldest of them waits. */
  readonly oldest_at?: Date;
  /** Entries that the store refused for good, kept for an operator. */
  readonly quarantined: number;
}

/**
 * What waits for the store, in the order it came. Holds what customers wrote, so it is emptied as soon as it can be.
 * One method is one round trip; all throw `unavailable` when the journal does not answer.
 */
export interface Journal {
  /**
   * Appends all of them together, or nothing. With `behind` only while something waits already: false when nothing
   * does. Throws `unavailable` with reason `journal_full` past its limit.
   */
  append(entries: readonly JournalEntry[], options: { behind: boolean }): Promise<boolean>;
  /** The oldest `limit` entries, in order. */
  read(limit: number): Promise<WaitingEntry[]>;
  remove(ids: readonly string[]): Promise<void>;
  depth(): Promise<JournalDepth>;
  /** Makes us the only one who replays for `ms`; returns what gives that back sooner, or nothing while it is somebody else. */
  lease(ms: number): Promise<(() => Promise<void>) | undefined>;
  /** Counts that the store refused an entry though it answered otherwise. Returns how often by now. */
  countFailure(id: string): Promise<number>;
  /** Takes an entry out of the way and keeps it for an operator, with the reason. */
  quarantine(id: string, reason: string): Promise<void>;
}

/** What carries the hub while its store is down, and what this isolate knows of it. */
export interface Standby {
  readonly journal: Journal;
  /** What a session that opens meanwhile begins with. */
  readonly sessionTtlMs: number;
  readonly language?: string;
  /** Until when the journal was seen empty too lately to be asked again, in Unix ms. */
  quietUntil: number;
  /** Until when it is asked each time, because something waited there or the store failed us, in Unix ms. */
  watchUntil: number;
  /** Until when something surely waits there unless it says otherwise, in Unix ms. */
  sureUntil: number;
}

/** A standby that knows nothing yet. */
export function standbyOf(
  journal: Journal,
  { sessionTtlMs, language }: { readonly sessionTtlMs: number; readonly language?: string },
): Standby {
  return {
    journal,
    sessionTtlMs,
    ...(language !== undefined && { language }),
    quietUntil: 0,
    watchUntil: 0,
    sureUntil: 0,
  };
}

/** Whether an error says that a dependency is down or slow: what was asked may work later. */
export function isOutage({ code }: HubError): boolean {
  return code === "unavailable" || code === "throttled";
}
