import type { Address } from "../messages/message.ts";
import type { Opened } from "../receive/conversations.ts";
import type { Session, SessionRef } from "../sessions/session.ts";
import type { IdentityKind } from "./identity.ts";

/** How long a one-time code lives, and how many wrong ones kill it. */
export const CODE_MS = 5 * 60_000;
export const CODE_TRIES = 5;
/** How long a link to scan lives. */
export const LINK_MS = 10 * 60_000;
/** How long a device that has proven who it is may do what outlasts its token. */
export const FRESH_MS = 15 * 60_000;

/** A device that holds a session's token. */
export interface Device {
  readonly device_id: string;
  readonly channel: string;
  readonly created_at: Date;
  readonly last_used_at: Date;
  /** It is the one that asks. */
  readonly current: boolean;
}

/** A way to reach a customer that they have used before. */
export interface KnownAddress {
  readonly channel: string;
  readonly account?: string;
  readonly address: Address;
  readonly used_at: Date;
}

/**
 * How people prove who they are beside what platforms sign. One method is one round trip. What it takes to answer does
 * not tell whether a phone is known. Throws `too_many_requests` with a wait past its limits. A limit key says who asks:
 * `ip:` or `device:` and a hash; phones are counted without one.
 */
export interface Proofs {
  /** Makes `code_hash` the phone's one live code. Returns where it can be sent, newest first: nowhere for a stranger. */
  requestCode(
    request: { phone: string; code_hash: string; rate_limit_keys: readonly string[] },
    now: Date,
  ): Promise<KnownAddress[]>;
  /**
   * Proves the phone. A live token's session and the phone's become one if the former is nobody's, or its customer holds
   * the phone already. A session that is another customer's is left for the phone's own, found or opened, at a kiosk and
   * where the device has not lately proven who it is; elsewhere `merge` decides: true joins the two, false leaves, and
   * without it `merge_required` is thrown and the code stays valid. `new_token_hash` becomes the device's token, and
   * `token_hash` dies. Throws `code_invalid`; `merge_required` with `{sessions: [device's, phone's]}`, each with
   * `session_id`, `channels` and masked `identities`, the phone's with these alone where there is no session.
   */
  confirmCode(
    proof: {
      phone: string;
      code_hash: string;
      token_hash?: string;
      new_token_hash: string;
      channel: string;
      merge?: boolean;
    },
    now: Date,
  ): Promise<Opened>;
  /**
   * Binds a link token to a device and its session, for ten minutes and one use. When the person comes, `new_token_hash`
   * becomes the device's token, and `token_hash` dies: whoever else holds it is not there. Throws as `Sessions.restore`,
   * and `verification_required` for a session that is somebody's, unless the device has proven within a quarter of an
   * hour who it is: by code, scan or password, or because an API key vouched for it.
   */
  createLink(
    link: { token_hash: string; link_hash: string; new_token_hash: string },
    now: Date,
  ): Promise<{ expires_at: Date }>;
  /**
   * Sets the password of the session's verified phone. Throws as `createLink`, and `verification_required` without such a
   * phone.
   */
  signUp(signup: { token_hash: string; password: string }, now: Date): Promise<void>;
  /** Throws `verification_required` without a verified phone, and `password_invalid`. */
  changePassword(
    change: { token_hash: string; password: string; new_password: string },
    now: Date,
  ): Promise<void>;
  /**
   * As `confirmCode`, with a password; but a session that is somebody's already is left, not joined: another person
   * may be logging in. Throws `password_invalid`.
   */
  logIn(
    login: {
      phone: string;
      password: string;
      token_hash?: string;
      new_token_hash: string;
      channel: string;
      rate_limit_keys: readonly string[];
    },
    now: Date,
  ): Promise<Opened>;
  /** Of a live token, or of a session by id (operators); the oldest first. Throws as `Sessions.restore`. */
  devices(of: SessionRef, now: Date): Promise<Device[]>;
  /** Lets a device's token die; returns its hash for the cache, or undefined when there is no such device. */
  revokeDevice(of: SessionRef, device_id: string, now: Date): Promise<string | undefined>;
  /** The identity leaves the customer; later messages from it are another's. Throws as `createLink`. */
  unlink(
    token_hash: string,
    kind: IdentityKind,
    now: Date,
  ): Promise<{ session: Session; removed?: { kind: IdentityKind; value: string } }>;
}
