import { z } from "@hono/zod-openapi";
import type { Told } from "../../core/receive/effects.ts";
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

/** What of a trusted caller's word contradicts what is known. */
export const conflicts = z
  .array(z.literal("customer_id"))
  .optional()
  .openapi({
    description:
      "What you said of this customer and the hub did not take, for it is otherwise here: another `customer_id` is theirs, " +
      "or this one is another customer's. It stands in `metadata.merge_conflicts`.",
  });

/**
 * The session for an answer, with its version as ETag; the cache and its other devices learn of it after the answer.
 * Without a token only they do: nobody's device was given it.
 */
export function present(c: HttpContext, token_hash: string | undefined, { conflicts, ...session }: Told) {
  const { exchange } = c.var;
  exchange.facts.session_id = session.session_id;
  const { cache, live } = exchange.hub();
  void exchange.later(cache.put(token_hash, session));
  live.publish(session.session_id, { type: "session", session });
  c.header("ETag", `"${session.version}"`);
  return { session: viewSession(session), ...(conflicts && { conflicts: [...conflicts] }) };
}

/** The same of a session that may not be saved yet; then the cache, which knows it already, stands in for the store. */
export function presentTaken(c: HttpContext, token_hash: string | undefined, taken: Taken<Told>) {
  if (taken.persisted) return present(c, token_hash, taken.value);
  const { facts } = c.var.exchange;
  facts.session_id = taken.value.session_id;
  facts.persisted = false;
  c.header("ETag", `"${taken.value.version}"`);
  return { session: viewSession(taken.value), persisted: false as const };
}
