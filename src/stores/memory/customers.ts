import type { TurnCustomer } from "../../core/answer/turn.ts";
import type { InboundMessage } from "../../core/messages/message.ts";
import type { Session } from "../../core/sessions/session.ts";
import { retire } from "./retire.ts";
import { type CustomerRow, copy, newId, type SessionRow, type Tables } from "./tables.ts";

/** A new customer without identities. */
export function newCustomer(tables: Tables, now: Date): CustomerRow {
  const customer: CustomerRow = {
    customer_key: newId(tables, now),
    identities: new Map(),
    unreachable: [],
    reachability_at: new Map(),
    plan: "basic",
    profile: {},
    created_at: now,
  };
  tables.customers.set(customer.customer_key, customer);
  return customer;
}

/** The customer with this `customer_id`. */
export function customerCalled(tables: Tables, customer_id: string): CustomerRow | undefined {
  return [...tables.customers.values()].find((customer) => customer.customer_id === customer_id);
}

/** All sessions of a customer, in any state. */
export function sessionsOf(tables: Tables, customer: CustomerRow): SessionRow[] {
  return [...tables.sessions.values()].filter((row) => row.customer === customer);
}

/** The customer's active session. A session past its expiry is marked as expired and not returned. */
export function activeOf(tables: Tables, customer: CustomerRow, now: Date): SessionRow | undefined {
  const row = livingOf(tables, customer);
  if (!row || row.session.expires_at > now) return row;
  retire(row.session, "expired", now);
  return undefined;
}

/** As `activeOf`, but writes nothing. */
export function seenActive(tables: Tables, customer: CustomerRow, now: Date): SessionRow | undefined {
  const row = livingOf(tables, customer);
  return row && row.session.expires_at > now ? row : undefined;
}

/** The customer's session with the status active; its expiry may be past. */
export function livingOf(tables: Tables, customer: CustomerRow): SessionRow | undefined {
  return sessionsOf(tables, customer).find(({ session }) => session.status === "active");
}

/** The newest of the customer's ended or expired sessions; merged sessions do not count. */
export function lastEndedOf(tables: Tables, customer: CustomerRow): SessionRow | undefined {
  return sessionsOf(tables, customer)
    .filter(({ session }) => session.status === "logged_out" || session.status === "expired")
    .sort(byAge)
    .at(-1);
}

/** A session as callers see it: its row, with the customer's present identities and `customer_id`. */
export function documentOf({ session, customer }: SessionRow): Session {
  const { customer_id, preferred_language, plan, identities } = customer;
  const rows = [...identities.values()];
  return {
    ...copy(session),
    ...(customer_id !== undefined && { customer_id }),
    ...(preferred_language !== undefined && { preferred_language }),
    ...(plan === "premium" && { plan }),
    ...Object.fromEntries(rows.map(({ kind, value }) => [kind, value])),
    ...(identities.get("phone")?.verified_at === undefined &&
      identities.has("phone") && { phone_verified: false }),
  };
}

/** Saves a sender's profile: the first messenger may change its values, other messengers only add missing ones. */
export function learnProfile({ customer }: SessionRow, { channel, profile }: InboundMessage): void {
  if (!profile) return;
  const known = customer.profile;
  customer.profile = known.channel === channel ? { ...known, ...profile } : { ...profile, channel, ...known };
}

/** The customer as a bot gets them. This store keeps no tags and attributes. */
export function turnCustomerOf({
  customer_id,
  preferred_language,
  plan,
  profile,
}: CustomerRow): TurnCustomer {
  return {
    ...(customer_id !== undefined && { customer_id }),
    ...(profile.name !== undefined && { name: profile.name }),
    ...(preferred_language !== undefined && { preferred_language }),
    plan,
    tags: [],
    attributes: {},
    profile: copy(profile),
  };
}

/** Sorts sessions by age, oldest first. */
export function byAge(a: SessionRow, b: SessionRow): number {
  const difference = a.session.created_at.getTime() - b.session.created_at.getTime();
  return difference || (a.session.session_id < b.session.session_id ? -1 : 1);
}
