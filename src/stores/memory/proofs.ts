import { HubError } from "../../core/errors.ts";
import { identitiesOf, maskedIdentity } from "../../core/identity/identity.ts";
import { passwordDigest } from "../../core/identity/password.ts";
import { CODE_MS, CODE_TRIES, type Proofs } from "../../core/identity/proofs.ts";
import { rateLimitsOn } from "../../core/identity/rate-limits.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Opened } from "../../core/receive/conversations.ts";
import { knownAddresses } from "./addresses.ts";
import { activeOf, documentOf, seenActive } from "./customers.ts";
import { isSomebody, takeIdentity, verifiedHolder, verifiedOf } from "./identities.ts";
import { spokenTo } from "./languages.ts";
import { addLink } from "./links.ts";
import { findLive, follow, lookUp, resolve, settleIdentities, touch, useDevice } from "./people.ts";
import { addFailure, clearFailures, refuseLocked, takeLimits } from "./rate-limits.ts";
import {
  type CustomerRow,
  later,
  type SessionRow,
  type Tables,
  type TokenRow,
  takeEffects,
} from "./tables.ts";
import { closeTokens, exchangeToken, giveToken, isFresh, isIdle, tokenOf } from "./tokens.ts";

/** Proofs of identity in memory. */
export function memoryProofs(tables: Tables): Proofs {
  return {
    async requestCode({ phone, code_hash, rate_limit_keys }, now) {
      takeLimits(tables, rateLimitsOn("code", [`phone:${phone}`, ...rate_limit_keys]), now);
      tables.codes.set(phone, { code_hash, attempts: 0, expires_at: later(now, CODE_MS) });
      const customer = verifiedHolder(tables, "phone", phone);
      const language = spokenTo(tables, customer);
      const addresses = customer ? knownAddresses(customer) : [];
      return addresses.map((address) => ({ ...address, ...(language !== undefined && { language }) }));
    },

    async confirmCode({ code_hash, merge, ...proof }, now) {
      takeEffects(tables);
      const { phone } = proof;
      const code = tables.codes.get(phone);
      const isAlive = code && code.expires_at > now && code.attempts < CODE_TRIES;
      if (!isAlive || code.code_hash !== code_hash) {
        if (isAlive) code.attempts += 1;
        throw new HubError("code_invalid", "the code is wrong or no longer valid");
      }
      const device = deviceOf(tables, proof, now);
      if (device?.mayJoin && merge === undefined) throw mergeRequired(tables, device.row, phone, now);
      tables.codes.delete(phone);
      return provePhone(tables, proof, device, merge ?? false, now);
    },

    async createLink(link, now) {
      const row = findFresh(tables, link.token_hash, now);
      touch(tables, row, undefined, now);
      return addLink(tables, link, now);
    },

    async signUp({ token_hash, password }, now) {
      const digest = await passwordDigest(password);
      const phone = phoneOf(lookUp(tables, { token_hash }, now));
      const row = findFresh(tables, token_hash, now);
      touch(tables, row, undefined, now);
      clearFailures(tables, phone);
      tables.passwords.set(phone, { digest, updated_at: now });
    },

    async changePassword({ token_hash, password, new_password }, now) {
      const [digest, new_digest] = await Promise.all([password, new_password].map(passwordDigest));
      const row = lookUp(tables, { token_hash }, now);
      const phone = phoneOf(row);
      refuseLocked(tables, phone, now);
      // Also a call with a wrong password counts as a use of the device.
      useDevice(tables, { token_hash }, now);
      checkPassword(tables, phone, digest!, now);
      touch(tables, row, undefined, now);
      tables.passwords.set(phone, { digest: new_digest!, updated_at: now });
    },

    async logIn({ password, rate_limit_keys, ...proof }, now) {
      const digest = await passwordDigest(password);
      takeEffects(tables);
      refuseLocked(tables, proof.phone, now);
      takeLimits(tables, rateLimitsOn("login", rate_limit_keys), now);
      checkPassword(tables, proof.phone, digest, now);
      return provePhone(tables, proof, deviceOf(tables, proof, now), false, now);
    },

    async devices(of, now) {
      const { session } = findLive(tables, of, now);
      return [...tables.tokens]
        .filter(([, token]) => token.session_id === session.session_id && !isIdle(tables, token, now))
        .map(([hash, { device_id, channel, created_at, last_used_at }]) => ({
          device_id,
          channel,
          created_at,
          last_used_at,
          current: "token_hash" in of && of.token_hash === hash,
        }))
        .sort(
          (a, b) => a.created_at.getTime() - b.created_at.getTime() || (a.device_id < b.device_id ? -1 : 1),
        );
    },

    async revokeDevice(of, device_id, now) {
      const { session } = findLive(tables, of, now);
      for (const [hash, token] of tables.tokens) {
        if (token.session_id !== session.session_id || token.device_id !== device_id) continue;
        tables.tokens.delete(hash);
        return hash;
      }
      return undefined;
    },

    async unlink(token_hash, kind, now) {
      const row = findFresh(tables, token_hash, now);
      touch(tables, row, undefined, now);
      const held = row.customer.identities.get(kind);
      if (!held) return { session: documentOf(row) };
      takeIdentity(tables, held);
      if (kind === "phone") tables.passwords.delete(held.value);
      row.session.version += 1;
      return { session: documentOf(row), removed: { kind, value: held.value } };
    },
  };
}

interface PhoneProof {
  readonly phone: string;
  readonly token_hash?: string;
  readonly new_token_hash: string;
  readonly channel: string;
}

interface Device {
  readonly row: SessionRow;
  /**
   * The session's customer has no identity of a person, or has verified this phone already: the two are joined without
   * a question.
   */
  readonly isOwn: boolean;
  /** The session is another customer's, who may be the person at the device: that person is asked. */
  readonly mayJoin: boolean;
}

/** The device on which a phone is proven, if its token is alive and its session active. */
function deviceOf(tables: Tables, { phone, token_hash }: PhoneProof, now: Date): Device | undefined {
  const here = token_hash === undefined ? undefined : liveDevice(tables, token_hash, now);
  if (!here) return undefined;
  const { row, token } = here;
  const held = verifiedOf(row.customer);
  const isOwn = !isSomebody(held) || held.phone === phone;
  // At a kiosk, or long after the last proof, the person at the device may be another one than before.
  return { row, isOwn, mayJoin: !isOwn && token.channel !== "kiosk" && isFresh(token, now) };
}

/**
 * Gives a device the session of a phone's owner, and a new token. The device's own session is merged with that session
 * if that is allowed, and otherwise left as it is.
 */
function provePhone(
  tables: Tables,
  { phone, token_hash, new_token_hash, channel }: PhoneProof,
  device: Device | undefined,
  isAgreed: boolean,
  now: Date,
): Opened {
  const isJoined = device && (device.isOwn || (device.mayJoin && isAgreed));
  // A token that came from a kiosk stays a kiosk's, even if the caller names another channel or the token was idle too
  // long: so the new token still ends when it is not used.
  const isKiosk = token_hash !== undefined && tables.tokens.get(token_hash)?.channel === "kiosk";
  let row: SessionRow;
  if (isJoined) {
    const customer = settleIdentities(tables, device.row.customer, { phone }, now, token_hash)!;
    row = activeOf(tables, customer, now)!;
    if (!device.isOwn) closeTokens(tables, [row], token_hash);
  } else row = resolve(tables, { phone }, channel, now);
  touch(tables, row, channel, now);
  if (device) exchangeToken(tables, token_hash!, new_token_hash);
  giveToken(tables, new_token_hash, row, isKiosk ? "kiosk" : channel, now);
  return { ...documentOf(row), ...takeEffects(tables) };
}

/** The error that asks whether the person at a device and the phone's owner are one. It shows both, masked. */
function mergeRequired(tables: Tables, row: SessionRow, phone: string, now: Date): HubError {
  const owner = verifiedHolder(tables, "phone", phone);
  const theirs = owner && seenActive(tables, owner, now);
  const sessions = [
    described(row.customer, row),
    owner ? described(owner, theirs) : { identities: { phone: maskedIdentity(phone) } },
  ];
  return new HubError("merge_required", "the two are known as different customers", {
    details: { sessions },
  });
}

function described(customer: CustomerRow, row: SessionRow | undefined): JsonObject {
  const held = identitiesOf(verifiedOf(customer)).map(([kind, value]) => [kind, maskedIdentity(value)]);
  const identities: JsonObject = Object.fromEntries(held);
  return row
    ? { session_id: row.session.session_id, channels: row.session.channels, identities }
    : { identities };
}

/** A live token and its session, if that is active. */
function liveDevice(
  tables: Tables,
  token_hash: string,
  now: Date,
): { row: SessionRow; token: TokenRow } | undefined {
  const token = tokenOf(tables, token_hash, now);
  const row = follow(tables, token?.session_id);
  if (!token || row?.session.status !== "active" || row.session.expires_at <= now) return undefined;
  return { row, token };
}

/** Throws `password_invalid` for a wrong password, and the same for an unknown phone. */
function checkPassword(tables: Tables, phone: string, digest: string, now: Date): void {
  const kept = tables.passwords.get(phone);
  if (kept?.digest !== digest) {
    addFailure(tables, phone, now);
    throw new HubError("password_invalid", "phone and password do not belong together");
  }
  clearFailures(tables, phone);
  kept.updated_at = now;
}

/**
 * As `findLive`, by a token. If the session's customer has a verified identity of a person, it throws
 * `verification_required` unless a proof on the device is recent.
 */
function findFresh(tables: Tables, token_hash: string, now: Date): SessionRow {
  const row = lookUp(tables, { token_hash }, now);
  if (isSomebody(verifiedOf(row.customer)) && !isFresh(tables.tokens.get(token_hash)!, now))
    throw new HubError("verification_required", "this device has to prove again who it is");
  useDevice(tables, { token_hash }, now);
  return row;
}

function phoneOf({ customer }: SessionRow): string {
  const { phone } = verifiedOf(customer);
  if (phone !== undefined) return phone;
  throw new HubError("verification_required", "the session's phone has to be proven first");
}
