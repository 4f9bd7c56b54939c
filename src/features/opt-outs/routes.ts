import { createRoute, z } from "@hono/zod-openapi";
import { adminOf } from "../../http/auth.ts";
import { jsonBody } from "../../http/body.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { type App, type AppOptions, boundsOf, channelName } from "../../http/request.ts";
import { idParams } from "../customers/describe.ts";
import { featuresOf } from "../features.ts";
import { PURPOSES } from "./opt-out.ts";
import { optOutSchema, viewOptOut } from "./view.ts";

const listSchema = z.object({ opt_outs: z.array(optOutSchema) });

/** Registers `/api/customers/{id}/opt-outs`: what a customer does not want the shop to send first. */
export function addOptOuts(app: App, options: AppOptions): void {
  const shared = {
    tags: ["Customers"],
    security: security.key,
    path: "/api/customers/{id}/opt-outs",
  };
  const list = createRoute({
    ...shared,
    method: "get",
    summary: "List a customer's opt-outs",
    description:
      "With an admin key: what they do not want to be sent first. Answers to their own messages are not meant.",
    request: { params: idParams },
    responses: {
      200: json("All opt-outs.", listSchema),
      ...problems("malformed", "unauthorized", "forbidden", "not_found", "needs_database"),
    },
  });
  app.openapi(list, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const { id } = c.req.valid("param");
    const found = await featuresOf(c.var.exchange.hub()).optOuts.list({ customer_id: id });
    return c.json({ opt_outs: found.map(viewOptOut) }, 200);
  });

  const set = createRoute({
    ...shared,
    method: "put",
    summary: "Set or remove an opt-out",
    description:
      "With an admin key, by channel and purpose. It is in the audit. What waits and is forbidden by it is not sent any more. A customer " +
      "does the same with STOP and START, in seven languages, for the messenger where they write it.",
    middleware: jsonBody(boundsOf(options).bodyBytes),
    request: {
      params: idParams,
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z
              .strictObject({
                channel: channelName(options).optional().openapi({ description: "Absent: every channel." }),
                purpose: z.enum(PURPOSES).optional().openapi({ description: "Absent: every purpose." }),
                opted_out: z.boolean(),
              })
              .openapi({ example: { purpose: "marketing", opted_out: true } }),
          },
        },
      },
    },
    responses: {
      200: json("All opt-outs.", listSchema),
      ...problems(
        "malformed",
        "unauthorized",
        "forbidden",
        "not_found",
        "needs_database",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });
  app.openapi(set, async (c) => {
    const actor = await adminOf(c.req.raw.headers, options.keys);
    const { id } = c.req.valid("param");
    const { channel, purpose, opted_out } = c.req.valid("json");
    const hub = c.var.exchange.hub();
    const found = await featuresOf(hub).optOuts.set(
      { customer_id: id },
      { ...(channel !== undefined && { channel }), ...(purpose !== undefined && { purpose }), opted_out },
      { actor, now: hub.now() },
    );
    return c.json({ opt_outs: found.map(viewOptOut) }, 200);
  });
}
