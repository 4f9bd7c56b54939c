import { createRoute, z } from "@hono/zod-openapi";
import { adminOf } from "../../http/auth.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App, AppOptions, HttpContext } from "../../http/request.ts";
import { instant } from "../../http/shapes.ts";
import { featuresOf } from "../features.ts";
import { indexMessages } from "../search/index-messages.ts";
import { staffSecurity } from "../staff/shape.ts";
import { hasStaffToken, staffTokenOf } from "../staff/staff-token.ts";
import { countStatistics } from "./count-statistics.ts";
import { type Answer, type Figures, GROUPINGS } from "./statistics.ts";

/** The time that is answered for without `from`, by the hour and otherwise. */
const HOURS_MS = 86_400_000;
const DAYS_MS = 30 * 86_400_000;
/** Figures older than this are brought up to date before the answer. The sweep does so every minute. */
const STALE_MS = 120_000;
const CATCH_UP = { batch: 1_000, ms: 1_500 };

const moment = z.union(
  [z.iso.datetime({ offset: true }), z.iso.date()],
  "must be an instant such as 2026-11-21T18:00:00Z, or a day",
);

const figures = {
  sessions: z.int().openapi({ description: "By their start and the channel on which they began." }),
  multichannel_sessions: z
    .int()
    .openapi({ description: "Those of them that have used two or more channels." }),
  new_customers: z.int().openapi({ description: "By the channel and language of their first session." }),
  messages_in: z.int().openapi({ description: "Messages of customers." }),
  messages_out: z.int().openapi({ description: "Messages of bots and operators." }),
  first_reply: z
    .object({ count: z.int(), median_ms: z.int().nullable(), p95_ms: z.int().nullable() })
    .openapi({
      description:
        "Of sessions, by the customer's first message: the time until the first reply, at most 1 % away from the exact " +
        "percentile.",
    }),
  unanswered: z.int().openapi({ description: "Sessions with a message of the customer and no reply yet." }),
  dead_letters: z.int().openapi({ description: "By the time of what could not be answered or sent." }),
  ratings: z
    .object({
      count: z.int(),
      average: z.number().nullable(),
      stars: z.array(z.int()).openapi({ description: "How many gave 1, 2, 3, 4 and 5." }),
    })
    .openapi({ description: "By the session's start." }),
  orders: z
    .array(
      z.object({
        currency: z.string().openapi({ example: "EUR" }),
        count: z.int(),
        sum: z.string().openapi({ description: "An exact decimal.", example: "12.50" }),
        paid_count: z.int(),
        paid_sum: z.string(),
      }),
    )
    .openapi({
      description:
        "Orders that are not cancelled, by their time and the session they came from; as they are now.",
    }),
};

const answerSchema = z
  .object({
    as_of: instant.openapi({ description: "Everything that happened before is in the figures." }),
    age_s: z.number().openapi({ description: "How long ago that is." }),
    from: instant,
    to: instant,
    by: z.enum(GROUPINGS),
    tz: z.string(),
    rows: z.array(
      z.object({
        key: z.string().nullable().openapi({
          description:
            "The first instant of the hour, the day's date, the channel or the language; `null` where it is unknown.",
          example: "2026-11-21",
        }),
        ...figures,
      }),
    ),
    total: z.object(figures),
  })
  .openapi("Statistics");

/** Registers `GET /api/stats`. */
export function addStatistics(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "get",
    path: "/api/stats",
    tags: ["Statistics"],
    summary: "Read statistics",
    description:
      "With an admin key: figures by hour, day, channel or language, and their total. Every hour and day has a row, the " +
      "channels and languages that have any. They are at most a few minutes old: `as_of` says how old. Late replies, merges " +
      "and changed ratings correct the past; what retention or an erasure has deleted stays counted.",
    security: [...security.key, ...staffSecurity],
    request: {
      query: z.object({
        from: moment.optional().openapi({
          type: "string",
          format: "date-time",
          description:
            "An instant, or a day, which means its beginning in `tz`. Widened to a whole quarter-hour. Without it: 30 " +
            "days, by hour one, before `to`.",
          example: "2026-11-01",
        }),
        to: moment.optional().openapi({
          type: "string",
          format: "date-time",
          description: "Excluded; without it: now. At most 400 days after `from`, by hour 32.",
          example: "2026-12-01",
        }),
        by: z.enum(GROUPINGS).default("day"),
        tz: z
          .string()
          .max(64)
          .refine(isTimeZone, "must be the name of a time zone, such as Asia/Kolkata")
          .default("UTC")
          .openapi({ description: "The time zone of days, hours and dates.", example: "Asia/Kolkata" }),
      }),
    },
    responses: {
      200: json("The figures.", answerSchema),
      ...problems("malformed", "unauthorized", "forbidden", "needs_database"),
    },
  });
  app.openapi(route, async (c) => {
    await readerOf(c, options);
    const { by, tz, ...given } = c.req.valid("query");
    const hub = c.var.exchange.hub();
    const { statistics } = featuresOf(hub);
    const to = given.to ?? new Date(hub.now().getTime() + 1).toISOString();
    const from = given.from ?? new Date(Date.parse(to) - (by === "hour" ? HOURS_MS : DAYS_MS)).toISOString();
    const query = { from, to, by, tz };
    let answer = await statistics.figures(query);
    if (answer.age_ms > STALE_MS) {
      await indexMessages(hub, CATCH_UP);
      await countStatistics(hub, CATCH_UP);
      answer = await statistics.figures(query);
    }
    return c.json({ ...viewAnswer(answer), by, tz }, 200);
  });
}

/** Whether a name is that of a time zone, and no offset: the database reads the sign of an offset the other way round. */
function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]+(?:[/_+-][A-Za-z0-9_+-]+)*$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function viewAnswer({ as_of, age_ms, from, to, rows, total }: Answer) {
  return {
    as_of: as_of.toISOString(),
    age_s: age_ms / 1_000,
    from: from.toISOString(),
    to: to.toISOString(),
    rows: rows.map((row) => ({ key: row.key, ...viewFigures(row) })),
    total: viewFigures(total),
  };
}

function viewFigures(all: Figures) {
  const { sessions, multichannel_sessions, new_customers, messages_in, messages_out } = all;
  const { first_reply, unanswered, dead_letters, ratings, orders } = all;
  return {
    sessions,
    multichannel_sessions,
    new_customers,
    messages_in,
    messages_out,
    first_reply,
    unanswered,
    dead_letters,
    ratings: { ...ratings, stars: [...ratings.stars] },
    orders: [...orders],
  };
}

/** Lets an admin key and everybody who is signed in at the desk through. */
async function readerOf(c: HttpContext, { keys }: AppOptions): Promise<void> {
  const { headers } = c.req.raw;
  if (!hasStaffToken(headers)) return void (await adminOf(headers, keys));
  const hub = c.var.exchange.hub();
  await featuresOf(hub).staff.who(await staffTokenOf(headers), hub.now());
}
