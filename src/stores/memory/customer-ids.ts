import type { Identities } from "../../core/identity/identity.ts";
import { conflictsIn } from "../../core/sessions/merge-documents.ts";
import { customerCalled } from "./customers.ts";
import { areApart, knownOf } from "./identities.ts";
import { join, settleIdentities, welcome } from "./people.ts";
import type { CustomerRow, SessionRow, Tables } from "./tables.ts";

/**
 * The customer whom a trusted caller calls so, who is also the one whom verified identities have found, or has these
 * identities from now on. A name that cannot be theirs changes nothing and is a conflict. `keep` as in `settleIdentities`.
 */
export function nameCustomer(
  tables: Tables,
  found: CustomerRow | undefined,
  identities: Identities,
  customer_id: string,
  now: Date,
  keep?: string,
): { customer: CustomerRow; isConflict: boolean } {
  const holder = customerCalled(tables, customer_id);
  if (found && holder === found) return { customer: found, isConflict: false };
  const isFree = found?.customer_id === undefined;
  if (isFree && !holder) {
    const customer = found ?? welcome(tables, identities, now);
    customer.customer_id = customer_id;
    return { customer, isConflict: false };
  }
  const known = found ? knownOf(found) : { identities };
  if (!isFree || areApart(known, knownOf(holder!)))
    return { customer: found ?? welcome(tables, identities, now), isConflict: true };
  const customer = found
    ? join(tables, [found, holder!], {}, { owner: found, keep, now })
    : settleIdentities(tables, holder, identities, now, keep)!;
  return { customer, isConflict: false };
}

/** Notes in a session, once, that a trusted caller gave its customer a name that is not theirs. */
export function noteConflict(tables: Tables, { session }: SessionRow, customer_id: string): void {
  const { session_id, metadata } = session;
  const note = { path: "customer_id", value: customer_id, session_id };
  const notes = conflictsIn(metadata.merge_conflicts);
  const isKnown = notes.some((one) => JSON.stringify(one, FIELDS) === JSON.stringify(note, FIELDS));
  if (!isKnown) session.metadata = { ...metadata, merge_conflicts: [...notes, note] };
  tables.effects.conflicts.push("customer_id");
}

const FIELDS = ["path", "value", "session_id"];
