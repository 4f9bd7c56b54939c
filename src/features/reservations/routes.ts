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
} from "../orders/booking-routes.ts";
import { addCalendar } from "./calendar-routes.ts";
import { checkTime, reservationChanges, reservationFields, reservationOf } from "./fields.ts";
import { RESERVATION_STATUSES } from "./reservation.ts";
import { reservationSchema, viewReservation } from "./shape.ts";

const newReservation = z
  .strictObject({ ...ownerFields, ...reservationFields })
  .superRefine(checkTime)
  .openapi({
    example: {
      name: "Anna Berg",
      email: "anna@example.com",
      datetime: "2026-12-01T19:00:00+01:00",
      timezone: "Europe/Berlin",
      guests: 4,
      notes: "A table at the window",
    },
  });
const changedReservation = z
  .strictObject(reservationChanges)
  .superRefine(checkTime)
  .openapi({ example: { status: "seated" as const } });

/** Registers `/api/reservations` and their calendar. */
export function addReservations(app: App, options: AppOptions): void {
  const shared = { tags: ["Reservations"] };
  const middleware = jsonBody(boundsOf(options).bodyBytes);
  const params = z.object({ id: z.uuid() });
  // First, for `reservations.ics` is no id.
  addCalendar(app, options);

  const create = createRoute({
    ...shared,
    method: "post",
    path: "/api/reservations",
    summary: "Make a reservation",
    description: `${WRITERS} ${LINKING}`,
    security: writers,
    middleware,
    request: {
      headers: idempotencyKey,
      body: { required: true, content: { "application/json": { schema: newReservation } } },
    },
    responses: {
      201: json("The new reservation.", reservationSchema),
      ...problems(
        ...writingRefusals,
        "phone_ambiguous",
        "session_not_found",
        "customer_conflict",
        "idempotency_conflict",
      ),
    },
  });
  app.openapi(create, async (c) => {
    const { actor } = await writerOf(c, options);
    const { session_id, customer_id, phone, ...fields } = reservationOf(c.req.valid("json"), options.country);
    const owner = ownerOf({ session_id, customer_id, phone }, options);
    const { reservations } = featuresOf(c.var.exchange.hub());
    const made = await reservations.create(
      { ...fields, ...owner } as Parameters<typeof reservations.create>[0],
      making(c, actor, c.req.valid("header")),
    );
    publishEvent(c, made.event_in);
    tellReplayed(c, made.replayed);
    c.header("ETag", `"${made.reservation.version}"`);
    return c.json(viewReservation(made.reservation), 201);
  });

  const list = createRoute({
    ...shared,
    method: "get",
    path: "/api/reservations",
    summary: "List reservations",
    description: `With an admin key: all reservations, by \`datetime\`, the earliest first. ${OWN}`,
    security: readers,
    request: {
      query: z.object({
        status: z.enum(RESERVATION_STATUSES).optional(),
        ...listParams,
        after: z
          .string()
          .regex(/^\d{1,17}\.[0-9a-f-]{36}$/, "must be a cursor of this hub")
          .optional()
          .openapi({ description: "The cursor of the page before." }),
      }),
    },
    responses: {
      200: json(
        "A page of reservations.",
        z.object({ reservations: z.array(reservationSchema), cursor: cursorField }),
      ),
      ...problems(...readingRefusals),
    },
  });
  app.openapi(list, async (c) => {
    const { status, after, limit, ...range } = c.req.valid("query");
    const query = { ...(await rangeOf(c, options, range)), ...(status !== undefined && { status }) };
    const hub = c.var.exchange.hub();
    const page = await featuresOf(hub).reservations.find(query, after, limit, hub.now());
    return c.json({ reservations: page.items.map(viewReservation), cursor: page.after ?? null }, 200);
  });

  const get = createRoute({
    ...shared,
    method: "get",
    path: "/api/reservations/{id}",
    summary: "Read a reservation",
    description: `${WRITERS} ${OWN} Any other is 404. The version is the ETag.`,
    security: readers,
    request: { params },
    responses: {
      200: json("The reservation.", reservationSchema),
      ...problems(...readingRefusals, "not_found"),
    },
  });
  app.openapi(get, async (c) => {
    const { caller, reader } = await readerOf(c, options);
    const hub = c.var.exchange.hub();
    const id = c.req.valid("param").id.toLowerCase();
    const { reservations } = featuresOf(hub);
    const reservation = await counted(c, caller, () => reservations.get(id, reader, hub.now()));
    c.header("ETag", `"${reservation.version}"`);
    return c.json(viewReservation(reservation), 200);
  });

  const patch = createRoute({
    ...shared,
    method: "patch",
    path: "/api/reservations/{id}",
    summary: "Change a reservation",
    description:
      `${WRITERS} A field that is left out is unchanged, \`null\` removes one. A reservation that is seated or cancelled does not ` +
      "change any more, except its `google_calendar_event_id`. With `If-Match` it is changed only at that version.",
    security: writers,
    middleware,
    request: {
      params,
      headers: ifMatch,
      body: { required: true, content: { "application/json": { schema: changedReservation } } },
    },
    responses: {
      200: json("The reservation after the change.", reservationSchema),
      ...problems(
        ...writingRefusals,
        "phone_ambiguous",
        "not_found",
        "version_conflict",
        "illegal_transition",
      ),
    },
  });
  app.openapi(patch, async (c) => {
    const { actor } = await writerOf(c, options);
    const id = c.req.valid("param").id.toLowerCase();
    const changes = reservationOf(c.req.valid("json"), options.country);
    const { reservations } = featuresOf(c.var.exchange.hub());
    const { reservation, event_in } = await reservations.update(
      id,
      changes as Parameters<typeof reservations.update>[1],
      changing(c, actor, c.req.valid("header")),
    );
    publishEvent(c, event_in);
    c.header("ETag", `"${reservation.version}"`);
    return c.json(viewReservation(reservation), 200);
  });
}
