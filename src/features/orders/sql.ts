import { cursorOf, type Row, toRecord } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { Order } from "./order.ts";
import type { Orders } from "./orders.ts";

/** `Orders` over functions of the database. `people` has the arguments of calls that may make customers. */
export function sqlOrders(ask: SqlCall, people: Row): Orders {
  const { kiosk_idle_ms } = people;
  return {
    async create(fields, making) {
      const { order, created, replayed, ...rest } = await ask("hub_create_order", {
        ...people,
        ...making,
        fields,
      });
      return {
        order: toRecord<Order>(order),
        created: created as boolean,
        replayed: replayed as boolean,
        ...eventIn(rest),
      };
    },
    async update(order_id, changes, changing) {
      const { order, ...rest } = await ask("hub_update_order", { ...changing, order_id, changes });
      return { order: toRecord<Order>(order), ...eventIn(rest) };
    },
    async get(order_id, reader, now) {
      return toRecord<Order>((await ask("hub_get_order", { now, kiosk_idle_ms, order_id, ...reader })).order);
    },
    async find({ of, ...query }, after, limit, now) {
      const page = await ask("hub_find_orders", {
        now,
        kiosk_idle_ms,
        ...of,
        ...query,
        limit,
        ...(after && { after }),
      });
      return {
        items: (page.orders as Row[]).map(toRecord<Order>),
        ...cursorOf(page),
      };
    },
  };
}

/** The session whose history has a new event. */
export function eventIn({ event_in }: Row): { event_in?: string } {
  return event_in == null ? {} : { event_in: event_in as string };
}
