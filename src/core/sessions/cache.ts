import type { Session, SessionRef } from "./session.ts";

/**
 * A copy of sessions for readers outside the hub: session documents by id, and ids by token. The hub writes it through
 * and reads no document back: the store alone answers.
 */
export interface SessionCache {
  /** Copies the session as it is now, and that this token, which has just been used, opens it. What was dropped stays dropped. */
  put(token_hash: string, session: Session): Promise<void>;
  /**
   * Deletes tokens and sessions that died, for good, and copies of sessions that have changed, until the next `put`.
   * Returns false when the cache did not answer, which is logged.
   */
  drop(gone: Gone): Promise<boolean>;
  /** Whether a token or session was put and not dropped since, and may be alive. False when the cache does not answer. */
  knows(of: SessionRef): Promise<boolean>;
  /** Resolves when the cache answers; throws `unavailable`. */
  ping(): Promise<void>;
}

export interface Gone {
  readonly token_hashes?: readonly string[];
  /** Sessions that ended, merged into another or were erased. */
  readonly session_ids?: readonly string[];
  /** Sessions that live on and no longer say what was copied: one that lost an identity. */
  readonly changed?: readonly string[];
}
