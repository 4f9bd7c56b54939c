import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import { type Caller, callerOf } from "../../http/auth.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { type App, type AppOptions, channelName } from "../../http/request.ts";
import { instant } from "../../http/shapes.ts";
import type { Named } from "../conversations/conversations.ts";
import { featuresOf } from "../features.ts";
import { type Operator, staffOf } from "../staff/operator.ts";
import { staffSecurity } from "../staff/shape.ts";
import { snippetOf } from "./highlight.ts";
import type { FoundMessage, FoundPage, SearchQuery, Term } from "./search.ts";

const LONGEST_QUERY = 256;

const when = z
  .union(
    [z.iso.datetime({ offset: true }), z.iso.date()],
    "must be an instant such as 2026-11-21T18:00:00Z, or a day",
  )
  .openapi({ type: "string", format: "date-time", example: "2026-11-01T00:00:00Z" })
  .optional();

const resultSchema = z
  .object({
    message_id: z.uuid(),
    session_id: z.uuid(),
    channel: z.string(),
    role: z.enum(["user", "assistant", "operator", "system"]),
    direction: z.enum(["inbound", "outbound"]),
    kind: z.string(),
    created_at: instant,
    customer: z
      .object({ customer_key: z.uuid(), name: z.string().nullable(), contact: z.string().nullable() })
      .optional()
      .openapi({ description: "For staff: whose conversation it is." }),
    snippet: z.string().openapi({
      description:
        "The part around the first match, as escaped HTML text with `<mark>` around each match and no other tag.",
      example: "Is there a <mark>table</mark> for two at 8 &amp; later?",
    }),
  })
  .openapi("FoundMessage");

/** Registers `GET /api/search/messages`: a customer's own messages with a token, all messages with an admin key. */
export function addSearch(app: App, options: AppOptions): void {
  const name = z.string().min(1).max(128).optional();
  const route = createRoute({
    method: "get",
    path: "/api/search/messages",
    tags: ["Search"],
    summary: "Search messages",
    description:
      "With a session's token: the messages of its customer, in all their sessions. With an admin key, or a token of the staff: those of all customers. " +
      'A message must have all words of `q`. `"two words"` must stand together, `-word` must be absent, and of two words with ' +
      "`or` between them one is enough. The last word also matches longer words: `tab` finds table. Case, accents and vowel " +
      "points are ignored; scripts without spaces are searched by letters. The newest two hundred matches come first, by rank, " +
      "then the next. In a search of one customer or session, messages of the last seconds come before all others.",
    security: [...security.token, { apiKey: [] }, ...staffSecurity],
    request: {
      query: z.object({
        q: z
          .string()
          .min(1)
          .max(LONGEST_QUERY)
          .refine((text) => !text.includes("\0"), "must not hold a null character")
          .openapi({ example: "table tomor" }),
        customer_id: name.openapi({
          description: "Only with an admin key or for staff: the messages of one customer.",
        }),
        user_id: name.openapi({ description: "The same as `customer_id`." }),
        session: z.uuid().optional(),
        channel: channelName(options).optional(),
        role: resultSchema.shape.role.optional(),
        from: when.openapi({ description: "Messages of this instant or later." }),
        to: when.openapi({ description: "Messages before this instant." }),
        after: z
          .string()
          .regex(/^[\w-]{12,400}$/, "must be a cursor of this hub")
          .optional()
          .openapi({ description: "The cursor of the page before; the search must be the same." }),
        limit: z.coerce.number().int().min(1).max(50).default(20),
      }),
    },
    responses: {
      200: json(
        "A page of found messages.",
        z.object({
          results: z.array(resultSchema),
          cursor: z.string().nullable().openapi({
            description:
              "Opaque: give it back as `after`. `null` on the last page; a page before it may hold fewer results than `limit`.",
          }),
        }),
      ),
      ...problems(
        "malformed",
        "unauthorized",
        "forbidden",
        "session_not_found",
        "session_expired",
        "needs_database",
      ),
    },
  });
  app.openapi(route, async (c) => {
    const staff = await staffOf(c);
    const caller: Caller = staff
      ? { scopes: new Set(["admin"]) }
      : await callerOf(c.req.raw.headers, options.keys);
    const { q, customer_id, user_id, session, channel, role, from, to, after, limit } = c.req.valid("query");
    if (customer_id !== undefined && user_id !== undefined)
      throw new HubError("malformed", "query: only one of customer_id and user_id");
    const query: SearchQuery = {
      q,
      ...whose(caller, customer_id ?? user_id),
      ...(session !== undefined && { session: session.toLowerCase() }),
      ...(channel !== undefined && { channel }),
      ...(role !== undefined && { role }),
      ...(from !== undefined && { from: new Date(from) }),
      ...(to !== undefined && { to: new Date(to) }),
    };
    const hub = c.var.exchange.hub();
    const page = await featuresOf(hub).search.messages(query, after, limit, hub.now());
    c.var.exchange.facts.found = page.results.length;
    const customers = staff?.staff && page.results.length > 0 ? await whoseAre(hub, staff.staff, page) : {};
    const results = page.results.map((message) => {
      const customer = customers[message.session_id];
      return { ...viewFound(message, page.terms), ...(customer && { customer: viewNamed(customer) }) };
    });
    return c.json({ results, cursor: page.after ?? null }, 200);
  });
}

/** Whose conversations the found messages are of, by their sessions. */
function whoseAre(hub: Hub, { token_hash }: NonNullable<Operator["staff"]>, { results }: FoundPage) {
  const ids = [...new Set(results.map(({ session_id }) => session_id))];
  return featuresOf(hub).conversations.ofSessions({ staff: token_hash, now: hub.now() }, ids);
}

function viewNamed({ customer_key, name, contact }: Named) {
  return { customer_key, name: name ?? null, contact: contact ?? null };
}

/** Whose messages the caller searches. Throws `unauthorized` and `forbidden`. */
function whose({ scopes, token_hash }: Caller, customer_id: string | undefined): Pick<SearchQuery, "of"> {
  if (scopes?.has("admin")) return customer_id === undefined ? {} : { of: { customer_id } };
  if (!token_hash)
    throw scopes
      ? new HubError("forbidden", "search needs an admin key or a session's token")
      : new HubError("unauthorized", "search needs an admin key or a session's token");
  if (customer_id !== undefined) throw new HubError("forbidden", "customer_id and user_id need an admin key");
  return { of: { token_hash } };
}

function viewFound({ text, created_at, ...message }: FoundMessage, terms: readonly Term[]) {
  return {
    ...(message as Omit<z.infer<typeof resultSchema>, "snippet" | "created_at">),
    created_at: created_at.toISOString(),
    snippet: snippetOf(text, terms),
  };
}
