import { toHubError } from "../../core/errors.ts";
import type { HttpContext } from "../request.ts";

/** The channel of the device with this token; undefined if the token is not alive. */
export async function channelOf(c: HttpContext, token_hash: string): Promise<string | undefined> {
  const hub = c.var.exchange.hub();
  try {
    const devices = await hub.store.proofs.devices({ token_hash }, hub.now());
    return devices.find(({ current }) => current)?.channel;
  } catch (thrown) {
    const { code } = toHubError(thrown);
    if (code === "session_not_found" || code === "session_expired") return undefined;
    throw thrown;
  }
}
