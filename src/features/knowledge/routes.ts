import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { adminOf } from "../../http/auth.ts";
import { jsonBody } from "../../http/body.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App, AppOptions } from "../../http/request.ts";
import { instant } from "../../http/shapes.ts";
import { featuresOf } from "../features.ts";
import { KNOWLEDGE_FORMATS, type KnowledgeDocument, type KnowledgeSummary } from "./knowledge.ts";

/** The longest text, in bytes. */
const TEXT_BYTES = 256 * 1024;
/** A body may be larger, because of escapes. */
const BODY_BYTES = 4 * TEXT_BYTES;

const idParams = z.object({
  id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._:@+=~-]{0,127}$/, "must be 1 to 128 letters, digits and . _ : @ + = ~ -")
    .openapi({ description: "An id that you choose.", example: "opening-hours" }),
});

const fields = {
  title: z.string().trim().min(1).max(200).openapi({ example: "Opening hours" }),
  url: z
    .url({ protocol: /^https?$/, error: "must be a URL" })
    .max(2_048)
    .nullable()
    .openapi({ description: "Where customers can read it.", example: "https://shop.example/hours" }),
  format: z.enum(KNOWLEDGE_FORMATS).openapi({ example: "markdown" }),
};

const bodySchema = z
  .strictObject({
    title: fields.title,
    url: fields.url.optional(),
    format: fields.format.default("markdown"),
    text: z.string().refine((text) => text.trim() !== "", "must not be blank"),
  })
  .openapi({
    example: {
      title: "Opening hours",
      url: "https://shop.example/hours",
      format: "markdown",
      text: "# Opening hours\n\nMonday to Friday from 9 to 18, Saturday until 14.",
    },
  });

const summarySchema = z
  .object({
    knowledge_id: z.string(),
    ...fields,
    chunks: z.int().openapi({ description: "How many parts it has for the search." }),
    embedded: z.int().openapi({ description: "How many of them are found by their vectors too." }),
    version: z.int().openapi({ description: "Rises with each change." }),
    created_at: instant,
    updated_at: instant,
  })
  .openapi("KnowledgeSummary");
const documentSchema = z.object({ ...summarySchema.shape, text: z.string() }).openapi("KnowledgeDocument");

const refusals = ["malformed", "unauthorized", "forbidden", "needs_database"] as const;

/** Registers `/api/knowledge`: the shop's documents, from which the language model answers. */
export function addKnowledge(app: App, options: AppOptions): void {
  const shared = { tags: ["Knowledge"], security: security.key };
  const one = { ...shared, path: "/api/knowledge/{id}" };

  const put = createRoute({
    ...one,
    method: "put",
    summary: "Write a document",
    description:
      `With an admin key. Text or Markdown of at most ${TEXT_BYTES} bytes; the old text is gone. The bot finds it at once, by its words. ` +
      "Customers may be told anything that it says. The same PUT may be sent twice.",
    middleware: jsonBody(BODY_BYTES),
    request: {
      params: idParams,
      body: { required: true, content: { "application/json": { schema: bodySchema } } },
    },
    responses: {
      200: json("The document after the change.", z.object({ document: documentSchema })),
      201: json("The new document.", z.object({ document: documentSchema })),
      ...problems(...refusals, "payload_too_large", "unsupported_media_type"),
    },
  });
  app.openapi(put, async (c) => {
    const actor = await adminOf(c.req.raw.headers, options.keys);
    const { url, ...rest } = c.req.valid("json");
    if (new TextEncoder().encode(rest.text).byteLength > TEXT_BYTES)
      throw new HubError("payload_too_large", `text is larger than ${TEXT_BYTES} bytes`);
    const hub = c.var.exchange.hub();
    const { knowledge } = featuresOf(hub);
    const { document, created } = await knowledge.put(
      c.req.valid("param").id,
      { ...rest, ...(url && { url }) },
      actor,
      hub.now(),
    );
    return c.json({ document: viewDocument(document) }, created ? 201 : 200);
  });

  const get = createRoute({
    ...one,
    method: "get",
    summary: "Read a document",
    description: "With an admin key.",
    request: { params: idParams },
    responses: {
      200: json("The document.", z.object({ document: documentSchema })),
      ...problems(...refusals, "not_found"),
    },
  });
  app.openapi(get, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const { knowledge } = featuresOf(c.var.exchange.hub());
    return c.json({ document: viewDocument(await knowledge.get(c.req.valid("param").id)) }, 200);
  });

  const remove = createRoute({
    ...one,
    method: "delete",
    summary: "Delete a document",
    description: "With an admin key. Deleting twice is no error.",
    request: { params: idParams },
    responses: {
      200: json("Whether it was there.", z.object({ deleted: z.boolean() })),
      ...problems(...refusals),
    },
  });
  app.openapi(remove, async (c) => {
    const actor = await adminOf(c.req.raw.headers, options.keys);
    const hub = c.var.exchange.hub();
    const { knowledge } = featuresOf(hub);
    return c.json({ deleted: await knowledge.delete(c.req.valid("param").id, actor, hub.now()) }, 200);
  });

  const list = createRoute({
    ...shared,
    method: "get",
    path: "/api/knowledge",
    summary: "List documents",
    description: "With an admin key: documents in the order of their ids, without their texts.",
    request: {
      query: z.object({
        after: idParams.shape.id.optional().openapi({ description: "The cursor of the page before." }),
        limit: z.coerce.number().int().min(1).max(200).default(50),
      }),
    },
    responses: {
      200: json(
        "A page of documents.",
        z.object({
          documents: z.array(summarySchema),
          cursor: z
            .string()
            .nullable()
            .openapi({ description: "Give it back as `after`; `null` on the last page." }),
        }),
      ),
      ...problems(...refusals),
    },
  });
  app.openapi(list, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const { after, limit } = c.req.valid("query");
    const { items, after: cursor = null } = await featuresOf(c.var.exchange.hub()).knowledge.list(
      after,
      limit,
    );
    return c.json({ documents: items.map(viewSummary), cursor }, 200);
  });
}

function viewSummary(document: KnowledgeSummary): z.infer<typeof summarySchema> {
  const { knowledge_id, title, format, chunks, embedded, version, created_at, updated_at } = document;
  return {
    knowledge_id,
    title,
    url: document.url ?? null,
    format,
    chunks,
    embedded,
    version,
    created_at: created_at.toISOString(),
    updated_at: updated_at.toISOString(),
  };
}

function viewDocument(document: KnowledgeDocument): z.infer<typeof documentSchema> {
  return { ...viewSummary(document), text: document.text };
}
