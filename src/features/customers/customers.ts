import type { Effects } from "../../core/receive/conversations.ts";
import type { Customer, CustomerFields } from "./customer.ts";

/** Who is looked for: by a contact exactly, by the beginning of a name or contact, or everybody. */
export interface CustomerQuery {
  readonly email?: string;
  readonly phone?: string;
  /** Every word of it begins a word of the name, or the shop's name, e-mail or phone; case and accents do not matter. */
  readonly q?: string;
}

/** A customer after a call, and what else the call has changed. */
export interface Saved {
  readonly customer: Customer;
  readonly created: boolean;
  /** Their session that counts now, active or last. */
  readonly session_id?: string;
  readonly effects: Effects;
}

/** Two who may be one person, and why one may think so. */
export interface Duplicate {
  readonly customers: readonly [Customer, Customer];
  readonly reasons: readonly ("email" | "phone" | "name")[];
}

/** Who writes, when, and at which version of the customer. */
export interface Writing {
  readonly actor: string;
  readonly now: Date;
  readonly if_version?: number;
}

/**
 * People, as a shop's back office keeps them. `id` is the shop's own name (`customer_id`), else the hub's
 * (`customer_key`). Each writing call is one transaction and leaves a line in the audit, without content. A contact or
 * name that another customer has is refused with `customer_conflict`, and nothing changes: the two may be one person, and
 * `merge` says so.
 */
export interface Customers {
  /** Throws `not_found`. */
  get(id: string): Promise<Customer>;
  /** A page in the order in which they came, after the cursor `after`. */
  find(query: CustomerQuery, after: string | undefined, limit: number): Promise<Page<Customer>>;
  /** Replaces every field of a customer but the contacts that are not given; a new one gets `id` as `customer_id`. */
  put(id: string, fields: CustomerFields, writing: Writing): Promise<Saved>;
  /** Applies a merge patch (RFC 7396). Throws `not_found`. */
  patch(id: string, changes: CustomerFields, writing: Writing): Promise<Saved>;
  /** As `patch`, on the customer who has this email or phone; else they are new. At the same moment too they become one. */
  upsert(fields: CustomerFields, writing: Writing): Promise<Saved>;
  /**
   * Makes two customers one, `into`, with all sessions of both; their tokens die. Throws `customer_conflict` where they hold
   * different values of a kind that is not in `give_up`, whose value of `id` is then lost.
   */
  merge(id: string, into: string, give_up: readonly string[], writing: Writing): Promise<Saved>;
  /** Pairs who may be one person, after the cursor `after`. */
  duplicates(after: string | undefined, limit: number): Promise<Page<Duplicate>>;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** The cursor of the next page; absent on the last one. */
  readonly after?: string;
}
