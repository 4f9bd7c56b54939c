import { z } from "@hono/zod-openapi";
import { instant } from "../../http/shapes.ts";
import { ORDER_STATUSES, type Order } from "./order.ts";

const nullableText = z.string().nullable();

/** An order as callers see it: every field, `null` where there is nothing. */
export const orderSchema = z
  .object({
    order_id: z.string(),
    customer_key: nullableText.openapi({ description: "The hub's own name for the customer." }),
    customer_id: nullableText.openapi({ description: "The shop's name for the customer." }),
    session_id: nullableText.openapi({ description: "The session it came from." }),
    payment_intent_id: nullableText,
    amount: z
      .string()
      .openapi({ description: "Exact, with all decimals of the currency.", example: "49.90" }),
    currency: z.string().openapi({ description: "ISO 4217" }),
    status: z.enum(ORDER_STATUSES),
    items: z.array(
      z.object({
        sku: z.string().optional(),
        name: z.string().optional(),
        quantity: z.int(),
        unit_amount: z.string().optional(),
      }),
    ),
    version: z.int().openapi({ description: "What `If-Match` is compared with; also the ETag." }),
    created_at: instant,
    updated_at: instant,
  })
  .openapi("Order");

/** The order in the shape of `orderSchema`. */
export function viewOrder(order: Order): z.infer<typeof orderSchema> {
  return {
    order_id: order.order_id,
    customer_key: order.customer_key ?? null,
    customer_id: order.customer_id ?? null,
    session_id: order.session_id ?? null,
    payment_intent_id: order.payment_intent_id ?? null,
    amount: order.amount,
    currency: order.currency,
    status: order.status,
    items: order.items.map((item) => ({ ...item })),
    version: order.version,
    created_at: order.created_at.toISOString(),
    updated_at: order.updated_at.toISOString(),
  };
}
