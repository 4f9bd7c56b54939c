import type { Session, SessionRef } from "./session.ts";

/**
 * A copy of sessions for readers outside the hub: session documents by id, and session ids by token. The hub updates it
 * with each change, and never reads a document back: only the store answers.
 */
export interface SessionCache {
  /**
   * Saves a copy of the session, and that this token, which was just used, opens it. A dropped token or session stays
   * dropped.
   */
  put(token_hash: string, session: Session): Promise<void>;
  /**
   * Deletes dead tokens and sessions for good. Deletes the copies of changed sessions until the next `put`. Returns
   * false if the cache did not answer, which is logged.
   */
  drop(gone: Gone): Promise<boolean>;
  /**
   * Whether a token or session was put and not dropped since, so it may be alive. False if the cache does not answer.
   */
  knows(of: SessionRef): Promise<boolean>;
  /** Resolves when the cache answers; throws `unavailable`. */
  ping(): Promise<void>;
}

export interface Gone {
  readonly token_hashes?: readonly string[];
  /** Sessions that ended, merged into another or were erased. */
  readonly session_ids?: readonly string[];
  /** Sessions that are alive but whose copies are wrong, because they lost an identity. */
  readonly changed?: readonly string[];
}
