import { z } from "@hono/zod-openapi";
import { instant } from "../../http/shapes.ts";
import { RESERVATION_STATUSES, type Reservation } from "./reservation.ts";
import { zonedText } from "./zoned.ts";

const nullableText = z.string().nullable();

/** A reservation as callers see it: every field, `null` where there is nothing. */
export const reservationSchema = z
  .object({
    reservation_id: z.uuid(),
    customer_key: nullableText.openapi({ description: "The hub's own name for the customer." }),
    customer_id: nullableText.openapi({ description: "The shop's name for the customer." }),
    session_id: nullableText.openapi({ description: "The session it came from." }),
    name: z.string(),
    email: nullableText,
    phone: nullableText.openapi({ description: "E.164" }),
    datetime: z.string().openapi({
      format: "date-time",
      description: "With the offset of `timezone`.",
      example: "2026-12-01T19:00:00+01:00",
    }),
    timezone: z.string().openapi({ description: "As it was given.", example: "Europe/Berlin" }),
    guests: z.int(),
    notes: nullableText,
    google_calendar_event_id: nullableText,
    status: z.enum(RESERVATION_STATUSES),
    version: z.int().openapi({ description: "What `If-Match` is compared with; also the ETag." }),
    created_at: instant,
    updated_at: instant,
  })
  .openapi("Reservation");

/** The reservation in the shape of `reservationSchema`. */
export function viewReservation(one: Reservation): z.infer<typeof reservationSchema> {
  return {
    reservation_id: one.reservation_id,
    customer_key: one.customer_key ?? null,
    customer_id: one.customer_id ?? null,
    session_id: one.session_id ?? null,
    name: one.name,
    email: one.email ?? null,
    phone: one.phone ?? null,
    datetime: zonedText(one.datetime, one.timezone),
    timezone: one.timezone,
    guests: one.guests,
    notes: one.notes ?? null,
    google_calendar_event_id: one.google_calendar_event_id ?? null,
    status: one.status,
    version: one.version,
    created_at: one.created_at.toISOString(),
    updated_at: one.updated_at.toISOString(),
  };
}
