import type { OpenWindow } from "../deliver/window.ts";
import type { Identities } from "../identity/identity.ts";
import type { JsonObject } from "../json.ts";
import type { Message } from "../messages/message.ts";
import type { Opened } from "../receive/conversations.ts";
import type { Closing, Rated, Rating } from "./rating.ts";
import type { Session, SessionRef, SessionStatus } from "./session.ts";

/** How long the tokens of a session that its bot has ended still read its messages. */
export const GOODBYE_MS = 2 * 60_000;

export interface StartSession {
  readonly identities: Identities;
  readonly channel: string;
  /** The shop's own id of the customer, from a trusted caller. It finds a customer only if no identity finds one. */
  readonly customer_id?: string;
  readonly data?: JsonObject;
  /** SHA-256 of the device's new token. Absent: no token is made. */
  readonly token_hash?: string;
  /** The identities are only claimed: see `InboundMessage.claimed`. `start` then may throw `verification_required`. */
  readonly claimed?: boolean;
}

export interface SessionChanges {
  /** JSON merge patches (RFC 7396). */
  readonly data?: JsonObject;
  readonly metadata?: JsonObject;
  readonly language?: string;
  readonly channel?: string;
  /** As `StartSession.customer_id`. */
  readonly customer_id?: string;
  /** Saved in the history, not answered. With a token it is saved on the token's own channel. */
  readonly message?: {
    readonly text: string;
    readonly role: "user" | "assistant";
    readonly external_id?: string;
    /** See `Message.author`. */
    readonly author?: string;
    /** As `InboundMessage.language`. */
    readonly language?: string;
  };
  /** `update` throws `version_conflict` unless this is the session's version. */
  readonly if_version?: number;
}

/** Which customer or session to find. */
export type SessionQuery =
  | { readonly identities: Identities }
  | { readonly customer_id: string }
  | { readonly session_id: string };

/** Which sessions an operator wants to see. */
export interface SessionFilter {
  /** Absent: all but merged ones. */
  readonly status?: SessionStatus;
  /** One of its channels. */
  readonly channel?: string;
  readonly customer_id?: string;
  readonly active_since?: Date;
  /**
   * A part, in any case of letters, of its id, summary or feedback, or of its customer's identities, names or
   * `customer_id`.
   */
  readonly q?: string;
}

export interface SessionList {
  readonly sessions: readonly Session[];
  /** The cursor of the next page; absent on the last one. */
  readonly after?: string;
  /** On the first page only: the number of sessions by status. It ignores the filter's `status`. */
  readonly counts?: Readonly<Partial<Record<SessionStatus, number>>>;
}

export interface Page {
  readonly messages: readonly Message[];
  /** The `after` of the next page. The request's own cursor if the page is empty. */
  readonly cursor: number;
  readonly more: boolean;
  /**
   * Changes when the session merges with another one. Then messages that the reader does not have may lie before its
   * cursor: it reads from the beginning again.
   */
  readonly epoch: string;
}

/** The sessions, for frontends with tokens. One method is one round trip; errors as in `Conversations`. */
export interface Sessions {
  /** The active session of any of the identities, or a new one. The device's token is attached to it. */
  start(start: StartSession, now: Date): Promise<Opened>;
  /**
   * Finds the active session, slides its expiry and appends the channel.
   * - By `token_hash` alone: the session of this token.
   * - By `identities`, or by `customer_id` if no identity finds a customer: `token_hash` becomes the device's new
   *   token. The customer gets the `customer_id` as in `start`.
   * - By claimed identities: finds only a session without a verified identity, and throws `verification_required` if
   *   the session has one.
   *
   * Throws `session_not_found` (unknown, ended, signed out) or `session_expired`.
   */
  restore(
    who: { token_hash: string; identities?: Identities; customer_id?: string; claimed?: boolean },
    channel: string | undefined,
    now: Date,
  ): Promise<Opened>;
  /**
   * The sessions of one customer: the active one first, then the newest, at most `MOST_FOUND`, without merged ones. By
   * `session_id`: that session alone, in any state. By identities: the strongest one that a customer holds decides; a
   * phone also counts if it is only claimed (`phone_verified: false`). Empty if there is none. Reads and never writes:
   * no expiry slides, no token is made.
   */
  find(who: SessionQuery, now: Date): Promise<Session[]>;
  /**
   * Applies the changes in the database and slides the session's expiry. Throws as `restore`. Throws `forbidden` for a
   * message by a token that names another channel than the token's own, `version_conflict`, and `payload_too_large` for
   * documents past their limits. Throws `language_not_allowed`.
   */
  update(of: SessionRef, changes: SessionChanges, now: Date): Promise<Opened>;
  /**
   * Switches the session to a language that was chosen, a canonical tag, and slides its expiry. The choice becomes the
   * customer's `preferred_language`, and the history gets a system message in that language: `message`, absent if this was
   * chosen before. Throws as `restore`, and `language_not_allowed` with `details.languages`.
   */
  setLanguage(of: SessionRef, language: string, now: Date): Promise<{ session: Session; message?: Message }>;
  /**
   * Ends the session on every channel; its tokens die. Returns their hashes for the cache. Keys that are absent from
   * `closing` are unchanged. Throws as `restore`.
   */
  end(
    token_hash: string,
    now: Date,
    closing?: Closing,
  ): Promise<{ session: Session; token_hashes: string[] }>;
  /**
   * Rates a session; the id of a merged session stands for the one it was merged into. With a token only its own session,
   * also for `RATING_CHANGES_MS` after the session's end. Without a token any session, at any time. Throws `rating_closed`
   * if the session has a rating and ended longer ago than that. Throws `session_not_found`, `session_expired` and
   * `forbidden`.
   */
  rate(session_id: string, token_hash: string | undefined, rating: Rating, now: Date): Promise<Rated>;
  /** The open reply windows of a session's customer, the last to close first. Empty also for an unknown session. */
  windows(session_id: string, now: Date): Promise<OpenWindow[]>;
  /** A page of sessions, the newest first. `after` is the cursor of the page before. Reads only. */
  list(filter: SessionFilter, after: string | undefined, limit: number): Promise<SessionList>;
  /** Ends the token; the session lives on. False if the token was not alive. */
  signOut(token_hash: string, now: Date): Promise<boolean>;
  /**
   * Messages after the cursor, in order: of a session in any state by its id, or of a live token's session. A token whose session a
   * bot has ended reads it for `GOODBYE_MS` more, because the bot's last reply came with the end.
   */
  messages(of: SessionRef, after: number, limit: number, now: Date): Promise<Page & { session_id: string }>;
}
