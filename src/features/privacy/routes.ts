import { createRoute, z } from "@hono/zod-openapi";
import { adminOf } from "../../http/auth.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App, AppOptions, HttpContext } from "../../http/request.ts";
import { streamed } from "../../http/streamed.ts";
import type { Page } from "../customers/customers.ts";
import { exportDocument, exportSchema } from "./document.ts";
import { erase } from "./erase.ts";
import type { CustomerRef } from "./privacy.ts";

const PAGE = 200;
/** A thread may hold a mebibyte. */
const THREADS_PAGE = 4;

/** The two ways to name the data: by `customer_id`, or by session for people without one. */
const WHOSE = [
  {
    of: "customers",
    who: "customer",
    id: z.string().min(1).max(128).openapi({ description: "The `customer_id`, else the `customer_key`." }),
    ref: (id: string): CustomerRef => ({ customer_id: id }),
  },
  {
    of: "sessions",
    who: "session",
    id: z.uuid(),
    ref: (id: string): CustomerRef => ({ session_id: id.toLowerCase() }),
  },
];

const erasedSchema = z.object({
  sessions: z.int().openapi({ description: "How many sessions are empty now." }),
  messages: z.int(),
});

/** Registers export, erasure and the audit of customers' data. Each export and erasure is in the audit. */
export function addPrivacy(app: App, options: AppOptions): void {
  for (const { of, who, id, ref } of WHOSE) {
    const request = { params: z.object({ id }) };
    const scope = who === "customer" ? "every session of this customer, in any state" : "this session";
    const exporting = createRoute({
      method: "get",
      path: `/api/${of}/{id}/export`,
      tags: ["Privacy"],
      summary: `Export a ${who}'s data`,
      description:
        `With an admin key: ${scope}, all messages, the threads that bots keep for the customer, reservations and orders. Streamed: after a ` +
        "failure the document ends early.",
      security: security.key,
      request,
      responses: {
        200: json("All stored data; empty lists if there is none.", exportSchema),
        ...problems("malformed", "unauthorized", "forbidden"),
      },
    });
    app.openapi(exporting, async (c) => exported(c, options, ref(c.req.valid("param").id)) as never);

    const erasing = createRoute({
      method: "delete",
      path: `/api/${of}/{id}`,
      tags: ["Privacy"],
      summary: `Erase a ${who}'s data`,
      description:
        `With an admin key: erases the messages' content, identities and documents of ${scope}, and the customer's ` +
        "threads, reservations and orders; the tokens die. Only counts are left, and the amounts of orders. It cannot be undone. The answer is 503 while the database, the " +
        "journal or the cache does not answer: send it again.",
      security: security.key,
      request,
      responses: {
        200: json("What was erased.", erasedSchema),
        ...problems("malformed", "unauthorized", "forbidden"),
      },
    });
    app.openapi(erasing, async (c) => {
      const actor = await adminOf(c.req.raw.headers, options.keys);
      const whom = ref(c.req.valid("param").id);
      const { sessions, messages } = await erase(c.var.exchange.hub(), whom, actor);
      return c.json({ sessions, messages }, 200);
    });
  }
  addAudit(app, options);
}

async function exported(c: HttpContext, options: AppOptions, of: CustomerRef): Promise<Response> {
  const actor = await adminOf(c.req.raw.headers, options.keys);
  const { exchange } = c.var;
  const hub = exchange.hub();
  const read = (after?: string) => hub.store.privacy.export(of, after, PAGE, actor, hub.now());
  /** Threads are looked up by `customer_id` too: they may exist although no session of the customer has that name. */
  async function* threadsOf(names: readonly string[]) {
    for (const name of new Set(["customer_id" in of ? [of.customer_id] : [], names].flat()))
      for (let last: string | undefined; ; ) {
        const page = await hub.store.threads.kept(name, last, THREADS_PAGE);
        last = page.at(-1)?.thread_id;
        if (last === undefined) break;
        yield page;
      }
  }
  const { reservations, orders, conversations } = hub.store.features ?? {};
  const lists = {
    threads: threadsOf,
    reservations: () => pagesOf(async (after) => reservations?.find({ of }, after, PAGE, hub.now())),
    orders: () => pagesOf(async (after) => orders?.find({ of }, after, PAGE, hub.now())),
    desk: async () => (await conversations?.exported(of)) ?? { notes: [], handoffs: [] },
  };
  const { body, ended } = streamed(exportDocument(await read(), read, lists));
  void exchange.later(ended);
  return c.body(body, 200, { "Content-Type": "application/json" });
}

/** The items of all pages of a list. */
async function* pagesOf<T>(
  read: (after: string | undefined) => Promise<Page<T> | undefined>,
): AsyncGenerator<readonly T[]> {
  for (let after: string | undefined; ; ) {
    const page = await read(after);
    yield page?.items ?? [];
    after = page?.after;
    if (after === undefined) return;
  }
}

function addAudit(app: App, options: AppOptions): void {
  const line = z
    .object({
      audit_id: z.string(),
      at: z.string().openapi({ format: "date-time" }),
      actor: z
        .string()
        .openapi({ description: "The API key's scope and the first 8 hex digits of its SHA-256." }),
      action: z.string(),
      subject: z.string(),
      details: z.record(z.string(), z.unknown()).openapi({ description: "Counts and codes, no content." }),
    })
    .openapi("AuditLine");
  const route = createRoute({
    method: "get",
    path: "/api/audit",
    tags: ["Privacy"],
    summary: "Read the audit",
    description: "With an admin key: all exports, erasures and purges. Lines are never changed or removed.",
    security: security.key,
    request: {
      query: z.object({
        after: z
          .uuid("must be a cursor of this hub")
          .optional()
          .openapi({ description: "The cursor of the previous page. Without it: from the beginning." }),
        limit: z.coerce.number().int().min(1).max(200).default(50),
      }),
    },
    responses: {
      200: json(
        "A page of lines, in order.",
        z.object({ lines: z.array(line), cursor: z.string().nullable() }),
      ),
      ...problems("malformed", "unauthorized", "forbidden"),
    },
  });
  app.openapi(route, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const { after, limit } = c.req.valid("query");
    const found = await c.var.exchange.hub().store.privacy.audit(after, limit);
    const lines = found.map(({ at, ...rest }): z.infer<typeof line> => ({ ...rest, at: at.toISOString() }));
    return c.json({ lines, cursor: lines.at(-1)?.audit_id ?? after ?? null }, 200);
  });
}
