import { createRoute, z } from "@hono/zod-openapi";
import { adminOf } from "../../http/auth.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App, AppOptions, HttpContext } from "../../http/request.ts";
import { exportDocument, exportSchema, streamed } from "./document.ts";
import { erase } from "./erase.ts";
import type { CustomerRef } from "./privacy.ts";

const PAGE = 200;

/** The two ways to say whose data: people without a `customer_id` have a session at least. */
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

/** Registers what a shop owes the people it keeps data of: export and erasure. Both are in the audit. */
export function addPrivacy(app: App, options: AppOptions): void {
  for (const { of, who, id, ref } of WHOSE) {
    const request = { params: z.object({ id }) };
    const notified = who === "customer" ? "every session of this customer, in any state" : "this session";
    const exporting = createRoute({
      method: "get",
      path: `/api/${of}/{id}/export`,
      tags: ["Privacy"],
      summary: `Export a ${who}'s data`,
      description: `With an admin key: ${notified}, and all messages. Streamed; a document that ends early is not whole.`,
      security: security.key,
      request,
      responses: {
        200: json("Everything that is kept; empty lists when nothing is.", exportSchema),
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
        `With an admin key: the words, identities and documents of ${notified}; its tokens die. What is left are counts. ` +
        "It cannot be undone. 503 while one of the places that hold copies does not answer: send it again.",
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
  const { body, ended } = streamed(exportDocument(await read(), read));
  void exchange.later(ended);
  return c.body(body, 200, { "Content-Type": "application/json" });
}

function addAudit(app: App, options: AppOptions): void {
  const line = z
    .object({
      audit_id: z.string(),
      at: z.string().openapi({ format: "date-time" }),
      actor: z.string().openapi({ description: "The API key's scope and the beginning of its SHA-256." }),
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
    description: "With an admin key: who exported, erased or purged what. Lines are only ever added.",
    security: security.key,
    request: {
      query: z.object({
        after: z
          .uuid("must be a cursor of this hub")
          .optional()
          .openapi({ description: "The cursor of the page before; without it, from the beginning." }),
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
