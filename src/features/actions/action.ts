import { z } from "@hono/zod-openapi";
import { normalisePhone } from "../../core/identity/phone.ts";
import { cleanDeep, type JsonObject } from "../../core/json.ts";
import { documentSchema } from "../../http/sessions/document.ts";
import { customerBody, languageField } from "../customers/fields.ts";
import { checkAmounts, orderChanges, orderFields, orderId, orderOf } from "../orders/fields.ts";
import type { OrderChanges, OrderFields } from "../orders/order.ts";
import { checkTime, reservationChanges, reservationFields, reservationOf } from "../reservations/fields.ts";
import type { ReservationChanges, ReservationFields } from "../reservations/reservation.ts";

const MOST_ACTIONS = 20;
/** The limit of one document, in bytes of JSON: the same as in a request. */
const DOCUMENT_BYTES = 64 * 1024;

/** What a bot asks the hub to do with its replies. Its fields are ready for the store. */
export type Action =
  | ({ readonly type: "create_reservation" } & ReservationFields)
  | ({ readonly type: "update_reservation"; readonly reservation_id: string } & ReservationChanges)
  | ({ readonly type: "create_order" } & OrderFields)
  | ({ readonly type: "update_order"; readonly order_id: string } & OrderChanges)
  | ({ readonly type: "update_customer" } & Readonly<Record<string, unknown>>)
  | { readonly type: "set_language"; readonly language: string }
  | { readonly type: "set_data"; readonly data: JsonObject }
  /** `through`: the `seq` of the last message that it covers, if the hub's own bot has written it. */
  | { readonly type: "set_summary"; readonly summary: string; readonly through?: number }
  | { readonly type: "end_session"; readonly summary?: string };

/** A bot's phones must have their country: it may speak to customers of many. */
const phone = z
  .string()
  .regex(/^\+[\d ().-]{6,30}$/, "must be a phone with + and the country's prefix")
  .refine((text) => normalisePhone(text) !== undefined, "must be a possible phone number")
  .nullish();
const document = documentSchema.refine(
  (value) => new TextEncoder().encode(JSON.stringify(value)).byteLength <= DOCUMENT_BYTES,
  `must be at most ${DOCUMENT_BYTES} bytes`,
);
const { name, email, preferred_language, tags } = customerBody.shape;
const summary = z.string().max(4_096);

const actionSchema = z.discriminatedUnion("type", [
  z
    .strictObject({ type: z.literal("create_reservation"), ...reservationFields, phone })
    .superRefine(checkTime),
  z
    .strictObject({
      type: z.literal("update_reservation"),
      reservation_id: z.uuid(),
      ...reservationChanges,
      phone,
    })
    .superRefine(checkTime),
  z.strictObject({ type: z.literal("create_order"), ...orderFields }).superRefine(checkAmounts),
  z
    .strictObject({ type: z.literal("update_order"), ...orderChanges, order_id: orderId })
    .superRefine(checkAmounts),
  z.strictObject({
    type: z.literal("update_customer"),
    name,
    email,
    phone,
    preferred_language,
    tags,
    attributes: document.nullish(),
  }),
  z.strictObject({ type: z.literal("set_language"), language: languageField }),
  z.strictObject({ type: z.literal("set_data"), data: document }),
  z.strictObject({ type: z.literal("set_summary"), summary }),
  z.strictObject({ type: z.literal("end_session"), summary: summary.optional() }),
]);

/** The list of actions in a bot's answer. */
export const actionsSchema = z.array(actionSchema).max(MOST_ACTIONS);

/** Checked actions, with instants, exact amounts and E.164 phones. */
export function actionsOf(given: z.output<typeof actionsSchema>): Action[] {
  return cleanDeep(given).map((action) => {
    switch (action.type) {
      case "create_reservation":
      case "update_reservation":
        return { ...reservationOf(action), ...idOf(action) } as Action;
      case "create_order":
      case "update_order":
        return orderOf(action) as Action;
      case "update_customer": {
        const { phone: theirs, ...rest } = action;
        return { ...rest, ...(theirs != null && { phone: normalisePhone(theirs) }) } as Action;
      }
      default:
        return action as Action;
    }
  });
}

function idOf(action: object): { readonly reservation_id?: string } {
  return "reservation_id" in action ? { reservation_id: String(action.reservation_id).toLowerCase() } : {};
}
