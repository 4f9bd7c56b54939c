import { createRoute, z } from "@hono/zod-openapi";
import { strictReplySchema } from "../../core/content/reply.ts";
import { jsonBody } from "../../http/body.ts";
import { json } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { ifMatch, versionOf } from "../../http/if-match.ts";
import type { App } from "../../http/request.ts";
import { atDesk, BODY_BYTES, refusals, shared } from "./at-desk.ts";
import { cannedReplySchema, viewCannedReply } from "./shape.ts";

const params = z.object({
  shortcut: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,39}$/, "must be lower case letters, digits, _ and -")
    .openapi({ example: "hello" }),
});

/** Registers the replies that people of the shop send again and again. */
export function addCannedReplies(app: App): void {
  const list = createRoute({
    ...shared,
    method: "get",
    path: "/api/canned-replies",
    summary: "List canned replies",
    responses: {
      200: json("All of them, by shortcut.", z.object({ canned_replies: z.array(cannedReplySchema) })),
      ...problems(...refusals),
    },
  });
  app.openapi(list, async (c) => {
    const { conversations, at } = await atDesk(c);
    return c.json({ canned_replies: (await conversations.cannedReplies(at)).map(viewCannedReply) }, 200);
  });

  const put = createRoute({
    ...shared,
    method: "put",
    path: "/api/canned-replies/{shortcut}",
    summary: "Save a canned reply",
    description: "`{name}` in its text is the customer's name. There may be 500.",
    middleware: jsonBody(BODY_BYTES),
    request: {
      params,
      headers: ifMatch,
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z
              .strictObject({
                title: z.string().trim().min(1).max(100),
                replies: z.array(strictReplySchema.clone()).min(1).max(10),
                language: z.string().min(2).max(35).optional(),
              })
              .openapi({ example: { title: "Hello", replies: [{ kind: "text", text: "Hello {name}!" }] } }),
          },
        },
      },
    },
    responses: {
      200: json("Saved.", cannedReplySchema),
      ...problems(...refusals, "version_conflict", "payload_too_large", "unsupported_media_type"),
    },
  });
  app.openapi(put, async (c) => {
    const { conversations, at } = await atDesk(c);
    const { language, ...fields } = c.req.valid("json");
    const reply = { ...c.req.valid("param"), ...fields, ...(language !== undefined && { language }) };
    const saved = await conversations.saveCannedReply(at, reply, versionOf(c.req.valid("header")));
    c.header("ETag", `"${saved.version}"`);
    return c.json(viewCannedReply(saved), 200);
  });

  const remove = createRoute({
    ...shared,
    method: "delete",
    path: "/api/canned-replies/{shortcut}",
    summary: "Delete a canned reply",
    request: { params },
    responses: { 200: json("Deleted.", z.object({})), ...problems(...refusals, "not_found") },
  });
  app.openapi(remove, async (c) => {
    const { conversations, at } = await atDesk(c);
    await conversations.deleteCannedReply(at, c.req.valid("param").shortcut);
    return c.json({}, 200);
  });
}
