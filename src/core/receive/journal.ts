import type { Received } from "./conversations.ts";

/** The limits of one replay. */
export interface ReplayBudget {
  readonly entries: number;
  /** At most 10,000: the replayer's lease covers no more. */
  readonly ms: number;
}

export interface Replayed {
  /** How many entries no longer wait: they are stored or in quarantine. */
  readonly taken: number;
  /** The results of their events, which the caller publishes and answers. */
  readonly results: readonly Received[];
  /** Whether no entry waits any more. */
  readonly empty: boolean;
}

export interface JournalDepth {
  /** How many entries wait to be stored. */
  readonly depth: number;
  /** Since when the oldest entry waits. */
  readonly oldest_at?: Date;
  /** How many entries are in quarantine: the store refused them for good, and an operator must look at them. */
  readonly quarantined: number;
}

/** Names of a person or of a message, to find their events. */
export interface JournalQuery {
  /** Values of identities. */
  readonly identities: readonly string[];
  readonly session_ids: readonly string[];
  /** The platform's id of a message. */
  readonly external_id?: string;
}

/** An event in the journal, without its content. */
export interface JournaledEvent {
  /** `waiting` for the store, or `quarantined` because the store refused it for good. */
  readonly state: "waiting" | "quarantined";
  /** When its webhook arrived. */
  readonly at: Date;
  /** When it was put where it is. */
  readonly since: Date;
  /** Why it is in quarantine. */
  readonly reason?: string;
  readonly type: string;
  readonly channel?: string;
  readonly external_id?: string;
}

/** The journal's entries, which wait until the store is back. */
export interface Backlog {
  /**
   * Stores waiting entries, oldest first, within the budget. Only one replayer works at a time. Never throws: a failure
   * is logged, and the entry waits for the next replay.
   */
  replay(budget: ReplayBudget): Promise<Replayed>;
  /** Throws `unavailable` when the journal does not answer. */
  depth(): Promise<JournalDepth>;
  /**
   * The events of these people and messages, among the oldest 1,000 waiting and the oldest 1,000 quarantined entries. Throws
   * `unavailable` when the journal does not answer.
   */
  find(query: JournalQuery): Promise<JournaledEvent[]>;
}
