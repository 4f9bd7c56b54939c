import { createRoute, z } from "@hono/zod-openapi";
import { sha256Hex } from "../../core/signature.ts";
import { adminOf, randomText } from "../../http/auth.ts";
import { jsonBody } from "../../http/body.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { type App, type AppOptions, boundsOf } from "../../http/request.ts";
import { instant } from "../../http/shapes.ts";
import { featuresOf } from "../features.ts";
import { calendarOf } from "./calendar.ts";
import type { CalendarFeed } from "./reservations.ts";

const TOKEN_PREFIX = "hcf_";
const DAY_MS = 86_400_000;
const PAST_MS = 30 * DAY_MS;
const FUTURE_MS = 366 * DAY_MS;
const MOST_EVENTS = 5_000;

const feedSchema = z
  .object({
    feed_id: z.uuid(),
    name: z.string(),
    created_by: z.string().openapi({ description: "The name of the key that made it." }),
    created_at: instant,
  })
  .openapi("CalendarFeed");

const refusals = ["malformed", "unauthorized", "forbidden", "needs_database"] as const;

/** Registers `GET /api/reservations.ics`, and the feeds that open it to calendar programs. */
export function addCalendar(app: App, options: AppOptions): void {
  const shared = { tags: ["Reservations"], security: security.key };

  const calendar = createRoute({
    ...shared,
    method: "get",
    path: "/api/reservations.ics",
    summary: "The reservations as a calendar",
    description:
      "With an admin key, or, for calendar programs, which send no headers, with the `token` of a feed (`POST /api/calendar-feeds`). From 30 " +
      "days ago until in a year, 5,000 reservations at most. Each event is two hours long.",
    security: [...security.key, ...security.nobody],
    request: {
      query: z.object({
        token: z
          .string()
          .regex(/^hcf_[\w-]{43}$/, "must be the token of a feed")
          .optional(),
      }),
    },
    responses: {
      200: {
        description: "An iCalendar document (RFC 5545).",
        content: { "text/calendar": { schema: z.string() } },
      },
      ...problems(...refusals),
    },
  });
  app.openapi(calendar, async (c) => {
    const { token } = c.req.valid("query");
    if (token === undefined) await adminOf(c.req.raw.headers, options.keys);
    const token_hash = token === undefined ? undefined : await sha256Hex(token);
    const hub = c.var.exchange.hub();
    const now = hub.now().getTime();
    const range = [new Date(now - PAST_MS), new Date(now + FUTURE_MS)] as const;
    const found = await featuresOf(hub).reservations.calendar(token_hash, ...range, MOST_EVENTS);
    c.header("Content-Disposition", 'inline; filename="reservations.ics"');
    return c.body(calendarOf(found), 200, { "Content-Type": "text/calendar; charset=utf-8" }) as never;
  });

  const add = createRoute({
    ...shared,
    method: "post",
    path: "/api/calendar-feeds",
    summary: "Make an address for a calendar program",
    description:
      "With an admin key. The `path` holds a token that opens `GET /api/reservations.ics` and nothing else, until the feed is deleted. It " +
      "is shown only here.",
    middleware: jsonBody(boundsOf(options).bodyBytes),
    request: {
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z
              .strictObject({ name: z.string().trim().min(1).max(128) })
              .openapi({ example: { name: "Calendar at the front desk" } }),
          },
        },
      },
    },
    responses: {
      201: json("The feed and its address.", z.object({ feed: feedSchema, path: z.string() })),
      ...problems(...refusals, "payload_too_large", "unsupported_media_type"),
    },
  });
  app.openapi(add, async (c) => {
    const actor = await adminOf(c.req.raw.headers, options.keys);
    const { name } = c.req.valid("json");
    const hub = c.var.exchange.hub();
    const { reservations } = featuresOf(hub);
    const token = TOKEN_PREFIX + randomText(32);
    const feed = await reservations.addFeed(name, await sha256Hex(token), actor, hub.now());
    return c.json({ feed: viewFeed(feed), path: `/api/reservations.ics?token=${token}` }, 201);
  });

  const list = createRoute({
    ...shared,
    method: "get",
    path: "/api/calendar-feeds",
    summary: "List the calendar feeds",
    description: "With an admin key. Without their tokens.",
    responses: {
      200: json("All feeds, oldest first.", z.object({ feeds: z.array(feedSchema) })),
      ...problems(...refusals),
    },
  });
  app.openapi(list, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const feeds = await featuresOf(c.var.exchange.hub()).reservations.feeds();
    return c.json({ feeds: feeds.map(viewFeed) }, 200);
  });

  const remove = createRoute({
    ...shared,
    method: "delete",
    path: "/api/calendar-feeds/{id}",
    summary: "Delete a calendar feed",
    description: "With an admin key. Its address opens nothing any more. Deleting twice is no error.",
    request: { params: z.object({ id: z.uuid() }) },
    responses: {
      200: json("Whether there was such a feed.", z.object({ deleted: z.boolean() })),
      ...problems(...refusals),
    },
  });
  app.openapi(remove, async (c) => {
    const actor = await adminOf(c.req.raw.headers, options.keys);
    const hub = c.var.exchange.hub();
    const id = c.req.valid("param").id.toLowerCase();
    return c.json({ deleted: await featuresOf(hub).reservations.deleteFeed(id, actor, hub.now()) }, 200);
  });
}

function viewFeed({ created_at, ...feed }: CalendarFeed): z.infer<typeof feedSchema> {
  return { ...feed, created_at: created_at.toISOString() };
}
