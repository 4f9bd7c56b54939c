import { z } from "zod";
import type { Order } from "../../../features/orders/order.ts";
import { type Tool, toolOf } from "./tool.ts";

const MOST = 10;
const MOST_ITEMS = 20;
const LONGEST_NAME = 120;

export const findOrders: Tool = toolOf(
  "find_orders",
  "The newest orders of this customer, with their status, amount and items.",
  z.strictObject({}),
  async (_args, { turn, parts, features }) => {
    const { items } = await features.orders.find(
      { of: { turn_id: turn.turn_id } },
      undefined,
      MOST,
      parts.now(),
    );
    return { orders: items.map(viewOrder) };
  },
);

/** An order without the ids by which the hub and the shop's payment know it. */
function viewOrder({ order_id, status, amount, currency, items, created_at }: Order) {
  return {
    order_id,
    status,
    amount,
    currency,
    items: items.slice(0, MOST_ITEMS).map((item) => ({ ...item, name: item.name?.slice(0, LONGEST_NAME) })),
    created_at,
  };
}
