import { z } from "@hono/zod-openapi";
import type { Told } from "../../core/receive/effects.ts";
import type { HttpContext } from "../request.ts";
import { viewSession } from "../shapes.ts";

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
  void exchange.later(
    token_hash === undefined ? cache.drop({ changed: [session.session_id] }) : cache.put(token_hash, session),
  );
  live.publish(session.session_id, { type: "session", session });
  c.header("ETag", `"${session.version}"`);
  return { session: viewSession(session), ...(conflicts && { conflicts: [...conflicts] }) };
}
