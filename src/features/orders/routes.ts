import { createRoute, z } from "@hono/zod-openapi";
import { jsonBody } from "../../http/body.ts";
import { json } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { idempotencyKey, tellReplayed } from "../../http/idempotency.ts";
import { ifMatch } from "../../http/if-match.ts";
import { type App, type AppOptions, boundsOf } from "../../http/request.ts";
import { counted } from "../../http/sessions/lookups.ts";
import { cursorField } from "../customers/describe.ts";
import { featuresOf } from "../features.ts";
import {
  changing,
  LINKING,
  listParams,
  making,
  OWN,
  ownerFields,
  ownerOf,
  publishEvent,
  rangeOf,
  readerOf,
  readers,
  readingRefusals,
  WRITERS,
  writerOf,
  writers,
  writingRefusals,
} from "./booking-routes.ts";
import { checkAmounts, orderChanges, orderFields, orderId, orderOf } from "./fields.ts";
import { ORDER_STATUSES } from "./order.ts";
import { orderSchema, viewOrder } from "./shape.ts";

const newOrder = z
  .strictObject({ ...orderFields, ...ownerFields })
  .superRefine(checkAmounts)
  .openapi({
    example: {
      order_id: "A-1001",
      amount: "49.90",
      currency: "EUR",
      items: [{ sku: "tea-103", name: "Green tea", quantity: 2, unit_amount: "24.95" }],
      email: "anna@example.com",
    },
  });
const changedOrder = z
  .strictObject(orderChanges)
  .superRefine(checkAmounts)
  .openapi({ example: { status: "paid" as const, payment_intent_id: "pi_3QXExample" } });

/** Registers `/api/orders`. */
export function addOrders(app: App, options: AppOptions): void {
  const shared = { tags: ["Orders"] };
  const middleware = jsonBody(boundsOf(options).bodyBytes);
  const params = z.object({ id: orderId });

  const create = createRoute({
    ...shared,
    method: "post",
    path: "/api/orders",
    summary: "Record an order",
    description:
      `${WRITERS} ${LINKING} An \`order_id\` that is stored with the same content is answered 200, with another one ` +
      "409 (`order_conflict`). Without an `order_id` the hub makes one.",
    security: writers,
    middleware,
    request: {
      headers: idempotencyKey,
      body: { required: true, content: { "application/json": { schema: newOrder } } },
    },
    responses: {
      200: json("The order, which was stored before.", orderSchema),
      201: json("The new order.", orderSchema),
      ...problems(
        ...writingRefusals,
        "phone_ambiguous",
        "session_not_found",
        "customer_conflict",
        "order_conflict",
        "idempotency_conflict",
      ),
    },
  });
  app.openapi(create, async (c) => {
    const { actor } = await writerOf(c, options);
    const { session_id, customer_id, phone, ...fields } = orderOf(c.req.valid("json"));
    const owner = ownerOf({ session_id, customer_id, phone }, options);
    const { orders } = featuresOf(c.var.exchange.hub());
    const made = await orders.create(
      { ...fields, ...owner } as Parameters<typeof orders.create>[0],
      making(c, actor, c.req.valid("header")),
    );
    publishEvent(c, made.event_in);
    tellReplayed(c, made.replayed);
    c.header("ETag", `"${made.order.version}"`);
    return c.json(viewOrder(made.order), made.created ? 201 : 200);
  });

  const list = createRoute({
    ...shared,
    method: "get",
    path: "/api/orders",
    summary: "List orders",
    description: `With an admin key: all orders, newest first. ${OWN}`,
    security: readers,
    request: {
      query: z.object({
        status: z.enum(ORDER_STATUSES).optional(),
        ...listParams,
        after: z.uuid("must be a cursor of this hub").optional(),
      }),
    },
    responses: {
      200: json("A page of orders.", z.object({ orders: z.array(orderSchema), cursor: cursorField })),
      ...problems(...readingRefusals),
    },
  });
  app.openapi(list, async (c) => {
    const { status, after, limit, ...range } = c.req.valid("query");
    const query = { ...(await rangeOf(c, options, range)), ...(status !== undefined && { status }) };
    const hub = c.var.exchange.hub();
    const page = await featuresOf(hub).orders.find(query, after?.toLowerCase(), limit, hub.now());
    return c.json({ orders: page.items.map(viewOrder), cursor: page.after ?? null }, 200);
  });

  const get = createRoute({
    ...shared,
    method: "get",
    path: "/api/orders/{id}",
    summary: "Read an order",
    description: `${WRITERS} ${OWN} Any other is 404. The version is the ETag.`,
    security: readers,
    request: { params },
    responses: { 200: json("The order.", orderSchema), ...problems(...readingRefusals, "not_found") },
  });
  app.openapi(get, async (c) => {
    const { caller, reader } = await readerOf(c, options);
    const hub = c.var.exchange.hub();
    const { orders } = featuresOf(hub);
    const order = await counted(c, caller, () => orders.get(c.req.valid("param").id, reader, hub.now()));
    c.header("ETag", `"${order.version}"`);
    return c.json(viewOrder(order), 200);
  });

  const patch = createRoute({
    ...shared,
    method: "patch",
    path: "/api/orders/{id}",
    summary: "Change an order",
    description:
      `${WRITERS} A field that is left out is unchanged. The amount and the items may change while the order is pending. With ` +
      "`If-Match` it is changed only at that version.",
    security: writers,
    middleware,
    request: {
      params,
      headers: ifMatch,
      body: { required: true, content: { "application/json": { schema: changedOrder } } },
    },
    responses: {
      200: json("The order after the change.", orderSchema),
      ...problems(
        ...writingRefusals,
        "not_found",
        "version_conflict",
        "illegal_transition",
        "order_conflict",
      ),
    },
  });
  app.openapi(patch, async (c) => {
    const { actor } = await writerOf(c, options);
    const { id } = c.req.valid("param");
    const changes = orderOf(c.req.valid("json")) as Parameters<typeof orders.update>[1];
    const { orders } = featuresOf(c.var.exchange.hub());
    const { order, event_in } = await orders.update(id, changes, changing(c, actor, c.req.valid("header")));
    publishEvent(c, event_in);
    c.header("ETag", `"${order.version}"`);
    return c.json(viewOrder(order), 200);
  });
}
