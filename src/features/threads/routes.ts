import { createRoute, z } from "@hono/zod-openapi";
import { HubError, toHubError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { programOf } from "../../http/auth.ts";
import { jsonBody } from "../../http/body.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { ifMatch, ifMatchOrNone, versionOf, versionOrNone } from "../../http/if-match.ts";
import type { App, AppOptions, HttpContext } from "../../http/request.ts";
import { refuseDeep, THREAD_BYTES, THREAD_ID } from "./thread.ts";
import type { ThreadChange } from "./threads.ts";
import {
  documentsSchema,
  HOUR_MS,
  threadSchema,
  threadSummarySchema,
  viewSummary,
  viewThread,
} from "./view.ts";

/** A body may be larger than the stored document, because of spaces and escapes. */
const BODY_BYTES = 4 * THREAD_BYTES;
const LONGEST_LIFE_HOURS = 8_760;

const WHO = "With a bot's, a web or an admin key.";

const userId = z.union([z.string().min(1).max(128), z.int()]).openapi({
  description:
    "Your own name for the user. If it is the `customer_id` of a customer, the thread is part of that customer's data: it is " +
    "in their export, and deleted when they are erased.",
});

const bodySchema = z
  .strictObject({
    user_id: userId.nullish(),
    data: documentsSchema,
    metadata: documentsSchema.nullish(),
    ttl_hours: z.number().positive().max(LONGEST_LIFE_HOURS).nullish().openapi({
      description: "Its lifetime after its last use; the default is CONVERSATION_TIMEOUT_HOURS (24).",
    }),
  })
  .openapi({
    example: {
      user_id: "103",
      data: { messages: [{ role: "user", content: "Two tickets, please" }], step: "seats" },
      metadata: { tool: "tickets" },
      ttl_hours: 48,
    },
  });

const idParam = z.object({
  thread_id: z
    .string()
    .regex(THREAD_ID, "must be 1 to 128 letters, digits and . _ : @ + = ~ -")
    .openapi({ description: "An id that you choose.", example: "tickets:103" }),
});

/** Registers `/api/threads`: memory for bots and tools, by ids of their own. */
export function addThreads(app: App, options: AppOptions): void {
  const shared = { tags: ["Threads"], security: security.key };
  const one = { ...shared, path: "/api/threads/{thread_id}" };

  const put = createRoute({
    ...one,
    method: "put",
    summary: "Write a thread",
    description:
      `${WHO} Replaces \`data\` as a whole. Other fields that are left out are unchanged; \`null\` removes them. \`data\` and ` +
      `\`metadata\` together are at most ${THREAD_BYTES} bytes of compact JSON. Slides the expiry. An expired thread begins ` +
      "anew. With `If-Match` the thread is changed only at that version, with `If-None-Match: *` only if there is none. The " +
      "same PUT may be sent twice.",
    middleware: jsonBody(BODY_BYTES),
    request: {
      params: idParam,
      headers: ifMatchOrNone,
      body: { required: true, content: { "application/json": { schema: bodySchema } } },
    },
    responses: {
      200: json("The thread after the change.", z.object({ thread: threadSchema })),
      201: json("The new thread.", z.object({ thread: threadSchema })),
      ...problems(
        "malformed",
        "unauthorized",
        "forbidden",
        "precondition_failed",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });
  app.openapi(put, async (c) => {
    await callerIn(c, options);
    const { thread_id } = c.req.valid("param");
    const if_version = versionOrNone(c.req.valid("header"));
    const change = changeIn(c.req.valid("json"));
    const hub = c.var.exchange.hub();
    const { threads } = hub.store;
    const { thread, created } = await threads.put(thread_id, change, hub.now(), if_version).catch(refused);
    c.header("ETag", `"${thread.version}"`);
    return c.json({ thread: viewThread(thread) }, created ? 201 : 200);
  });

  const get = createRoute({
    ...one,
    method: "get",
    summary: "Read a thread",
    description: `${WHO} Slides the expiry. An expired thread is \`thread_expired\` for a week, then \`thread_not_found\`.`,
    request: { params: idParam },
    responses: {
      200: json("The thread.", z.object({ thread: threadSchema })),
      ...problems("malformed", "unauthorized", "forbidden", "thread_not_found", "thread_expired"),
    },
  });
  app.openapi(get, async (c) => {
    await callerIn(c, options);
    const { thread_id } = c.req.valid("param");
    const hub = c.var.exchange.hub();
    const thread = await hub.store.threads.get(thread_id, hub.now());
    c.header("ETag", `"${thread.version}"`);
    return c.json({ thread: viewThread(thread) }, 200);
  });

  const remove = createRoute({
    ...one,
    method: "delete",
    summary: "Delete a thread",
    description: `${WHO} Deleting twice is no error. With \`If-Match\` the thread is deleted only at that version.`,
    request: { params: idParam, headers: ifMatch },
    responses: {
      200: json("Whether it was alive.", z.object({ deleted: z.boolean() })),
      ...problems("malformed", "unauthorized", "forbidden", "precondition_failed"),
    },
  });
  app.openapi(remove, async (c) => {
    await callerIn(c, options);
    const { thread_id } = c.req.valid("param");
    const if_version = versionOf(c.req.valid("header"));
    const hub = c.var.exchange.hub();
    const deleted = await hub.store.threads.delete(thread_id, hub.now(), if_version).catch(refused);
    return c.json({ deleted }, 200);
  });

  const list = createRoute({
    ...shared,
    method: "get",
    path: "/api/threads",
    summary: "List a user's threads",
    description: `${WHO} Threads that have not expired, the newest first, without \`data\` and \`metadata\`. No expiry slides.`,
    request: {
      query: z.object({
        user_id: z.string().min(1).max(128),
        after: z
          .string()
          .regex(/^\d{1,15}\.[A-Za-z0-9._:@+=~-]{1,128}$/, "must be a cursor of this hub")
          .optional()
          .openapi({ description: "The cursor of the page before." }),
        limit: z.coerce.number().int().min(1).max(200).default(50),
      }),
    },
    responses: {
      200: json(
        "A page of threads.",
        z.object({
          threads: z.array(threadSummarySchema),
          cursor: z
            .string()
            .nullable()
            .openapi({ description: "Opaque: give it back as `after`; `null` on the last page." }),
        }),
      ),
      ...problems("malformed", "unauthorized", "forbidden"),
    },
  });
  app.openapi(list, async (c) => {
    await callerIn(c, options);
    const { user_id, after, limit } = c.req.valid("query");
    const hub = c.var.exchange.hub();
    const page = await hub.store.threads.list(user_id, after, limit, hub.now());
    return c.json({ threads: page.threads.map(viewSummary), cursor: page.after ?? null }, 200);
  });
}

async function callerIn(c: HttpContext, options: AppOptions): Promise<void> {
  c.var.exchange.facts.actor = await programOf(c.req.raw.headers, options.keys);
}

function changeIn({ user_id, data, metadata, ttl_hours }: z.infer<typeof bodySchema>): ThreadChange {
  refuseDeep(data as JsonObject);
  if (metadata) refuseDeep(metadata as JsonObject);
  return {
    data: data as JsonObject,
    ...(metadata !== undefined && { metadata: metadata as JsonObject | null }),
    ...(user_id !== undefined && { user_id: user_id === null ? null : String(user_id) }),
    ...(ttl_hours !== undefined && {
      ttl_ms: ttl_hours === null ? null : Math.max(1, Math.round(ttl_hours * HOUR_MS)),
    }),
  };
}

/** Turns a store's errors into those of these routes. */
function refused(thrown: unknown): never {
  const { code } = toHubError(thrown);
  if (code === "version_conflict")
    throw new HubError("precondition_failed", "the thread is not at the version in If-Match");
  if (code === "payload_too_large")
    throw new HubError(code, `data and metadata are larger than ${THREAD_BYTES} bytes together`);
  throw thrown;
}
