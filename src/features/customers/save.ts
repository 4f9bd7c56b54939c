import { createRoute } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { applyEffects } from "../../core/receive/effects.ts";
import { adminOf } from "../../http/auth.ts";
import { jsonBody } from "../../http/body.ts";
import { json } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { ifMatch, versionOf } from "../../http/if-match.ts";
import { type App, type AppOptions, boundsOf, type HttpContext } from "../../http/request.ts";
import { featuresOf } from "../features.ts";
import { operatorOf, operatorSecurity } from "../staff/operator.ts";
import type { Saved, Writing } from "./customers.ts";
import { idParams, shared, writingRefusals } from "./describe.ts";
import { customerBody, fieldsIn } from "./fields.ts";
import { customerSchema, viewCustomer } from "./shape.ts";

const CONTACTS =
  "`email` and `phone` are identities: an admin key verifies them, and `null` removes one. A value of another customer is " +
  "refused with `customer_conflict`, whose details name them, and nothing changes. With `If-Match` the customer is changed " +
  "only at that version.";

/** Registers `POST /api/customers`, `PUT` and `PATCH /api/customers/:id`. */
export function addSaveCustomers(app: App, options: AppOptions): void {
  const { bodyBytes } = boundsOf(options);
  const body = { required: true, content: { "application/json": { schema: customerBody } } } as const;
  const middleware = jsonBody(bodyBytes);
  const saved = json("The customer after the change.", customerSchema);
  const created = json("The new customer.", customerSchema);

  const upsert = createRoute({
    ...shared,
    method: "post",
    path: "/api/customers",
    summary: "Make or change a customer by email or phone",
    description:
      "With an admin key: changes the customer who has this `email`, `phone` or `customer_id`, as a merge patch does, else " +
      `makes a new one. Many such calls at once make one customer. ${CONTACTS}`,
    middleware,
    request: { headers: ifMatch, body },
    responses: { 200: saved, 201: created, ...problems(...writingRefusals) },
  });
  app.openapi(upsert, async (c) => {
    const actor = await adminOf(c.req.raw.headers, options.keys);
    const fields = fieldsIn(c.req.valid("json"), options);
    if (fields.email == null && fields.phone == null && fields.customer_id === undefined)
      throw new HubError("malformed", "body: one of email, phone and customer_id is needed");
    const { customers } = featuresOf(c.var.exchange.hub());
    const result = await customers.upsert(fields, writing(c, actor, c.req.valid("header")));
    return c.json(presented(c, result), result.created ? 201 : 200);
  });

  const put = createRoute({
    ...shared,
    method: "put",
    path: "/api/customers/{id}",
    summary: "Make or replace a customer",
    description:
      "With an admin key. A new customer gets the id as `customer_id`, and so does one with these contacts and without a " +
      `\`customer_id\`. An absent field gets its default, but absent contacts are unchanged. ${CONTACTS}`,
    middleware,
    request: { params: idParams, headers: ifMatch, body },
    responses: { 200: saved, 201: created, ...problems(...writingRefusals) },
  });
  app.openapi(put, async (c) => {
    const actor = await adminOf(c.req.raw.headers, options.keys);
    const fields = fieldsIn(c.req.valid("json"), options);
    const { customers } = featuresOf(c.var.exchange.hub());
    const { id } = c.req.valid("param");
    const result = await customers.put(id, fields, writing(c, actor, c.req.valid("header")));
    return c.json(presented(c, result), result.created ? 201 : 200);
  });

  const patch = createRoute({
    ...shared,
    method: "patch",
    path: "/api/customers/{id}",
    summary: "Change a customer",
    description: `With an admin key: a JSON merge patch (RFC 7396). ${CONTACTS} Staff who are signed in change \`name\` and \`tags\`.`,
    security: operatorSecurity,
    middleware,
    request: { params: idParams, headers: ifMatch, body },
    responses: { 200: saved, ...problems(...writingRefusals) },
  });
  app.openapi(patch, async (c) => {
    const { actor, staff } = await operatorOf(c, options);
    const given = c.req.valid("json");
    const more = Object.keys(given).find((field) => field !== "name" && field !== "tags");
    if (staff && more !== undefined) throw new HubError("forbidden", `body.${more}: needs an admin key`);
    const fields = fieldsIn(given, options);
    const { customers } = featuresOf(c.var.exchange.hub());
    const { id } = c.req.valid("param");
    return c.json(
      presented(c, await customers.patch(id, fields, writing(c, actor, c.req.valid("header")))),
      200,
    );
  });
}

/** The writer, the time, and the version in `If-Match`. */
export function writing(
  c: HttpContext,
  actor: string,
  headers: Parameters<typeof versionOf>[0] = {},
): Writing {
  const if_version = versionOf(headers);
  return { actor, now: c.var.exchange.hub().now(), ...(if_version !== undefined && { if_version }) };
}

/** The customer for an answer, with the version as ETag. Publishes the call's other changes to devices and the cache. */
export function presented(c: HttpContext, { customer, session_id, effects }: Saved) {
  const { exchange } = c.var;
  const hub = exchange.hub();
  exchange.facts.customer_key = customer.customer_key;
  applyEffects(hub, session_id, effects);
  if (session_id !== undefined) void exchange.later(hub.cache.drop({ changed: [session_id] }));
  c.header("ETag", `"${customer.version}"`);
  return viewCustomer(customer);
}
