import type { Received } from "./conversations.ts";

/** What one replay may spend. */
export interface ReplayBudget {
  readonly entries: number;
  /** At most 10 s: the replayer's lease covers no more. */
  readonly ms: number;
}

export interface Replayed {
  /** Entries that no longer wait: stored, or in quarantine. */
  readonly taken: number;
  /** What became of the events in them, for whoever publishes and answers. */
  readonly results: readonly Received[];
  /** Nothing waits any more. */
  readonly empty: boolean;
}

export interface JournalDepth {
  /** Entries that wait to be stored. */
  readonly depth: number;
  /** Since when the oldest of them waits. */
  readonly oldest_at?: Date;
  /** Entries that the store refused for good, kept for an operator. */
  readonly quarantined: number;
}

/** What waits for a store that was down. */
export interface Backlog {
  /**
   * Stores what waits, oldest first, within the budget; one replayer at a time. Throws nothing: what fails is logged and
   * waits on.
   */
  replay(budget: ReplayBudget): Promise<Replayed>;
  /** Throws `unavailable` when the journal does not answer. */
  depth(): Promise<JournalDepth>;
}
