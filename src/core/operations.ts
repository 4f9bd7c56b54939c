import type { DeadLetter } from "./answer/turn.ts";
import type { Due } from "./receive/conversations.ts";

/** The upper bounds of the buckets of every histogram, in milliseconds. */
export const HISTOGRAM_BOUNDS_MS = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000];

/** What operators see and set right. One method is one round trip; errors as in `Conversations`. */
export interface Operations {
  /** Dead letters in the order they came to be, after the one with id `after`; of one session, where it is named. */
  deadLetters(after: string | undefined, limit: number, session_id?: string): Promise<DeadLetter[]>;
  /** Makes a dead letter due again, its attempts forgotten, and claims it when it is first in line. False when there is none. */
  retry(id: string, now: Date): Promise<(Due & { readonly found: true }) | { readonly found: false }>;
  /** Adds one to a counter of `metrics`. */
  count(key: string): Promise<void>;
  /** What was counted since the first migration, and what is open now. */
  metrics(now: Date): Promise<Metrics>;
}

export interface Metrics {
  /** By `name` or `name|label|label`: see docs/operations.md. Histogram buckets are `name.le|label|bound in ms`. */
  readonly counters: Readonly<Record<string, number>>;
  readonly open_turns: number;
  readonly open_deliveries: number;
  /** Since when the oldest unanswered message or unsent reply waits. */
  readonly oldest_turn_at?: Date;
  readonly oldest_delivery_at?: Date;
}
