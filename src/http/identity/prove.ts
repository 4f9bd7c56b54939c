import type { Hub } from "../../core/hub.ts";
import type { OpenedSession } from "../../core/receive/effects.ts";
import { mintToken } from "../auth.ts";
import type { HttpContext } from "../request.ts";
import { sessionOf } from "../sessions/end.ts";
import { present } from "../sessions/present.ts";

/**
 * The session of a customer who was just verified by `prove`, with the device's new token. `before` is the hash of the
 * device's old token: it dies, and its connections are closed.
 */
export async function verified(
  c: HttpContext,
  before: string | undefined,
  prove: (hub: Hub, new_token_hash: string) => Promise<OpenedSession>,
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
