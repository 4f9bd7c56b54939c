import { toHubError } from "../../core/errors.ts";
import type { Caller } from "../auth.ts";
import type { HttpContext } from "../request.ts";

/** What a look-up by who somebody is can come to. */
export const OUTCOMES = ["found", "none", "refused"] as const;
type Outcome = (typeof OUTCOMES)[number];

/** The store's counter of one key's look-ups. */
export function lookupCounter(actor: string, outcome: Outcome): string {
  return `lookups|${actor}|${outcome}`;
}

/**
 * Makes a look-up with an API key and counts, after the answer, what came of it: under the key's name in the audit, and
 * without whom it was about. Somebody who tries numbers with a key that leaked shows as many `none`.
 */
export async function counted<T>(
  c: HttpContext,
  caller: Caller,
  ask: () => Promise<T>,
  outcomeOf: (found: T) => Outcome = () => "found",
): Promise<T> {
  try {
    const found = await ask();
    count(c, caller, outcomeOf(found));
    return found;
  } catch (thrown) {
    const outcome = failureOutcome(toHubError(thrown).code);
    if (outcome) count(c, caller, outcome);
    throw thrown;
  }
}

function failureOutcome(code: string): Outcome | undefined {
  if (code === "session_not_found" || code === "session_expired" || code === "not_found") return "none";
  return code === "verification_required" || code === "forbidden" ? "refused" : undefined;
}

function count(c: HttpContext, { actor }: Caller, outcome: Outcome): void {
  if (actor === undefined) return;
  const { exchange } = c.var;
  const { operations } = exchange.hub().store;
  exchange.facts.actor = actor;
  exchange.facts.lookup = outcome;
  void exchange.later(operations.count(lookupCounter(actor, outcome)));
}
