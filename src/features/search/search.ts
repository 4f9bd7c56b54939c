import type { SessionRef } from "../../core/sessions/session.ts";

/** A search: its words, and the messages to search. */
export interface SearchQuery {
  /**
   * Words that a message must have, "phrases", -without, or. The last word also matches longer words. Case, accents and
   * vowel points are ignored.
   */
  readonly q: string;
  /**
   * Whose messages. Of a token: those of its customer, or of its own session alone if nobody has signed in there. Of a
   * customer, by `customer_id`, else by `customer_key`. Absent: all messages.
   */
  readonly of?: Exclude<SessionRef, { readonly session_id: string }> | { readonly customer_id: string };
  /** One session, by its id or by that of a session that was merged into it. */
  readonly session?: string;
  readonly channel?: string;
  readonly role?: string;
  /** Messages of this instant or later. */
  readonly from?: Date;
  /** Messages before this instant. */
  readonly to?: Date;
}

/** A found message. */
export interface FoundMessage {
  readonly message_id: string;
  readonly session_id: string;
  readonly channel: string;
  readonly role: string;
  readonly direction: string;
  readonly kind: string;
  readonly created_at: Date;
  /** Its text, at most the first 10,000 characters. */
  readonly text: string;
}

/** Words to highlight, folded as the index folds words. */
export interface Term {
  /** Words separated by one space. */
  readonly text: string;
  /** Whether the last word also matches longer words. */
  readonly prefix: boolean;
  /** Whether it also matches within words. */
  readonly within?: boolean;
}

export interface FoundPage {
  readonly results: readonly FoundMessage[];
  readonly terms: readonly Term[];
  /** The cursor of the next page; absent on the last page. A page before it may hold fewer results than the limit. */
  readonly after?: string;
}

/** Finds messages by their words. One method is one round trip. */
export interface Search {
  /**
   * One page of matches. If the search is limited to a customer or a session, matches that are not indexed yet come first, the
   * newest first. Then come the newest two hundred matches by rank, then the next two hundred. If no word matches and the database
   * has PGroonga, the matches are parts of words, the newest first. Throws `malformed` for a cursor of another search,
   * `session_not_found`, `session_expired`, and `forbidden` if `session` is not the token's customer's.
   */
  messages(query: SearchQuery, after: string | undefined, limit: number, now: Date): Promise<FoundPage>;
  /**
   * Indexes messages, at most `limit`, in one transaction. Returns how many, and whether more are left. Only one call at a time
   * indexes; others return at once with zero.
   */
  index(limit: number): Promise<{ readonly indexed: number; readonly more: boolean }>;
  /** How many new and changed messages are not indexed yet, and the age of the oldest in milliseconds. */
  lag(): Promise<{ readonly waiting: number; readonly lag_ms: number }>;
}
