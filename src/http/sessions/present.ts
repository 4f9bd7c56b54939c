import { z } from "@hono/zod-openapi";
import type { OpenedSession } from "../../core/receive/effects.ts";
import type { HttpContext } from "../request.ts";
import { viewSession } from "../shapes.ts";

/** The fields in which a trusted caller contradicts what is known of the customer. */
export const conflicts = z
  .array(z.literal("customer_id"))
  .optional()
  .openapi({
    description:
      "The fields that the hub did not take, because they contradict what it knows: this customer has another " +
      "`customer_id`, or another customer has this one. The value is kept in `metadata.merge_conflicts`.",
  });

/**
 * The session for an answer, with its version as ETag. After the answer it is published to the session's devices, and
 * copied into the cache. Without a token the cache's copy is dropped instead: no token is known to have been used.
 */
export function present(
  c: HttpContext,
  token_hash: string | undefined,
  { conflicts, ...session }: OpenedSession,
) {
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
