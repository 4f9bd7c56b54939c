import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { phoneOf } from "../../core/identity/phone.ts";
import { adminCallerOf } from "../../http/auth.ts";
import { json } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App, AppOptions } from "../../http/request.ts";
import { identityFields, phoneInQuery } from "../../http/sessions/identities.ts";
import { counted } from "../../http/sessions/lookups.ts";
import { featuresOf } from "../features.ts";
import { cursorField, idParams, limitParam, refusals, shared } from "./describe.ts";
import { emailField } from "./fields.ts";
import { customerSchema, viewCustomer } from "./shape.ts";

/** Registers `GET /api/customers` and `GET /api/customers/:id`. */
export function addFindCustomers(app: App, options: AppOptions): void {
  const list = createRoute({
    ...shared,
    method: "get",
    path: "/api/customers",
    summary: "Find customers",
    description:
      "With an admin key: customers with this `email` or `phone` (held or claimed), or with `q`: each of its words begins a " +
      "word of the name or `customer_id`, or their e-mail or phone begins with it. Case and accents are ignored. At most " +
      "one of the three; without them all customers. Oldest first.",
    request: {
      query: z.object({
        email: emailField.optional(),
        phone: identityFields.phone.optional(),
        q: z.string().min(1).max(256).optional().openapi({ example: "ann" }),
        after: z.uuid("must be a cursor of this hub").optional(),
        limit: limitParam,
      }),
    },
    responses: {
      200: json(
        "A page of customers.",
        z.object({ customers: z.array(customerSchema), cursor: cursorField }),
      ),
      ...problems(...refusals, "phone_ambiguous"),
    },
  });
  app.openapi(list, async (c) => {
    const caller = await adminCallerOf(c.req.raw.headers, options.keys);
    const { after, limit, email, phone, q } = phoneInQuery(c.req.valid("query"));
    if ([email, phone, q].filter((one) => one !== undefined).length > 1)
      throw new HubError("malformed", "query: at most one of email, phone and q");
    const query = {
      ...(email !== undefined && { email }),
      ...(phone !== undefined && { phone: phoneOf(phone, options.country) }),
      ...(q !== undefined && { q }),
    };
    const { customers } = featuresOf(c.var.exchange.hub());
    const ask = () => customers.find(query, after?.toLowerCase(), limit);
    const page = await counted(c, caller, ask, ({ items }) => (items.length > 0 ? "found" : "none"));
    return c.json({ customers: page.items.map(viewCustomer), cursor: page.after ?? null }, 200);
  });

  const get = createRoute({
    ...shared,
    method: "get",
    path: "/api/customers/{id}",
    summary: "Read a customer",
    description: "With an admin key. The version is the ETag.",
    request: { params: idParams },
    responses: { 200: json("The customer.", customerSchema), ...problems(...refusals, "not_found") },
  });
  app.openapi(get, async (c) => {
    const caller = await adminCallerOf(c.req.raw.headers, options.keys);
    const { customers } = featuresOf(c.var.exchange.hub());
    const customer = await counted(c, caller, () => customers.get(c.req.valid("param").id));
    c.header("ETag", `"${customer.version}"`);
    return c.json(viewCustomer(customer), 200);
  });
}
