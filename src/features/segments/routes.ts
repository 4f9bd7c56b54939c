import { createRoute, z } from "@hono/zod-openapi";
import { adminCallerOf } from "../../http/auth.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App, AppOptions } from "../../http/request.ts";
import { counted } from "../../http/sessions/lookups.ts";
import { instant } from "../../http/shapes.ts";
import { cursorField, limitParam } from "../customers/describe.ts";
import { customerSchema, viewCustomer } from "../customers/shape.ts";
import { featuresOf } from "../features.ts";
import { segmentFields, segmentFilterOf } from "./filter.ts";
import type { Member } from "./segments.ts";

const memberSchema = z
  .object({
    customer: customerSchema,
    channels: z.array(z.string()).openapi({ description: "The channels that they have used." }),
    language: z
      .string()
      .nullable()
      .openapi({ description: "Their preferred language, else that of their last session." }),
    last_seen_at: instant.nullable().openapi({ description: "Exact to a quarter-hour." }),
  })
  .openapi("SegmentMember");

/** Registers `GET /api/segments`. */
export function addSegments(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "get",
    path: "/api/segments",
    tags: ["Statistics"],
    summary: "Find customers who are alike",
    description:
      "With an admin key: the customers who match every filter that is given, oldest first; without filters all. Plan, tags " +
      "and preferred language are those of now; channels, the language of the last session and when they were last seen are " +
      "as old as the statistics, a few minutes at most.",
    security: security.key,
    request: {
      query: z.object({
        ...segmentFields(options),
        after: z.uuid("must be a cursor of this hub").optional(),
        limit: limitParam,
      }),
    },
    responses: {
      200: json(
        "A page of customers.",
        z.object({
          customers: z.array(memberSchema),
          count: z
            .int()
            .nullable()
            .openapi({ description: "How many customers match; on the first page only." }),
          cursor: cursorField,
        }),
      ),
      ...problems("malformed", "unauthorized", "forbidden", "needs_database"),
    },
  });
  app.openapi(route, async (c) => {
    const caller = await adminCallerOf(c.req.raw.headers, options.keys);
    const { after, limit, ...given } = c.req.valid("query");
    const { segments } = featuresOf(c.var.exchange.hub());
    const ask = () => segments.find(segmentFilterOf(given), after?.toLowerCase(), limit);
    const page = await counted(c, caller, ask, ({ members }) => (members.length > 0 ? "found" : "none"));
    const { members, count = null } = page;
    return c.json({ customers: members.map(viewMember), count, cursor: page.after ?? null }, 200);
  });
}

function viewMember({ customer, channels, language, last_seen_at }: Member) {
  return {
    customer: viewCustomer(customer),
    channels: [...channels],
    language: language ?? null,
    last_seen_at: last_seen_at?.toISOString() ?? null,
  };
}
