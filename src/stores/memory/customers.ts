import type { TurnCustomer } from "../../core/answer/turn.ts";
import type { InboundMessage } from "../../core/messages/message.ts";
import type { Session } from "../../core/sessions/session.ts";
import { retire } from "./retire.ts";
import { type CustomerRow, copy, newId, type SessionRow, type Tables } from "./tables.ts";

/** A new customer, of whom nothing is known. */
export function newCustomer(tables: Tables, now: Date): CustomerRow {
  const customer: CustomerRow = {
    customer_key: newId(tables, now),
    identities: new Map(),
    unreachable: [],
    profile: {},
    created_at: now,
  };
  tables.customers.set(customer.customer_key, customer);
  return customer;
}

/** The customer whom the shop calls so. */
export function customerCalled(tables: Tables, customer_id: string): CustomerRow | undefined {
  return [...tables.customers.values()].find((customer) => customer.customer_id === customer_id);
}

/** All sessions of a customer, in any state. */
export function sessionsOf(tables: Tables, customer: CustomerRow): SessionRow[] {
  return [...tables.sessions.values()].filter((row) => row.customer === customer);
}

/** The customer's active session. One that is past its expiry is marked so and is none. */
export function activeOf(tables: Tables, customer: CustomerRow, now: Date): SessionRow | undefined {
  const row = livingOf(tables, customer);
  if (!row || row.session.expires_at > now) return row;
  retire(row.session, "expired", now);
  return undefined;
}

/** As `activeOf`, and writes nothing. */
export function seenActive(tables: Tables, customer: CustomerRow, now: Date): SessionRow | undefined {
  const row = livingOf(tables, customer);
  return row && row.session.expires_at > now ? row : undefined;
}

function livingOf(tables: Tables, customer: CustomerRow): SessionRow | undefined {
  return sessionsOf(tables, customer).find(({ session }) => session.status === "active");
}

/** The customer's session that began last, of those that are over and did not go on as another. */
export function lastEndedOf(tables: Tables, customer: CustomerRow): SessionRow | undefined {
  return sessionsOf(tables, customer)
    .filter(({ session }) => session.status === "logged_out" || session.status === "expired")
    .sort(byAge)
    .at(-1);
}

/** A session as the outside sees it: its row, and what its customer is known by now. */
export function documentOf({ session, customer }: SessionRow): Session {
  const { customer_id, identities } = customer;
  const rows = [...identities.values()];
  return {
    ...copy(session),
    ...(customer_id !== undefined && { customer_id }),
    ...Object.fromEntries(rows.map(({ kind, value }) => [kind, value])),
    ...(identities.get("phone")?.verified_at === undefined &&
      identities.has("phone") && { phone_verified: false }),
  };
}

/** Keeps what a messenger says of its user: the first one may rename them, and others add what is missing. */
export function learnProfile({ customer }: SessionRow, { channel, profile }: InboundMessage): void {
  if (!profile) return;
  const known = customer.profile;
  customer.profile = known.channel === channel ? { ...known, ...profile } : { ...profile, channel, ...known };
}

/** What a bot is told of a customer. This store keeps nothing else of them. */
export function turnCustomerOf({ customer_id, profile }: CustomerRow): TurnCustomer {
  return {
    ...(customer_id !== undefined && { customer_id }),
    ...(profile.name !== undefined && { name: profile.name }),
    plan: "basic",
    tags: [],
    attributes: {},
    profile: copy(profile),
  };
}

/** The older session first. */
export function byAge(a: SessionRow, b: SessionRow): number {
  const difference = a.session.created_at.getTime() - b.session.created_at.getTime();
  return difference || (a.session.session_id < b.session.session_id ? -1 : 1);
}
