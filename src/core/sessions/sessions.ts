import type { Identities } from "../identity/identity.ts";
import type { JsonObject } from "../json.ts";
import type { Message } from "../messages/message.ts";
import type { Opened } from "../receive/conversations.ts";
import type { Session, SessionRef } from "./session.ts";

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
  end(token_hash: string, now: Date): Promise<{ session: Session; token_hashes: string[] }>;
  /** The token dies, the session lives. False when it was not alive. */
  signOut(token_hash: string, now: Date): Promise<boolean>;
  /** Messages after the cursor in order, of a session in any state by id, or of a live token's session. */
  messages(of: SessionRef, after: number, limit: number, now: Date): Promise<Page & { session_id: string }>;
}
