import { createRoute, z } from "@hono/zod-openapi";
import type { OpenWindow } from "../../core/deliver/window.ts";
import { HubError } from "../../core/errors.ts";
import type { SessionFilter } from "../../core/sessions/sessions.ts";
import { adminCallerOf, adminOf } from "../auth.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { type App, type AppOptions, channelName } from "../request.ts";
import { instant, sessionSchema, viewSession } from "../shapes.ts";
import { identitiesIn, identityFields, phoneInQuery } from "./identities.ts";
import { counted } from "./lookups.ts";

const status = sessionSchema.shape.status;

/** Registers `GET /api/sessions` and `GET /api/sessions/:id`: an operator finds sessions; nothing is changed. */
export function addFind(app: App, options: AppOptions): void {
  addList(app, options);
  const route = createRoute({
    method: "get",
    path: "/api/sessions/{id}",
    tags: ["Operation"],
    summary: "Look a session up",
    description: "With an admin key: this session, in any state, also one that was merged into another.",
    security: security.key,
    request: { params: z.object({ id: z.uuid() }) },
    responses: {
      200: json(
        "The session, and until when each platform takes free replies to its customer.",
        z.object({ session: sessionSchema, windows: z.array(windowSchema) }),
      ),
      ...problems("malformed", "unauthorized", "forbidden", "session_not_found"),
    },
  });
  app.openapi(route, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const session_id = c.req.valid("param").id.toLowerCase();
    const hub = c.var.exchange.hub();
    const now = hub.now();
    const [[session], windows] = await Promise.all([
      hub.store.sessions.find({ session_id }, now),
      hub.store.sessions.windows(session_id, now),
    ]);
    if (!session) throw new HubError("session_not_found", "there is no such session");
    c.var.exchange.facts.session_id = session_id;
    return c.json({ session: viewSession(session), windows: windows.map(viewWindow) }, 200);
  });
}

export const windowSchema = z
  .object({
    channel: z.string().openapi({ example: "whatsapp" }),
    account: z.string().openapi({ description: "The shop's account there." }),
    window_closes_at: instant.openapi({
      description:
        "Later the platform takes templates only, until the customer writes again. A closed window is not listed.",
    }),
  })
  .openapi("OpenWindow");

export function viewWindow({ window_closes_at, ...window }: OpenWindow): z.infer<typeof windowSchema> {
  return { ...window, window_closes_at: window_closes_at.toISOString() };
}

function addList(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "get",
    path: "/api/sessions",
    tags: ["Operation"],
    summary: "Find or list sessions",
    description:
      "With an admin key. Reads only: no expiry slides, no channel is appended, no token is made.\n\n" +
      "By `phone`, `telegram_chat_id`, `whatsapp_user_id` or `customer_id` alone: that customer's sessions. The active " +
      "session comes first, then the newest; at most 20, without merged ones.\n\n" +
      "By any other parameter, also together with `customer_id`, or by none: all sessions that match, the newest first, " +
      "page by page.",
    security: security.key,
    request: {
      query: z.object({
        phone: identityFields.phone.optional(),
        telegram_chat_id: identityFields.telegram_chat_id.optional(),
        whatsapp_user_id: identityFields.whatsapp_user_id.optional(),
        customer_id: z.string().min(1).max(128).optional(),
        status: status.optional().openapi({ description: "Without it all but `merged`." }),
        channel: channelName(options).optional().openapi({ description: "One of its channels." }),
        active_since: z.iso
          .datetime({ offset: true })
          .optional()
          .openapi({ description: "Sessions whose last activity is not before this instant." }),
        q: z
          .string()
          .min(1)
          .max(200)
          .optional()
          .openapi({
            description:
              "A part of its id, summary or feedback, or of its customer's identities, names or `customer_id`; upper and lower " +
              "case are equal.",
          }),
        after: z
          .uuid("must be a cursor of this hub")
          .optional()
          .openapi({ description: "The cursor of the page before." }),
        limit: z.coerce
          .number()
          .int()
          .min(1)
          .max(200)
          .optional()
          .openapi({ description: "50 unless given." }),
      }),
    },
    responses: {
      200: json(
        "The sessions; an empty list when there is none.",
        z.object({
          sessions: z.array(sessionSchema),
          cursor: z
            .string()
            .nullable()
            .openapi({ description: "Opaque: give it back as `after`; `null` on the last page." }),
          counts: z.partialRecord(status, z.int()).nullable().openapi({
            description:
              "The number of matches by status; it ignores `status`. On the first page of a list only, else `null`.",
          }),
        }),
      ),
      ...problems("malformed", "unauthorized", "forbidden"),
    },
  });
  app.openapi(route, async (c) => {
    const caller = await adminCallerOf(c.req.raw.headers, options.keys);
    const query = phoneInQuery(c.req.valid("query"));
    const { phone, telegram_chat_id, whatsapp_user_id, customer_id, after, limit, ...filters } = query;
    const identities = identitiesIn({ phone, telegram_chat_id, whatsapp_user_id }, options.country);
    const named = Object.keys(identities).length;
    const isList = Object.keys({ ...filters, ...(after && { after }), ...(limit && { limit }) }).length > 0;
    if (named > 1 || (named === 1 && (isList || customer_id !== undefined)))
      throw new HubError(
        "malformed",
        "query: phone, telegram_chat_id and whatsapp_user_id stand alone, without another parameter",
      );
    const hub = c.var.exchange.hub();
    if (named === 0 && (isList || customer_id === undefined)) {
      const page = await hub.store.sessions.list(filterOf({ ...filters, customer_id }), after, limit ?? 50);
      const { sessions, counts = null } = page;
      return c.json({ sessions: sessions.map(viewSession), cursor: page.after ?? null, counts }, 200);
    }
    const ask = () =>
      hub.store.sessions.find(customer_id === undefined ? { identities } : { customer_id }, hub.now());
    const found = await counted(c, caller, ask, ({ length }) => (length > 0 ? "found" : "none"));
    return c.json({ sessions: found.map(viewSession), cursor: null, counts: null }, 200);
  });
}

interface Filters {
  readonly status?: SessionFilter["status"] | undefined;
  readonly channel?: string | undefined;
  readonly customer_id?: string | undefined;
  readonly active_since?: string | undefined;
  readonly q?: string | undefined;
}

function filterOf({ status, channel, customer_id, active_since, q }: Filters): SessionFilter {
  return {
    ...(status && { status }),
    ...(channel !== undefined && { channel }),
    ...(customer_id !== undefined && { customer_id }),
    ...(active_since !== undefined && { active_since: new Date(active_since) }),
    ...(q !== undefined && { q }),
  };
}
