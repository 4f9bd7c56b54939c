import { failureOf, toHubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { type OpenedSession, opened, runInBackground } from "../receive/effects.ts";
import { sha256Hex } from "../signature.ts";
import { withTimeout } from "../timeout.ts";
import type { KnownAddress, Proofs } from "./proofs.ts";

/** The largest multiple of a million that fits into 32 bits. Numbers below it make every code equally likely. */
const FAIR = 4_294_000_000;

/**
 * Makes the phone's only valid code, and sends it in the background to the address that the customer used last. For an
 * unknown phone it sends nothing, and the answer is the same. Throws `too_many_requests`.
 */
export async function requestCode(
  hub: Hub,
  { phone, rate_limit_keys }: { readonly phone: string; readonly rate_limit_keys: readonly string[] },
): Promise<void> {
  const code = sixDigits();
  const code_hash = await hashOf(phone, code);
  const addresses = await hub.store.proofs.requestCode({ phone, code_hash, rate_limit_keys }, hub.now());
  runInBackground(hub, "code.not_sent", send(hub, addresses, code));
}

/**
 * Verifies a phone by its code, and gives the device the session of the phone's customer. The content of the device's
 * own session is merged into it if that session has no customer, or with `merge`. Throws `code_invalid` and
 * `merge_required`.
 */
export async function confirmCode(
  hub: Hub,
  { code, ...proof }: Omit<Parameters<Proofs["confirmCode"]>[0], "code_hash"> & { readonly code: string },
): Promise<OpenedSession> {
  const code_hash = await hashOf(proof.phone, code);
  return opened(hub, await hub.store.proofs.confirmCode({ ...proof, code_hash }, hub.now()));
}

/** Gives the device the session of the phone's customer. Throws `password_invalid` and `too_many_requests`. */
export async function logIn(hub: Hub, login: Parameters<Proofs["logIn"]>[0]): Promise<OpenedSession> {
  return opened(hub, await hub.store.proofs.logIn(login, hub.now()));
}

/** Tries one address after the other until a platform takes the code. */
async function send(hub: Hub, addresses: readonly KnownAddress[], code: string): Promise<void> {
  await hub.sleep(0); // The answer goes out first: its time must not show whether the phone is known.
  for (const address of addresses) {
    const channel = hub.channels[address.channel];
    if (!channel) continue;
    try {
      await withTimeout(hub.policy.sendMs, "send_timeout", (signal) =>
        channel.sendCode(address, code, hub.now(), signal),
      );
      hub.log("info", "code.sent", { channel: address.channel });
      return;
    } catch (thrown) {
      hub.log("warn", "code.failed", { channel: address.channel, ...failureOf(toHubError(thrown)) });
    }
  }
}

function sixDigits(): string {
  const [number] = crypto.getRandomValues(new Uint32Array(1));
  return number! < FAIR ? String(number! % 1_000_000).padStart(6, "0") : sixDigits();
}

/** The hash under which a code is stored. The phone is the salt: a phone has one valid code at a time. */
function hashOf(phone: string, code: string): Promise<string> {
  return sha256Hex(`code:${phone}:${code}`);
}
