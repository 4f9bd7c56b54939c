import {
  type Identities,
  type IdentityKind,
  identitiesOf,
  isPersonal,
  strengthOf,
} from "../../core/identity/identity.ts";
import { type CustomerRow, type IdentityRow, identityKey, later, type Tables } from "./tables.ts";

const SEEN_EXACT_MS = 60_000;

/** What is known of a person: verified identities, and the shop's `customer_id`. */
export interface Known {
  readonly identities: Identities;
  readonly customer_id?: string | undefined;
}

/** The row of an identity, verified or claimed, of any customer. */
export function identityRow(tables: Tables, kind: IdentityKind, value: string): IdentityRow | undefined {
  return tables.identities.get(identityKey(kind, value));
}

/** The customer who has verified an identity. */
export function verifiedHolder(tables: Tables, kind: IdentityKind, value: string): CustomerRow | undefined {
  const row = identityRow(tables, kind, value);
  return row?.verified_at && row.customer;
}

/**
 * The customer of the strongest of the identities that is verified. With `until` it must have been verified by then.
 */
export function firstVerifiedHolder(
  tables: Tables,
  identities: Identities,
  until?: Date,
): CustomerRow | undefined {
  for (const [kind, value] of identitiesOf(identities)) {
    const row = identityRow(tables, kind, value);
    if (row?.verified_at && !(until && row.verified_at > until)) return row.customer;
  }
  return undefined;
}

/** The identities that a customer has verified. */
export function verifiedOf(customer: CustomerRow): Identities {
  const rows = [...customer.identities.values()].filter(({ verified_at }) => verified_at);
  return Object.fromEntries(rows.map(({ kind, value }) => [kind, value]));
}

/** A customer's verified identities and `customer_id`. */
export function knownOf(customer: CustomerRow): Known {
  return { identities: verifiedOf(customer), customer_id: customer.customer_id };
}

/** Whether one of the identities belongs to a person, not only to a browser. */
export function isSomebody(identities: Identities): boolean {
  return identitiesOf(identities).some(([kind]) => isPersonal(kind));
}

/** Whether one of the identities is an account of a messenger. */
export function holdsMessenger(identities: Identities): boolean {
  return identitiesOf(identities).some(([kind]) => strengthOf(kind) === 0);
}

/**
 * Whether the two cannot be one person: their `customer_id` differs, or an identity of a kind that one person has once.
 */
export function areApart(one: Known, other: Known): boolean {
  const differ = (a: string | undefined, b: string | undefined) =>
    a !== undefined && b !== undefined && a !== b;
  return (
    differ(one.customer_id, other.customer_id) ||
    identitiesOf(one.identities).some(
      ([kind, value]) => isPersonal(kind) && differ(value, other.identities[kind]),
    )
  );
}

/** Gives a customer an identity. Another holder loses it, and the customer loses another identity of the same kind. */
export function giveIdentity(
  tables: Tables,
  customer: CustomerRow,
  kind: IdentityKind,
  value: string,
  { verified, now }: { readonly verified: boolean; readonly now: Date },
): void {
  const held = identityRow(tables, kind, value);
  if (held && held.customer !== customer) takeIdentity(tables, held);
  const before = customer.identities.get(kind);
  if (before && before.value !== value) takeIdentity(tables, before);
  const row = identityRow(tables, kind, value) ?? { kind, value, customer, last_seen_at: now };
  if (verified) row.verified_at ??= now;
  if (later(row.last_seen_at, SEEN_EXACT_MS) <= now) row.last_seen_at = now;
  tables.identities.set(identityKey(kind, value), row);
  customer.identities.set(kind, row);
}

/** Takes an identity from its customer, together with its address. */
export function takeIdentity(tables: Tables, row: IdentityRow): void {
  tables.identities.delete(identityKey(row.kind, row.value));
  row.customer.identities.delete(row.kind);
}
