import type { Effects } from "../../core/receive/conversations.ts";
import type { Customer, CustomerFields } from "./customer.ts";

/** At most one of these. Without any, the query is for all customers. `email` and `phone` match exactly. */
export interface CustomerQuery {
  readonly email?: string;
  readonly phone?: string;
  /** Each word must begin a word of the name, `customer_id`, e-mail or phone. Case and accents are ignored. */
  readonly q?: string;
}

/** A customer after a call, with the call's other changes. */
export interface Saved {
  readonly customer: Customer;
  readonly created: boolean;
  /** Their active session, else their last one. */
  readonly session_id?: string;
  readonly effects: Effects;
}

/** Two customers who may be one person, with the reasons. */
export interface Duplicate {
  readonly customers: readonly [Customer, Customer];
  readonly reasons: readonly ("email" | "phone" | "name")[];
}

/** The writer, the time, and the expected version of the customer. */
export interface Writing {
  readonly actor: string;
  readonly now: Date;
  readonly if_version?: number;
}

/**
 * Customers for a back office. `id` is a `customer_id`, else a `customer_key`. Each write is one transaction and adds a
 * line to the audit, without content. A contact or `customer_id` of another customer is refused with
 * `customer_conflict`, and nothing changes: if the two are one person, call `merge`.
 */
export interface Customers {
  /** Throws `not_found`. */
  get(id: string): Promise<Customer>;
  /** A page after the cursor `after`, oldest first. */
  find(query: CustomerQuery, after: string | undefined, limit: number): Promise<Page<Customer>>;
  /** Replaces all fields but absent contacts. A new customer gets `id` as `customer_id`. */
  put(id: string, fields: CustomerFields, writing: Writing): Promise<Saved>;
  /** Applies a merge patch (RFC 7396). Throws `not_found`. */
  patch(id: string, changes: CustomerFields, writing: Writing): Promise<Saved>;
  /** `patch` of the customer with this email, phone or `customer_id`, else a new one. Calls at once make one customer. */
  upsert(fields: CustomerFields, writing: Writing): Promise<Saved>;
  /**
   * Merges `id` into `into`, which gets all sessions of both. Their tokens end. For kinds in `give_up` the value of `id` is
   * removed. Throws `customer_conflict` if they hold different values of other kinds.
   */
  merge(id: string, into: string, give_up: readonly string[], writing: Writing): Promise<Saved>;
  /** A page of pairs that may be one person, after the cursor `after`. */
  duplicates(after: string | undefined, limit: number): Promise<Page<Duplicate>>;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** The cursor of the next page; absent on the last one. */
  readonly after?: string;
}
