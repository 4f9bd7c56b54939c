import { createRoute, z } from "@hono/zod-openapi";
import { jsonBody } from "../../http/body.ts";
import { json } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App } from "../../http/request.ts";
import { atDesk, BODY_BYTES, conversationParams, refusals, shared } from "./at-desk.ts";
import { noteSchema, viewNote } from "./shape.ts";

/** Registers the notes that people of the shop write for each other. */
export function addNotes(app: App): void {
  const add = createRoute({
    ...shared,
    method: "post",
    path: "/api/conversations/{id}/notes",
    summary: "Write a note",
    description: "Customers and bots never see it. It is in the customer's export, and erased with them.",
    middleware: jsonBody(BODY_BYTES),
    request: {
      params: conversationParams,
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z
              .strictObject({
                text: z
                  .string()
                  .trim()
                  .min(1)
                  .max(10_000)
                  .refine((text) => !text.includes("\0"), "must not hold a null character"),
                mentions: z
                  .array(z.uuid())
                  .max(20)
                  .default([])
                  .openapi({ description: "Users whom it is for." }),
              })
              .openapi({ example: { text: "Calls back tomorrow", mentions: [] } }),
          },
        },
      },
    },
    responses: {
      201: json("The note.", noteSchema),
      ...problems(...refusals, "not_found", "unsupported_media_type", "payload_too_large"),
    },
  });
  app.openapi(add, async (c) => {
    const { conversations, at } = await atDesk(c);
    const { text, mentions } = c.req.valid("json");
    const note = { text, mentions: [...new Set(mentions.map((id) => id.toLowerCase()))] };
    return c.json(viewNote(await conversations.addNote(at, c.req.valid("param").id, note)), 201);
  });

  const remove = createRoute({
    ...shared,
    method: "delete",
    path: "/api/conversations/{id}/notes/{note_id}",
    summary: "Delete a note",
    description: "One's own, or as an admin any.",
    request: { params: conversationParams.extend({ note_id: z.uuid() }) },
    responses: {
      200: json("Deleted.", z.object({})),
      ...problems(...refusals, "forbidden", "not_found"),
    },
  });
  app.openapi(remove, async (c) => {
    const { conversations, at } = await atDesk(c);
    const { id, note_id } = c.req.valid("param");
    await conversations.deleteNote(at, id, note_id.toLowerCase());
    return c.json({}, 200);
  });
}
