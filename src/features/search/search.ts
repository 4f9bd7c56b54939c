import type { SessionRef } from "../../core/sessions/session.ts";

/** What is searched for, and in which messages. */
export interface SearchQuery {
  /**
   * Words that must all be there, "phrases", -without, or; the last word may go on. Case, accents and vowel points do not
   * matter.
   */
  readonly q: string;
  /**
   * A token's: all messages of its customer, or of its own session alone while nobody has signed in there. A customer's, by
   * the shop's name for them or ours. Absent: everybody's.
   */
  readonly of?: Exclude<SessionRef, { readonly session_id: string }> | { readonly customer_id: string };
  /** One session; also by the id of one that was merged into it. */
  readonly session?: string;
  readonly channel?: string;
  readonly role?: string;
  /** Said at this instant or later. */
  readonly from?: Date;
  /** Said before this instant. */
  readonly to?: Date;
}

/** A message that was found. */
export interface FoundMessage {
  readonly message_id: string;
  readonly session_id: string;
  readonly channel: string;
  readonly role: string;
  readonly direction: string;
  readonly kind: string;
  readonly created_at: Date;
  /** What it says, at most the first 10,000 characters. */
  readonly text: string;
}

/** What was searched for in it, folded as the index folds words. */
export interface Term {
  /** Words with one space between them. */
  readonly text: string;
  /** Whether the last of them may go on. */
  readonly prefix: boolean;
}

export interface FoundPage {
  readonly results: readonly FoundMessage[];
  readonly terms: readonly Term[];
  /** Where the next page begins; absent on the last. A page may hold fewer results than asked for and still not be the last. */
  readonly after?: string;
}

/** Messages by their words. One method is one round trip. */
export interface Search {
  /**
   * One page of what is found. Where it is known whose messages are searched, first those that the index does not have yet,
   * the newest first; then by rank within the newest two hundred matches, then the next. Throws `malformed` for a
   * cursor of another query, `session_not_found`, `session_expired`, and `forbidden` for a session that is not the token's.
   */
  messages(query: SearchQuery, after: string | undefined, limit: number, now: Date): Promise<FoundPage>;
  /**
   * Takes messages into the index, at most `limit`, in one transaction. Returns how many, and whether more wait. While one
   * call does so, others return at once.
   */
  index(limit: number): Promise<{ readonly indexed: number; readonly more: boolean }>;
  /** How many changes the index has still to take in, and for how long the oldest has waited. */
  lag(): Promise<{ readonly waiting: number; readonly lag_ms: number }>;
}
