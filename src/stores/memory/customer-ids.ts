import type { Identities } from "../../core/identity/identity.ts";
import { conflictsIn } from "../../core/sessions/merge-documents.ts";
import { customerCalled } from "./customers.ts";
import { areApart, knownOf } from "./identities.ts";
import { join, settleIdentities, welcome } from "./people.ts";
import type { CustomerRow, SessionRow, Tables } from "./tables.ts";

/**
 * Gives a customer the `customer_id` that a trusted caller names. `found` is the customer whom verified identities have
 * found. Without `found`, the holder of the `customer_id` or a new customer receives the identities. A `customer_id`
 * that cannot be theirs is a conflict and is not given. `keep` is as in `settleIdentities`.
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

/** Records once, in the session's metadata, that a trusted caller gave a `customer_id` that conflicts. */
export function noteConflict(tables: Tables, { session }: SessionRow, customer_id: string): void {
  const { session_id, metadata } = session;
  const note = { path: "customer_id", value: customer_id, session_id };
  const notes = conflictsIn(metadata.merge_conflicts);
  const isKnown = notes.some((one) => JSON.stringify(one, FIELDS) === JSON.stringify(note, FIELDS));
  if (!isKnown) session.metadata = { ...metadata, merge_conflicts: [...notes, note] };
  tables.effects.conflicts.push("customer_id");
}

const FIELDS = ["path", "value", "session_id"];
