import type { DeadLetter } from "./answer/turn.ts";
import type { Due } from "./receive/conversations.ts";

/** The upper bounds of the buckets of every histogram, in milliseconds. */
export const HISTOGRAM_BOUNDS_MS = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000];

/** Who operates: the name of an admin key, or the hash of the token of one of the staff. */
export type OperatedBy = { readonly actor: string } | { readonly staff: string };

/** What operators can read and repair. One method is one round trip; errors as in `Conversations`. */
export interface Operations {
  /** Dead letters, oldest first, after the one with the id `after`; only those of `session_id`, if it is given. */
  deadLetters(after: string | undefined, limit: number, session_id?: string): Promise<DeadLetter[]>;
  /**
   * Makes a dead letter due again and sets its attempts to zero. Claims it if it is the first of its session (a turn)
   * or of its lane (a delivery). `found` is false if there is no such dead letter. Leaves a line in the audit. Throws `conversation_held` for a
   * turn while a person has the conversation, `not_retryable` with the reason in `details.why` for a delivery that must not be sent any
   * more, and for one of the staff `unauthorized` and `conversation_taken`.
   */
  retry(
    id: string,
    by: OperatedBy,
    now: Date,
  ): Promise<(Due & { readonly found: true }) | { readonly found: false }>;
  /** Adds one to a counter of `metrics`. */
  count(key: string): Promise<void>;
  /** The counters since the first migration, and the work that is open now. */
  metrics(now: Date): Promise<Metrics>;
}

export interface Metrics {
  /**
   * The keys are `name` or `name|label|label`: see docs/operations.md. Histogram buckets: `name.le|label|bound in ms`.
   */
  readonly counters: Readonly<Record<string, number>>;
  /** When the last sweep ended well; absent before the first one. */
  readonly swept_at?: Date;
  /** What the language model has used. Zeros on the memory store, where it does not run. */
  readonly model: {
    readonly turns: number;
    readonly input_tokens: number;
    readonly output_tokens: number;
    /** In millionths of the currency. */
    readonly cost: number;
  };
  readonly open_turns: number;
  readonly open_deliveries: number;
  /** Since when the oldest unanswered message and the oldest unsent reply wait. */
  readonly oldest_turn_at?: Date;
  readonly oldest_delivery_at?: Date;
}
