import { passwordDigest } from "../../core/identity/password.ts";
import type { Device, KnownAddress, Proofs } from "../../core/identity/proofs.ts";
import { rateLimitsOn } from "../../core/identity/rate-limits.ts";
import { sha256Hex } from "../../core/signature.ts";
import { type Row, toAddress, toDevice, toOpened, toSession } from "../rows.ts";
import type { SqlCall } from "../sql.ts";

/** Proofs of identity in Postgres. `common` holds the settings that are passed with every call. */
export function sqlProofs(ask: SqlCall, common: Row): Proofs {
  return {
    async requestCode({ phone, code_hash, rate_limit_keys }, now) {
      const limits = rateLimitsOn("code", [`phone:${await sha256Hex(phone)}`, ...rate_limit_keys]);
      const { addresses, language } = await ask("hub_request_code", {
        now,
        ...common,
        phone,
        code_hash,
        limits,
      });
      return (addresses as Row[]).map((address): KnownAddress => toAddress({ ...address, language }));
    },
    async confirmCode(proof, now) {
      return toOpened(await ask("hub_confirm_code", { now, ...common, ...proof }));
    },
    async createLink(link, now) {
      const { expires_at } = await ask("hub_create_link", { now, ...common, ...link });
      return { expires_at: new Date(expires_at as string) };
    },
    async signUp({ token_hash, password }, now) {
      await ask("hub_sign_up", { now, ...common, token_hash, password: await passwordDigest(password) });
    },
    async changePassword({ token_hash, ...given }, now) {
      const password = await passwordDigest(given.password);
      const new_password = await passwordDigest(given.new_password);
      await ask("hub_change_password", { now, ...common, token_hash, password, new_password });
    },
    async logIn({ rate_limit_keys, ...login }, now) {
      const password = await passwordDigest(login.password);
      const limits = rateLimitsOn("login", rate_limit_keys);
      return toOpened(await ask("hub_log_in", { now, ...common, ...login, password, limits }));
    },
    async devices(of, now) {
      const { devices } = await ask("hub_devices", { now, ...common, ...of });
      return (devices as Row[]).map(toDevice) as Device[];
    },
    async revokeDevice(of, device_id, now) {
      const { token_hash } = await ask("hub_revoke_device", { now, ...common, ...of, device_id });
      return (token_hash as string | null) ?? undefined;
    },
    async unlink(token_hash, kind, now) {
      const { session, removed } = await ask("hub_unlink", { now, ...common, token_hash, kind });
      const gone = removed as { kind: typeof kind; value: string } | null | undefined;
      return { session: toSession(session as Row), ...(gone && { removed: gone }) };
    },
  };
}
