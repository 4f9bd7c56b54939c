import type { Page } from "../customers/customers.ts";
import type { CustomerRef } from "../privacy/privacy.ts";
import type { Order, OrderChanges, OrderFields, OrderStatus } from "./order.ts";

/** Whose booking a new one is. `session_id`, else `customer_id`, else the contacts name the customer. */
export interface BookingOwner {
  readonly session_id?: string;
  /** A new one is made if the shop's id is new. */
  readonly customer_id?: string;
  readonly email?: string | null;
  readonly phone?: string | null;
}

/** The writer and the time of a call that makes something, and its `Idempotency-Key`. */
export interface Making {
  readonly actor: string;
  readonly now: Date;
  readonly idempotency_key?: string;
}

/** The writer and the time of a change, and the expected version. */
export interface Changing {
  readonly actor: string;
  readonly now: Date;
  readonly if_version?: number;
}

/** The session whose history has a new event by the call. */
export interface Recorded {
  readonly event_in?: string;
}

/** The reader of a booking: the holder of a session's token reads those of its customer, the holder of a key all. */
export interface Reader {
  readonly token_hash?: string;
}

/** The bookings of a list. */
export interface BookingQuery<S> {
  /** Absent: of all customers. A turn's are those that its customer may read. */
  readonly of?: Required<Reader> | CustomerRef | { readonly turn_id: string };
  readonly status?: S;
  readonly from?: Date;
  readonly to?: Date;
}

/**
 * Orders. Each write is one transaction with its event in the session's history: a system message that wakes no bot. A call with the
 * same `idempotency_key` and the same fields within 24 hours returns the first one's answer (`replayed`), however many come at once.
 */
export interface Orders {
  /**
   * Records an order. `created` is false if the same order with this `order_id` is stored already. Throws `session_not_found`,
   * `customer_conflict` if two customers hold the contacts, `order_conflict` and `idempotency_conflict`.
   */
  create(
    fields: OrderFields & BookingOwner,
    making: Making,
  ): Promise<Recorded & { readonly order: Order; readonly created: boolean; readonly replayed: boolean }>;
  /** Throws `not_found`, `version_conflict`, `illegal_transition`, and `order_conflict` for another currency. */
  update(
    order_id: string,
    changes: OrderChanges,
    changing: Changing,
  ): Promise<Recorded & { readonly order: Order }>;
  /** Throws `not_found`, also for an order that is not the reader's. */
  get(order_id: string, reader: Reader, now: Date): Promise<Order>;
  /** A page after the cursor `after`, newest first; `from` and `to` are about the creation. */
  find(
    query: BookingQuery<OrderStatus>,
    after: string | undefined,
    limit: number,
    now: Date,
  ): Promise<Page<Order>>;
}
