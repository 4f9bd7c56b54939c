import type { Hub } from "../../core/hub.ts";
import type { Told } from "../../core/receive/effects.ts";
import { mintToken } from "../auth.ts";
import type { HttpContext } from "../request.ts";
import { sessionOf } from "../sessions/end.ts";
import { present } from "../sessions/present.ts";

/**
 * A session for somebody who has just proven who they are, with the device's new token; `before` is the hash of the
 * token it held, which is dead afterwards, and so are its connections.
 */
export async function verified(
  c: HttpContext,
  before: string | undefined,
  prove: (hub: Hub, new_token_hash: string) => Promise<Told>,
) {
  const { exchange } = c.var;
  const hub = exchange.hub();
  const left = before && (await sessionOf(hub, { token_hash: before }));
  const { session_token, token_hash } = await mintToken();
  const session = await prove(hub, token_hash);
  if (before) void exchange.later(hub.cache.drop({ token_hashes: [before] }));
  if (before && left) hub.live.publish(left, { type: "closed", token_hash: before });
  return { session_token, ...present(c, token_hash, session) };
}
