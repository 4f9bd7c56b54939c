import { z } from "@hono/zod-openapi";
import { phoneOf } from "../../core/identity/phone.ts";
import { emailField } from "../customers/fields.ts";
import { RESERVATION_STATUSES, type ReservationChanges, type ReservationFields } from "./reservation.ts";
import { zonedIn } from "./zoned.ts";

/** The fields of a reservation that routes and bots write. */
export const reservationFields = {
  name: z.string().trim().min(1).max(256).openapi({ example: "Anna Berg" }),
  email: emailField.nullish(),
  phone: z.string().min(3).max(64).nullish().openapi({ example: "+493012345678" }),
  datetime: z.string().max(64).openapi({
    format: "date-time",
    description:
      "With an offset (`+01:00`), or in UTC (`Z`), or local with a `timezone`. The zone is kept: answers show the time in it.",
    example: "2026-12-01T19:00:00+01:00",
  }),
  timezone: z.string().min(1).max(64).optional().openapi({
    description: "A name such as `Europe/Berlin`, or an offset. Without it the offset of `datetime`.",
    example: "Europe/Berlin",
  }),
  guests: z.int().min(1).max(1_000).openapi({ example: 4 }),
  notes: z.string().trim().max(4_096).nullish().openapi({ example: "A table at the window" }),
  google_calendar_event_id: z.string().min(1).max(1_024).nullish(),
};

/** The fields of a change. */
export const reservationChanges = {
  ...z.object(reservationFields).partial().shape,
  status: z
    .enum(RESERVATION_STATUSES)
    .optional()
    .openapi({ description: "`booked` may become `seated` or `cancelled`; both are final." }),
};

interface Given {
  readonly datetime?: string | undefined;
  readonly timezone?: string | undefined;
  readonly phone?: string | null | undefined;
}

/** The check of a reservation's fields that stand together: the time with its zone. */
export function checkTime({ datetime, timezone }: Given, context: z.core.$RefinementCtx): void {
  if (datetime === undefined && timezone === undefined) return;
  const read = datetime === undefined ? "is needed with timezone" : zonedIn(datetime, timezone);
  if (typeof read === "string") context.addIssue({ code: "custom", path: ["datetime"], message: read });
}

/** Checked fields for the store. `country` is that of phones without a prefix. Throws `phone_ambiguous` and `malformed`. */
export function reservationOf<T extends Given>(
  given: T,
  country?: string,
): T & Pick<ReservationFields, "datetime" | "timezone"> {
  const { datetime, timezone, phone } = given;
  const zoned = datetime === undefined ? undefined : zonedIn(datetime, timezone);
  return {
    ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T),
    ...(phone != null && { phone: phoneOf(phone, country) }),
    ...(typeof zoned === "object" && zoned),
  } as T & Pick<ReservationChanges, "datetime" | "timezone"> as T &
    Pick<ReservationFields, "datetime" | "timezone">;
}
