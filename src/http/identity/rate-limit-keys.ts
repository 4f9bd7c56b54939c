import { sha256Hex } from "../../core/signature.ts";
import { networkOf } from "../rate-limits.ts";

/** The keys under which tries to verify are counted besides the phone: the network and the device, as hashes. */
export async function limitKeys(headers: Headers, token_hash: string | undefined): Promise<string[]> {
  const network = `ip:${await sha256Hex(networkOf(headers))}`;
  return token_hash === undefined ? [network] : [network, `device:${token_hash}`];
}
