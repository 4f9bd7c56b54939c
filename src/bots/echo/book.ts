import type { Answer } from "../../core/answer/bot.ts";
import type { Turn } from "../../core/answer/turn.ts";
import { textIn } from "../../core/texts/text-in.ts";
import { zonedIn } from "../../features/reservations/zoned.ts";

const BOOK = /^\/book (\d{1,4}) (\S+)$/;

/**
 * The echo bot's example of an action: `/book 4 2026-12-24T19:00+01:00` books a table for the customer and confirms it in their
 * language. Undefined for any other text, and when the hub has refused the booking.
 */
export function bookTable({ message, session, customer, failure }: Turn): Answer | undefined {
  const [, guests, datetime] = BOOK.exec(message.text?.trim() ?? "") ?? [];
  if (datetime === undefined || failure?.reason.startsWith("actions[")) return undefined;
  const time = zonedIn(datetime);
  if (typeof time === "string")
    return { replies: [{ kind: "text", text: `The time ${time}.` }], actions: [] };
  const name = customer?.name ?? "Guest";
  const shown = new Intl.DateTimeFormat(session.language ?? "en", {
    dateStyle: "long",
    timeStyle: "short",
    timeZone: time.timezone,
  });
  const text = textIn(session.language, "table_booked", {
    guests: Number(guests),
    time: shown.format(new Date(time.datetime)),
  });
  return {
    replies: [{ kind: "text", text }],
    actions: [{ type: "create_reservation", name, guests: Number(guests), ...time }],
  };
}
