import type { Identities } from "../identity/identity.ts";
import type { JsonObject } from "../json.ts";
import type { Message } from "../messages/message.ts";
import type { Opened } from "../receive/conversations.ts";
import type { Session, SessionRef } from "./session.ts";

export interface StartSession {
  readonly identities: Identities;
  readonly channel: string;
  readonly customer_id?: string;
  readonly data?: JsonObject;
  /** SHA-256 of the device's new token; absent when nobody is to get one. */
  readonly token_hash?: string;
  /**
   * The id under which the session was promised while the store was down: that of the session if one opens, else it
   * leads to the session that was there.
   */
  readonly session_id?: string;
  /** The identities are only claimed: see `InboundMessage.asserted`. Throws `verification_required`. */
  readonly claimed?: boolean;
}

export interface SessionChanges {
  /** JSON merge patches (RFC 7396). */
  readonly data?: JsonObject;
  readonly metadata?: JsonObject;
  readonly language?: string;
  readonly channel?: string;
  /** Kept in the history, not answered. */
  readonly message?: {
    readonly text: string;
    readonly role: "user" | "assistant";
    readonly external_id?: string;
  };
  /** Refused with `version_conflict` unless this is the session's version. */
  readonly if_version?: number;
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
   * `session_expired`. By identities, `token_hash` becomes the device's new token; by asserted ones only a session that
   * nobody has proven is found, and `verification_required` is thrown when there is another.
   */
  restore(
    who: { token_hash: string; identities?: Identities; claimed?: boolean },
    channel: string | undefined,
    now: Date,
  ): Promise<Opened>;
  /** Applies the changes in the database and slides the session. Throws as `restore`, and `version_conflict`. */
  update(token_hash: string, changes: SessionChanges, now: Date): Promise<Session>;
  /** Ends the session on every channel; its tokens die. Returns them for the cache. Throws as `restore`. */
  end(token_hash: string, now: Date): Promise<{ session: Session; token_hashes: string[] }>;
  /** The token dies, the session lives. False when it was not alive. */
  signOut(token_hash: string, now: Date): Promise<boolean>;
  /** Messages after the cursor in order, of a session in any state by id, or of a live token's session. */
  messages(of: SessionRef, after: number, limit: number, now: Date): Promise<Page & { session_id: string }>;
}
