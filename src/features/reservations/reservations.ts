import type { Page } from "../customers/customers.ts";
import type { BookingOwner, BookingQuery, Changing, Making, Reader, Recorded } from "../orders/orders.ts";
import type { Reservation, ReservationChanges, ReservationFields, ReservationStatus } from "./reservation.ts";

/** The address of a calendar feed, without its token. */
export interface CalendarFeed {
  readonly feed_id: string;
  readonly name: string;
  /** The name of the key that made it. */
  readonly created_by: string;
  readonly created_at: Date;
}

/** Reservations, with the promises of `Orders`, and the feeds under which calendar programs read them. */
export interface Reservations {
  /** Throws `session_not_found`, `customer_conflict` if two customers hold the contacts, and `idempotency_conflict`. */
  create(
    fields: ReservationFields & BookingOwner,
    making: Making,
  ): Promise<Recorded & { readonly reservation: Reservation; readonly replayed: boolean }>;
  /** Throws `not_found`, `version_conflict` and `illegal_transition`. */
  update(
    reservation_id: string,
    changes: ReservationChanges,
    changing: Changing,
  ): Promise<Recorded & { readonly reservation: Reservation }>;
  /** Throws `not_found`, also for a reservation that is not the reader's. */
  get(reservation_id: string, reader: Reader, now: Date): Promise<Reservation>;
  /** A page after the cursor `after`, earliest `datetime` first; `from` and `to` are about `datetime`. */
  find(
    query: BookingQuery<ReservationStatus>,
    after: string | undefined,
    limit: number,
    now: Date,
  ): Promise<Page<Reservation>>;
  /**
   * The reservations from `from` until before `to`, earliest first, at most `limit`. `token_hash` is of a feed's token; without it
   * the caller holds an admin key. Throws `unauthorized` for a token of no feed.
   */
  calendar(
    token_hash: string | undefined,
    from: Date,
    to: Date,
    limit: number,
  ): Promise<readonly Reservation[]>;
  addFeed(name: string, token_hash: string, actor: string, now: Date): Promise<CalendarFeed>;
  /** All feeds, oldest first. */
  feeds(): Promise<readonly CalendarFeed[]>;
  /** Returns whether there was such a feed. Its token opens nothing any more. */
  deleteFeed(feed_id: string, actor: string, now: Date): Promise<boolean>;
}
