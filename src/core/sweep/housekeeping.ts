/** Expiry and retention. Each call does a bounded amount of work. */
export interface Housekeeping {
  /**
   * Marks expired sessions, empties expired threads, and deletes codes, links and rate limits that are over. Returns how
   * many sessions it marked.
   */
  expire(now: Date, limit: number): Promise<number>;
  /**
   * Deletes sessions that ended before `before`, with their messages, and everything that `retention` names; at most
   * `limit` of each kind. Returns how many sessions it deleted. With `retention` it writes an audit line if it deleted
   * anything.
   */
  purge(before: Date, limit: number, retention?: Retention): Promise<number>;
}

/** How many days a dead letter is kept for an operator to retry. */
export const DEAD_LETTER_DAYS = 30;
/** How many days the hash of an erased message's id is kept, so that a redelivery of it opens no session. */
export const ERASED_DAYS = 30;

/** What is deleted by age while its session is alive. */
export interface Retention {
  readonly now: Date;
  /**
   * Messages saved before this, except those still to be answered or sent. `message_count` stays. A message of the journal
   * was saved later than it arrived.
   */
  readonly messages_before?: Date;
  /** Passwords without a log-in since. */
  readonly passwords_before?: Date;
  /**
   * Identities not seen since, unless their customer has an active session. Such an identity is looked at again when
   * this is a day later. Then customers that have nothing left.
   */
  readonly identities_before?: Date;
  /** Reservations for a day before this. Orders made before this stay as an amount without a customer. */
  readonly bookings_before?: Date;
  /** Events that happened before this, for endpoints of the shop. */
  readonly events_before?: Date;
}
