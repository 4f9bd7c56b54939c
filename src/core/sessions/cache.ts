import type { Identities } from "../identity/identity.ts";
import type { Session, SessionRef } from "./session.ts";

/**
 * Sessions by token, by id and by the identities they hold, near and forgetful. Asked only while the store does not
 * answer; never fails a request.
 */
export interface SessionCache {
  get(who: SessionRef | { readonly identities: Identities }): Promise<Session | undefined>;
  /**
   * Remembers the session as it is now, for all that find it and for this token, which has just been used unless `used`
   * says no. Tokens that die without use are forgotten in time.
   */
  put(token_hash: string | undefined, session: Session, options?: { readonly used?: boolean }): Promise<void>;
  /** Forgets the tokens, for good; with `sessions` also what they lead to, with all that finds it. */
  drop(token_hashes: readonly string[], options?: { readonly sessions?: boolean }): Promise<void>;
}
