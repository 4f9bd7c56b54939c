import type { Address } from "../messages/message.ts";
import type { Opened } from "../receive/conversations.ts";
import type { Session, SessionRef } from "../sessions/session.ts";
import type { IdentityKind } from "./identity.ts";

/** How long a one-time code is valid, in ms, and how many wrong tries end it. */
export const CODE_MS = 5 * 60_000;
export const CODE_TRIES = 5;
/** How long a link to scan is valid, in ms. */
export const LINK_MS = 10 * 60_000;
/** How long after its last proof a device may make lasting changes (link, password, unlink, merge), in ms. */
export const FRESH_MS = 15 * 60_000;

/** A device that holds a session's token. */
export interface Device {
  readonly device_id: string;
  readonly channel: string;
  readonly created_at: Date;
  readonly last_used_at: Date;
  /** Whether this device makes the request. */
  readonly current: boolean;
}

/** An address that a customer has used before, and when they last used it. */
export interface KnownAddress {
  readonly channel: string;
  readonly account?: string;
  readonly address: Address;
  readonly used_at: Date;
  /** The language in which the hub speaks to the customer; only with the addresses for a code. */
  readonly language?: string;
}

/**
 * How people prove who they are, other than by a platform's signature. One method is one round trip. The time that an
 * answer takes does not depend on whether a phone is known. Throws `too_many_requests` with a wait in ms past the
 * limits of `rateLimitsOn`. A rate limit key names the caller: `ip:` or `device:` and a hash. `requestCode` counts the
 * phone too.
 */
export interface Proofs {
  /**
   * Makes `code_hash` the phone's only valid code. Returns the addresses to send it to, newest first; none if unknown.
   */
  requestCode(
    request: { phone: string; code_hash: string; rate_limit_keys: readonly string[] },
    now: Date,
  ): Promise<KnownAddress[]>;
  /**
   * Verifies the phone. `new_token_hash` becomes the device's token, and `token_hash` dies.
   * - The device's session has no customer yet, or its customer already holds the phone: the two sessions merge.
   * - The device's session belongs to another customer, and the device is a kiosk or has given no proof within
   *   `FRESH_MS`: the device leaves it, and gets the phone's own session, found or opened.
   * - The device's session belongs to another customer, and the device's proof is fresh: `merge` decides. True merges
   *   the two sessions; false leaves the device's; without it `merge_required` is thrown, and the code stays valid.
   *
   * Throws `code_invalid`, and `merge_required` with `{sessions: [device's, phone's]}`: each with `session_id`,
   * `channels` and masked `identities`. The phone's entry has only `identities` when the phone has no session.
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
   * Binds a link token to a device and its session, for `LINK_MS` and one use. When the customer redeems the link,
   * `new_token_hash` becomes the device's token, and `token_hash` dies, because another person may hold a copy of it.
   * Throws as `Sessions.restore`. Throws `verification_required` for a session that has a customer, unless the device
   * has given proof within `FRESH_MS`: a code, a scan, a password, or the word of a trusted caller.
   */
  createLink(
    link: { token_hash: string; link_hash: string; new_token_hash: string },
    now: Date,
  ): Promise<{ expires_at: Date }>;
  /**
   * Sets the password of the session's verified phone. Throws as `createLink`, and `verification_required` without such
   * a phone.
   */
  signUp(signup: { token_hash: string; password: string }, now: Date): Promise<void>;
  /** Throws `verification_required` without a verified phone, and `password_invalid`. */
  changePassword(
    change: { token_hash: string; password: string; new_password: string },
    now: Date,
  ): Promise<void>;
  /**
   * As `confirmCode`, with a password. But a session that already has a customer is left, never merged, because another
   * person may be logging in. Throws `password_invalid`.
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
  /**
   * The devices of a live token's session, or of a session by id (for operators), oldest first. Throws as
   * `Sessions.restore`.
   */
  devices(of: SessionRef, now: Date): Promise<Device[]>;
  /** Ends a device's token. Returns its hash for the cache, or `undefined` if there is no such device. */
  revokeDevice(of: SessionRef, device_id: string, now: Date): Promise<string | undefined>;
  /**
   * Removes the identity from the customer. Later messages from it belong to another customer. Throws as `createLink`.
   */
  unlink(
    token_hash: string,
    kind: IdentityKind,
    now: Date,
  ): Promise<{ session: Session; removed?: { kind: IdentityKind; value: string } }>;
}
