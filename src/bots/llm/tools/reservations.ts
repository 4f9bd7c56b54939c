import { z } from "zod";
import { type Action, actionsOf, actionsSchema } from "../../../features/actions/action.ts";
import type { Reservation } from "../../../features/reservations/reservation.ts";
import { type Desk, type Tool, type ToolResult, toolOf, wrongIn } from "./tool.ts";

const MOST = 20;
const LONGEST_NOTES = 300;
/** How many reservations one turn can make. */
const MOST_BOOKED = 3;

const SAVED = "accepted; it is saved together with your answer";

export const findReservations: Tool = toolOf(
  "find_reservations",
  "The reservations of this customer from yesterday on.",
  z.strictObject({}),
  async (_args, desk) => ({ reservations: (await ownReservations(desk)).map(viewReservation) }),
);

export const bookReservation: Tool = toolOf(
  "book_reservation",
  "Books a table for this customer. Ask for what you do not know; do not guess.",
  z.strictObject({
    name: z.string().min(1).max(256).describe("The name for the reservation."),
    datetime: z
      .string()
      .max(64)
      .describe("Such as 2026-12-01T19:00:00+01:00, or without an offset in the shop's zone."),
    guests: z.int().min(1).max(1_000),
    notes: z.string().max(1_000).optional(),
  }),
  async (args, desk) => {
    const { actions, parts, timezone } = desk;
    if (actions.filter(({ type }) => type === "create_reservation").length >= MOST_BOOKED)
      return { error: "too many reservations for one answer; call hand_over" };
    const local = !/(Z|[+-]\d\d:?\d\d)$/i.test(args.datetime);
    const [action, wrong] = checked({ type: "create_reservation", ...args, ...(local && { timezone }) });
    if (!action) return wrong;
    if (action.type === "create_reservation" && new Date(action.datetime) < parts.now())
      return { error: "that time has passed" };
    actions.push(action);
    return { result: SAVED };
  },
  true,
);

export const cancelReservation: Tool = toolOf(
  "cancel_reservation",
  "Cancels a reservation of this customer, whose id find_reservations gives.",
  z.strictObject({ reservation_id: z.uuid() }),
  async ({ reservation_id }, desk) => {
    const id = reservation_id.toLowerCase();
    const own = (await ownReservations(desk)).find((one) => one.reservation_id === id);
    if (!own) return { error: "this customer has no such reservation" };
    if (own.status !== "booked") return { error: `it is ${own.status} already` };
    const [action, wrong] = checked({
      type: "update_reservation",
      reservation_id: id,
      status: "cancelled",
    });
    if (!action) return wrong;
    desk.actions.push(action);
    return { result: SAVED };
  },
  true,
);

/** Those that the turn's customer may read. Whose they are follows from the turn, in the database. */
async function ownReservations({ turn, parts, features }: Desk): Promise<readonly Reservation[]> {
  const now = parts.now();
  const from = new Date(now.getTime() - 86_400_000);
  const of = { turn_id: turn.turn_id };
  return (await features.reservations.find({ of, from }, undefined, MOST, now)).items;
}

function checked(given: object): [Action, undefined] | [undefined, ToolResult] {
  const read = actionsSchema.safeParse([given]);
  if (!read.success) return [undefined, { error: "wrong arguments", details: wrongIn(read.error) }];
  return [actionsOf(read.data)[0]!, undefined];
}

function viewReservation({ reservation_id, name, datetime, timezone, guests, notes, status }: Reservation) {
  return {
    reservation_id,
    name,
    datetime,
    timezone,
    guests,
    status,
    ...(notes && { notes: notes.slice(0, LONGEST_NOTES) }),
  };
}
