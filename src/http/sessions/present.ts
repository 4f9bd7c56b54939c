import type { Session } from "../../core/sessions/session.ts";
import type { HttpContext } from "../request.ts";
import { viewSession } from "../shapes.ts";

/** The session for an answer, with its version as ETag; the cache and its other devices learn of it after the answer. */
export function present(c: HttpContext, token_hash: string, session: Session) {
  const { exchange } = c.var;
  exchange.facts.session_id = session.session_id;
  const { cache, live } = exchange.hub();
  void exchange.later(cache.put(token_hash, session));
  live.publish(session.session_id, { type: "session", session });
  c.header("ETag", `"${session.version}"`);
  return viewSession(session);
}
