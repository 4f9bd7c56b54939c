/** Bounded work on sessions nobody touches any more. */
export interface Housekeeping {
  /**
   * Marks active sessions past their expiry, empties threads past theirs, and forgets codes, links and rate limits that
   * count no more. Returns how many sessions.
   */
  expire(now: Date, limit: number): Promise<number>;
  /**
   * Deletes sessions that died before `before`, with their messages, and what else `retention` names; at most `limit` of
   * each. Returns how many sessions. With `retention` it leaves a line in the audit when it deleted anything.
   */
  purge(before: Date, limit: number, retention?: Retention): Promise<number>;
}

/** How long a dead letter waits for somebody to try it again. */
export const DEAD_LETTER_DAYS = 30;
/** How long an erased message is known by the hash of its platform's id, so that a redelivery opens nothing. */
export const ERASED_DAYS = 30;

/** What is deleted though its session lives. */
export interface Retention {
  readonly now: Date;
  /** Messages said before, but for those still to be answered or sent; their count stays. */
  readonly messages_before?: Date;
  /** Passwords that let nobody in since. */
  readonly passwords_before?: Date;
  /** Identities unseen since, unless their customer has an active session; then customers of whom nothing is left. */
  readonly identities_before?: Date;
}
