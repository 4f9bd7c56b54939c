import ical, { ICalCalendarMethod, ICalEventStatus } from "ical-generator";
import type { Reservation } from "./reservation.ts";
import { zonedText } from "./zoned.ts";

/** How long an event is: a reservation has a beginning only. */
const LENGTH_MS = 2 * 3_600_000;

/**
 * The reservations as an iCalendar document (RFC 5545). Times are in UTC, which every calendar program shows in its own zone. A
 * cancelled reservation stays as a cancelled event, so that a program that has it learns of that.
 */
export function calendarOf(reservations: readonly Reservation[]): string {
  const calendar = ical({
    name: "Reservations",
    prodId: { company: "Session hub", product: "Reservations", language: "EN" },
    method: ICalCalendarMethod.PUBLISH,
    ttl: 15 * 60,
  });
  for (const one of reservations)
    calendar.createEvent({
      id: `${one.reservation_id}@session-hub`,
      sequence: one.version - 1,
      start: one.datetime,
      end: new Date(one.datetime.getTime() + LENGTH_MS),
      stamp: one.updated_at,
      created: one.created_at,
      lastModified: one.updated_at,
      summary: `${one.name} (${one.guests})`,
      description: descriptionOf(one),
      status: one.status === "cancelled" ? ICalEventStatus.CANCELLED : ICalEventStatus.CONFIRMED,
    });
  return calendar.toString();
}

function descriptionOf(one: Reservation): string {
  const lines = [
    `${zonedText(one.datetime, one.timezone)} (${one.timezone})`,
    one.phone,
    one.email,
    one.notes,
    one.status,
  ];
  return lines.filter((line) => line !== undefined).join("\n");
}
