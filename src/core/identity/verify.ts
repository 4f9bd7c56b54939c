import { failureOf, toHubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { opened, runInBackground, type Told } from "../receive/effects.ts";
import { sha256Hex } from "../signature.ts";
import { withTimeout } from "../timeout.ts";
import type { KnownAddress, Proofs } from "./proofs.ts";

/** Multiples of a million below this are as many as fit into 32 bits: every code is as likely as any other. */
const FAIR = 4_294_000_000;

/**
 * Makes the phone's one live code and sends it, behind the answer, where the customer was last heard of; to a stranger
 * it goes nowhere, and nobody can tell from outside. Throws `too_many_requests`.
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
 * Proves a phone by its code, and gives the device the session of the person it belongs to; what the device's session
 * holds goes along where it is nobody's, or with `merge`. Throws `code_invalid` and `merge_required`.
 */
export async function confirmCode(
  hub: Hub,
  { code, ...proof }: Omit<Parameters<Proofs["confirmCode"]>[0], "code_hash"> & { readonly code: string },
): Promise<Told> {
  const code_hash = await hashOf(proof.phone, code);
  return opened(hub, await hub.store.proofs.confirmCode({ ...proof, code_hash }, hub.now()));
}

/** Gives the device the session of the person whose phone and password these are. Throws `password_invalid` and `too_many_requests`. */
export async function logIn(hub: Hub, login: Parameters<Proofs["logIn"]>[0]): Promise<Told> {
  return opened(hub, await hub.store.proofs.logIn(login, hub.now()));
}

/** Tries one address after the other until a platform takes the code. */
async function send(hub: Hub, addresses: readonly KnownAddress[], code: string): Promise<void> {
  await hub.sleep(0); // The answer goes first, and takes as long as a stranger's.
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

/** What is kept of a code. The phone is its salt: there is one live code per phone. */
function hashOf(phone: string, code: string): Promise<string> {
  return sha256Hex(`code:${phone}:${code}`);
}
