import { createRoute, z } from "@hono/zod-openapi";
import { adminOf } from "../../http/auth.ts";
import { jsonBody } from "../../http/body.ts";
import { json } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { type App, type AppOptions, boundsOf } from "../../http/request.ts";
import { featuresOf } from "../features.ts";
import { cursorField, idParams, limitParam, refusals, shared, writingRefusals } from "./describe.ts";
import { presented, writing } from "./save.ts";
import { customerSchema, viewCustomer } from "./shape.ts";

const UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";

const duplicateSchema = z
  .object({
    customers: z.array(customerSchema).length(2),
    reasons: z.array(z.enum(["email", "phone", "name"])).openapi({
      description:
        "`email`, `phone`: one holds a value that the other claims, or both claim it. `name`: both have the same name of " +
        "two words or more, and no different values of one kind.",
    }),
  })
  .openapi("Duplicate");

/** Registers `GET /api/customers/duplicates` and `POST /api/customers/:id/merge`. */
export function addMergeCustomers(app: App, options: AppOptions): void {
  const duplicates = createRoute({
    ...shared,
    method: "get",
    path: "/api/customers/duplicates",
    summary: "Customers who may be one person",
    description:
      "With an admin key: pairs, with the reasons. It changes nothing. A page reads 2,000 customers at most, so it may be " +
      "short or empty while `cursor` is not null.",
    request: {
      query: z.object({
        after: z
          .string()
          .regex(new RegExp(`^${UUID}\\.${UUID}$`), "must be a cursor of this hub")
          .optional(),
        limit: limitParam,
      }),
    },
    responses: {
      200: json("A page of pairs.", z.object({ duplicates: z.array(duplicateSchema), cursor: cursorField })),
      ...problems(...refusals),
    },
  });
  app.openapi(duplicates, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const { after, limit } = c.req.valid("query");
    const { items, after: cursor = null } = await featuresOf(c.var.exchange.hub()).customers.duplicates(
      after,
      limit,
    );
    const pairs = items.map(({ customers, reasons }) => ({
      customers: customers.map(viewCustomer),
      reasons: [...reasons],
    }));
    return c.json({ duplicates: pairs, cursor }, 200);
  });

  const merge = createRoute({
    ...shared,
    method: "post",
    path: "/api/customers/{id}/merge",
    summary: "Make two customers one",
    description:
      "With an admin key: the customer `into` stays, with the sessions, identities, tags and attributes of both; their active " +
      "sessions become one, and all tokens of both end. If both have a different value, that of `into` stays, and the other " +
      "is added to `attributes.merge_conflicts`. If both hold a different phone, email, account or " +
      "`customer_id`, `customer_conflict` names the kinds (`details.differ`): list them in `give_up` to remove the value of " +
      "`id`. A merge cannot be undone. It is in the audit.",
    middleware: jsonBody(boundsOf(options).bodyBytes),
    request: {
      params: idParams,
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z
              .strictObject({
                into: idParams.shape.id,
                give_up: z
                  .array(z.string().min(1).max(64))
                  .max(20)
                  .default([])
                  .openapi({ description: "Kinds of identity, and `customer_id`." }),
              })
              .openapi({ example: { into: "103", give_up: ["customer_id"] } }),
          },
        },
      },
    },
    responses: { 200: json("The merged customer.", customerSchema), ...problems(...writingRefusals) },
  });
  app.openapi(merge, async (c) => {
    const actor = await adminOf(c.req.raw.headers, options.keys);
    const { into, give_up } = c.req.valid("json");
    const { customers } = featuresOf(c.var.exchange.hub());
    const merged = await customers.merge(c.req.valid("param").id, into, give_up, writing(c, actor));
    return c.json(presented(c, merged), 200);
  });
}
