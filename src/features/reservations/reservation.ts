/** The statuses of a reservation. It begins as `booked`; the other two are final. */
export const RESERVATION_STATUSES = ["booked", "cancelled", "seated"] as const;
export type ReservationStatus = (typeof RESERVATION_STATUSES)[number];

/** A table that a customer has reserved. */
export interface Reservation {
  readonly reservation_id: string;
  /** Absent for a reservation of nobody. */
  readonly customer_key?: string;
  readonly customer_id?: string;
  /** The session it came from, or the one into which that was merged. */
  readonly session_id?: string;
  readonly name: string;
  readonly email?: string;
  /** E.164 */
  readonly phone?: string;
  readonly datetime: Date;
  /** The zone of `datetime` as it was given: a name such as `Europe/Berlin`, or an offset such as `+01:00`. */
  readonly timezone: string;
  /** 1 to 1000. */
  readonly guests: number;
  readonly notes?: string;
  readonly google_calendar_event_id?: string;
  readonly status: ReservationStatus;
  /** Rises with each change. Compared with `If-Match`. */
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** What a caller or a bot writes. `datetime` is an instant. */
export interface ReservationFields {
  readonly name: string;
  readonly email?: string | null;
  readonly phone?: string | null;
  readonly datetime: string;
  readonly timezone: string;
  readonly guests: number;
  readonly notes?: string | null;
  readonly google_calendar_event_id?: string | null;
}

/** Absent fields are unchanged. */
export type ReservationChanges = Partial<ReservationFields> & { readonly status?: ReservationStatus };
