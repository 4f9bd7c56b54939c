import { z } from "@hono/zod-openapi";
import type { Session } from "../../core/sessions/session.ts";
import type { Taken } from "../../outage/degraded.ts";
import type { HttpContext } from "../request.ts";
import { viewSession } from "../shapes.ts";

/** What every answer with a session says while it is not saved yet. */
export const persisted = z
  .literal(false)
  .optional()
  .openapi({
    description:
      "Only while the database does not answer: this is as far as the hub knows, will be saved as soon as it is back, and " +
      "the token stays valid.",
  });

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

/** The same of a session that may not be saved yet; then the cache, which knows it already, stands in for the store. */
export function presentTaken(c: HttpContext, token_hash: string, taken: Taken<Session>) {
  if (taken.persisted) return { session: present(c, token_hash, taken.value) };
  const { facts } = c.var.exchange;
  facts.session_id = taken.value.session_id;
  facts.persisted = false;
  c.header("ETag", `"${taken.value.version}"`);
  return { session: viewSession(taken.value), persisted: false as const };
}
