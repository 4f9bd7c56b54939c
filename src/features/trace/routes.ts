import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import { adminCallerOf, type Caller } from "../../http/auth.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App, AppOptions, HttpContext } from "../../http/request.ts";
import { identitiesIn, identityFields, phoneInQuery } from "../../http/sessions/identities.ts";
import { counted } from "../../http/sessions/lookups.ts";
import { instant } from "../../http/shapes.ts";
import { featuresOf } from "../features.ts";
import { staffSecurity } from "../staff/shape.ts";
import { hasStaffToken, staffTokenOf } from "../staff/staff-token.ts";
import { STEPS } from "./timeline.ts";
import type { TraceOf } from "./trace.ts";
import { traced } from "./traced.ts";

const stepSchema = z
  .object({
    at: instant,
    what: z.enum(STEPS),
    words: z.string().openapi({ example: "the bot failed 5 times, last with 500 (unavailable)" }),
    session_id: z.uuid().optional(),
    message_id: z.uuid().optional(),
    channel: z.string().optional(),
    code: z.string().optional().openapi({ description: "The hub's code of a failure." }),
    reason: z
      .string()
      .optional()
      .openapi({ description: "The platform's, the bot's or the hub's own code." }),
  })
  .openapi("TraceStep");

const traceSchema = z
  .object({
    found: z.enum(["customer", "session", "message"]).nullable(),
    customer_key: z.string().nullable(),
    verdict: z.string().openapi({
      description: "What became of the newest message that asks for an answer, in words.",
      example: "no answer yet because the bot failed twice",
    }),
    steps: z.array(stepSchema).openapi({ description: "What happened, oldest first." }),
    journal: z
      .enum(["ok", "unreachable", "none"])
      .openapi({ description: "Whether the journal was asked for messages that wait or are in quarantine." }),
    cursor: z
      .string()
      .nullable()
      .openapi({ description: "Opaque: give it back as `after` for what was before." }),
  })
  .openapi("Trace");

/** Registers `GET /api/trace`: why a customer got no answer. */
export function addTrace(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "get",
    path: "/api/trace",
    tags: ["Operation"],
    summary: "Trace a customer's messages",
    description:
      "With an admin key, or signed in at the desk: one timeline from webhook to receipt, with the reasons in words, of a customer (`phone`), a `session` or a " +
      "`message`; exactly one of the three. Reads the database, the dead letters, the audit, and the journal with its quarantine. " +
      "Holds no content, phones or addresses, and changes nothing.",
    security: [...security.key, ...staffSecurity],
    request: {
      query: z.object({
        phone: identityFields.phone.optional(),
        session: z.uuid().optional(),
        message: z.string().min(1).max(512).optional().openapi({
          description:
            "The id of a message, or of a dead letter, or the platform's id. A frontend's own id finds nothing: it is unique in its session only.",
        }),
        after: z
          .string()
          .regex(/^\d{1,18}\.[0-9a-f-]{36}$/, "must be a cursor of this hub")
          .optional()
          .openapi({ description: "The cursor of the page before." }),
        limit: z.coerce
          .number()
          .int()
          .min(1)
          .max(200)
          .default(50)
          .openapi({ description: "Messages a page." }),
      }),
    },
    responses: {
      200: json("What happened.", traceSchema),
      ...problems("malformed", "unauthorized", "forbidden", "needs_database"),
    },
  });
  app.openapi(route, async (c) => {
    const caller = await readerOf(c, options);
    const { phone, session, message, after, limit } = phoneInQuery(c.req.valid("query"));
    const named = [phone, session, message].filter((name) => name !== undefined);
    if (named.length !== 1)
      throw new HubError("malformed", "query: exactly one of phone, session and message");
    const of: TraceOf =
      phone !== undefined
        ? { identities: identitiesIn({ phone }, options.country) }
        : session !== undefined
          ? { session_id: session.toLowerCase() }
          : { message: message! };
    const hub: Hub = c.var.exchange.hub();
    featuresOf(hub);
    const look = () => traced(hub.store, of, after, limit, hub.now());
    const trace =
      phone === undefined
        ? await look()
        : await counted(c, caller, look, ({ found }) => (found ? "found" : "none"));
    const steps = trace.steps.map(({ at, ...step }) => ({ at: at.toISOString(), ...step }));
    return c.json({ ...trace, steps }, 200);
  });
}

/** The holder of an admin key, or somebody who is signed in at the desk, with the name under which look-ups are counted. */
async function readerOf(c: HttpContext, { keys }: AppOptions): Promise<Caller> {
  const { headers } = c.req.raw;
  if (!hasStaffToken(headers)) return adminCallerOf(headers, keys);
  const hub = c.var.exchange.hub();
  const { user_id } = await featuresOf(hub).staff.who(await staffTokenOf(headers), hub.now());
  return { actor: `user:${user_id}` };
}
