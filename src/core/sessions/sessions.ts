import type { Identities } from "../identity/identity.ts";
import type { JsonObject } from "../json.ts";
import type { Message } from "../messages/message.ts";
import type { Opened } from "../receive/conversations.ts";
import type { Closing, Rated, Rating } from "./rating.ts";
import type { Session, SessionRef, SessionStatus } from "./session.ts";

export interface StartSession {
  readonly identities: Identities;
  readonly channel: string;
  /** The shop's own name for the customer, by a trusted caller's word. It finds a customer only where no identity does. */
  readonly customer_id?: string;
  readonly data?: JsonObject;
  /** SHA-256 of the device's new token; absent when nobody is to get one. */
  readonly token_hash?: string;
  /** The identities are only claimed: see `InboundMessage.claimed`. Throws `verification_required`. */
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
  /** Kept in the history, not answered. By a token it is kept on the token's own channel. */
  readonly message?: {
    readonly text: string;
    readonly role: "user" | "assistant";
    readonly external_id?: string;
    /** See `Message.author`. */
    readonly author?: string;
  };
  /** Refused with `version_conflict` unless this is the session's version. */
  readonly if_version?: number;
}

/** Whose sessions are looked for. */
export type SessionQuery =
  | { readonly identities: Identities }
  | { readonly customer_id: string }
  | { readonly session_id: string };

/** Which sessions an operator wants to see. */
export interface SessionFilter {
  /** Absent: all but those that went on as another. */
  readonly status?: SessionStatus;
  /** One of its channels. */
  readonly channel?: string;
  readonly customer_id?: string;
  readonly active_since?: Date;
  /** A part, in any case of letters, of its id, summary or feedback, or of what its customer is known by. */
  readonly q?: string;
}

export interface SessionList {
  readonly sessions: readonly Session[];
  /** The cursor of the next page; absent on the last one. */
  readonly after?: string;
  /** On the first page: how many there are, by status, whatever status is asked for. */
  readonly counts?: Readonly<Partial<Record<SessionStatus, number>>>;
}

export interface Page {
  readonly messages: readonly Message[];
  /** Pass as `after` for what comes later; the request's own cursor when there is nothing. */
  readonly cursor: number;
  readonly more: boolean;
}

/** The sessions that frontends hold tokens of. One method is one round trip; errors as in `Conversations`. */
export interface Sessions {
  /** The active session of any of the identities, or a new one; with the device's token attached. */
  start(start: StartSession, now: Date): Promise<Opened>;
  /**
   * Slides the session and appends the channel. Throws `session_not_found` (unknown, ended, signed out) or
   * `session_expired`. By identities, or a customer's name where they find nobody, `token_hash` becomes the device's new
   * token, and the name is the customer's as by `start`; by claimed
   * identities only a session that nobody has verified is found, and `verification_required` is thrown when there is
   * another.
   */
  restore(
    who: { token_hash: string; identities?: Identities; customer_id?: string; claimed?: boolean },
    channel: string | undefined,
    now: Date,
  ): Promise<Opened>;
  /**
   * Sessions of one customer, the active one first, then the newest, at most 20 and none that went on as another; by its
   * id that session alone, as it is. The strongest identity that anybody holds says whose; a phone also when it is only
   * claimed (`phone_verified: false`). Reads and never writes: no expiry slides, no token is made. Empty when there is none.
   */
  find(who: SessionQuery, now: Date): Promise<Session[]>;
  /**
   * Applies the changes in the database and slides the session. Throws as `restore`, `forbidden` for a message that a
   * token tells on another channel than its own, `version_conflict`, and `payload_too_large` for documents past their
   * limits.
   */
  update(of: SessionRef, changes: SessionChanges, now: Date): Promise<Opened>;
  /** Ends the session on every channel; its tokens die. Returns them for the cache. Throws as `restore`. */
  end(
    token_hash: string,
    now: Date,
    closing?: Closing,
  ): Promise<{ session: Session; token_hashes: string[] }>;
  /**
   * Rates a session, of which a merged one's id will do. By a token only its own, also when it died with the session, for
   * `RATING_CHANGES_MS`; without one any session, whenever. A session that ended longer ago is rated once: then
   * `rating_closed` is thrown for another rating. Throws `session_not_found`, `session_expired` and `forbidden` too.
   */
  rate(session_id: string, token_hash: string | undefined, rating: Rating, now: Date): Promise<Rated>;
  /** A page of sessions, the newest first. `after` is the cursor of the page before. Reads and never writes. */
  list(filter: SessionFilter, after: string | undefined, limit: number): Promise<SessionList>;
  /** The token dies, the session lives. False when it was not alive. */
  signOut(token_hash: string, now: Date): Promise<boolean>;
  /** Messages after the cursor in order, of a session in any state by id, or of a live token's session. */
  messages(of: SessionRef, after: number, limit: number, now: Date): Promise<Page & { session_id: string }>;
}
