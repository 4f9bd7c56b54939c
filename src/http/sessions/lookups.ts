import { toHubError } from "../../core/errors.ts";
import type { Caller } from "../auth.ts";
import type { HttpContext } from "../request.ts";

/** The outcomes of a look-up by identity. */
export const OUTCOMES = ["found", "none", "refused"] as const;
type Outcome = (typeof OUTCOMES)[number];

/** The name of the store's counter for one key's look-ups with one outcome. */
export function lookupCounter(actor: string, outcome: Outcome): string {
  return `lookups|${actor}|${outcome}`;
}

/**
 * Makes a look-up with an API key, and counts its outcome after the answer, by the key's name in the audit. It records
 * nothing about the person. An attacker who tries numbers with a leaked key shows as many `none`.
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
