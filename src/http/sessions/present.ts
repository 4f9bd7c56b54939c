import type { Session } from "../../core/session.ts";
import type { HttpContext } from "../request.ts";
import { viewSession } from "../shapes.ts";

/** The session for an answer, with its version as ETag; the cache learns of it after the answer. */
export function present(c: HttpContext, token_hash: string, session: Session) {
  const { exchange } = c.var;
  exchange.facts.session_id = session.session_id;
  void exchange.later(exchange.hub().cache.put(token_hash, session));
  c.header("ETag", `"${session.version}"`);
  return viewSession(session);
}
