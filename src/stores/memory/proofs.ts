import { HubError } from "../../core/errors.ts";
import { passwordDigest } from "../../core/identity/password.ts";
import type { Proofs } from "../../core/identity/proofs.ts";
import { rateLimitsOn } from "../../core/identity/rate-limits.ts";
import type { Opened } from "../../core/receive/conversations.ts";
import { dropLostAddresses, knownAddresses } from "./addresses.ts";
import { isSomebody, verifiedOf } from "./identities.ts";
import { addLink } from "./links.ts";
import { followPhone, ownerOf } from "./passwords.ts";
import { findLive, follow, resolve, settleIdentities, touch } from "./people.ts";
import { addFailure, clearFailures, refuseLocked, takeLimits } from "./rate-limits.ts";
import { copy, later, type SessionRow, type Tables, type TokenRow, takeEffects } from "./tables.ts";
import { exchangeToken, giveToken, isFresh, isIdle, tokenOf } from "./tokens.ts";

const CODE_MS = 5 * 60_000;
const CODE_ATTEMPTS = 5;

/** How people prove who they are, said in the plainest way. */
export function memoryProofs(tables: Tables): Proofs {
  return {
    async requestCode({ phone, code_hash, rate_limit_keys }, now) {
      takeLimits(tables, rateLimitsOn("code", [`phone:${phone}`, ...rate_limit_keys]), now);
      tables.codes.set(phone, { code_hash, attempts: 0, expires_at: later(now, CODE_MS) });
      const row = [...tables.sessions.values()].find(
        ({ session }) =>
          session.status === "active" && verifiedOf(session).phone === phone && session.expires_at > now,
      );
      return row ? knownAddresses(row) : [];
    },

    async confirmCode({ code_hash, ...proof }, now) {
      takeEffects(tables);
      const { phone } = proof;
      const code = tables.codes.get(phone);
      const isAlive = code && code.expires_at > now && code.attempts < CODE_ATTEMPTS;
      if (!isAlive || code.code_hash !== code_hash) {
        if (isAlive) code.attempts += 1;
        throw new HubError("code_invalid", "the code is wrong or no longer valid");
      }
      tables.codes.delete(phone);
      return provePhone(tables, { ...proof, by: "code" }, now);
    },

    async createLink(link, now) {
      const row = findLive(tables, link, now);
      refuseStale(tables, link.token_hash, row, now);
      touch(tables, row, undefined, now);
      return addLink(tables, link, now);
    },

    async signUp({ token_hash, password }, now) {
      const digest = await passwordDigest(password);
      const row = findLive(tables, { token_hash }, now);
      const phone = phoneOf(row);
      refuseStale(tables, token_hash, row, now);
      touch(tables, row, undefined, now);
      clearFailures(tables, phone);
      tables.passwords.set(phone, { digest, owner: ownerOf(row), updated_at: now });
    },

    async changePassword({ token_hash, password, new_password }, now) {
      const [digest, new_digest] = await Promise.all([password, new_password].map(passwordDigest));
      const row = findLive(tables, { token_hash }, now);
      const phone = phoneOf(row);
      checkPassword(tables, phone, digest!, now);
      touch(tables, row, undefined, now);
      tables.passwords.set(phone, { digest: new_digest!, owner: ownerOf(row), updated_at: now });
    },

    async logIn({ password, rate_limit_keys, ...proof }, now) {
      const digest = await passwordDigest(password);
      takeEffects(tables);
      takeLimits(tables, rateLimitsOn("login", rate_limit_keys), now);
      checkPassword(tables, proof.phone, digest, now);
      return provePhone(tables, { ...proof, by: "password" }, now);
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
      const row = findLive(tables, { token_hash }, now);
      refuseStale(tables, token_hash, row, now);
      touch(tables, row, undefined, now);
      const { session } = row;
      if (session[kind] === undefined) return { session: copy(session) };
      const value = session[kind]!;
      const phones = [session.phone ?? []].flat();
      if (kind === "phone") {
        if (session.phone_verified !== false) tables.passwords.delete(session.phone!);
        delete session.phone_verified;
      }
      delete session[kind];
      session.version += 1;
      dropLostAddresses(row);
      followPhone(tables, row, phones, now);
      return { session: copy(session), removed: { kind, value } };
    },
  };
}

interface PhoneProof {
  readonly phone: string;
  readonly by: "code" | "password";
  readonly token_hash?: string;
  readonly new_token_hash: string;
  readonly channel: string;
}

/** Makes the person at a device and the owner of a phone one, and gives the device a new token. */
function provePhone(tables: Tables, proof: PhoneProof, now: Date): Opened {
  const { phone, by, token_hash, new_token_hash, channel } = proof;
  const here = token_hash === undefined ? undefined : liveDevice(tables, token_hash, now);
  // Whoever logs in, stands at a kiosk, or comes long after may be another person than the one who was here before.
  // What stands in a public room goes on dying without use, whatever it calls itself, and when it has died so before.
  const isKiosk = token_hash !== undefined && tables.tokens.get(token_hash)?.channel === "kiosk";
  const isOpen = here && !isSomebody(verifiedOf(here.row.session));
  const isTheirs = here && by === "code" && !isKiosk && isFresh(here.token, now);
  const row =
    (here && (isOpen || isTheirs) && settleIdentities(tables, here.row, { phone }, now, token_hash)) ||
    resolve(tables, { phone }, channel, now);
  touch(tables, row, channel, now);
  if (here) exchangeToken(tables, token_hash!, new_token_hash);
  giveToken(tables, new_token_hash, row, isKiosk ? "kiosk" : channel, now);
  return { ...copy(row.session), ...takeEffects(tables) };
}

/** A live token and its session, if it opens one. */
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

/** Throws `password_invalid` or `too_many_requests`, for an unknown phone as for a wrong password. */
function checkPassword(tables: Tables, phone: string, digest: string, now: Date): void {
  refuseLocked(tables, phone, now);
  const kept = tables.passwords.get(phone);
  if (kept?.digest !== digest) {
    addFailure(tables, phone, now);
    throw new HubError("password_invalid", "phone and password do not belong together");
  }
  clearFailures(tables, phone);
  kept.updated_at = now;
}

/** Throws `verification_required` for a session that is somebody's, unless the device has proven lately who it is. */
function refuseStale({ tokens }: Tables, token_hash: string, { session }: SessionRow, now: Date): void {
  if (isSomebody(verifiedOf(session)) && !isFresh(tokens.get(token_hash)!, now))
    throw new HubError("verification_required", "this device has to prove again who it is");
}

function phoneOf({ session }: SessionRow): string {
  const { phone } = verifiedOf(session);
  if (phone !== undefined) return phone;
  throw new HubError("verification_required", "the session's phone has to be proven first");
}
