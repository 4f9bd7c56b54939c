import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { adminOf } from "../../http/auth.ts";
import { jsonBody, optionalJsonBody } from "../../http/body.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { ifMatch, versionOf } from "../../http/if-match.ts";
import { type App, type AppOptions, boundsOf, type HttpContext } from "../../http/request.ts";
import { cursorField } from "../customers/describe.ts";
import { featuresOf } from "../features.ts";
import type { By } from "./endpoints.ts";
import { EVENT_TYPES } from "./event.ts";
import { isSecret, newSecret } from "./secret.ts";
import { deadEventSchema, endpointSchema, viewDeadEvent, viewEndpoint, withSecretSchema } from "./shape.ts";
import { wrongWithTarget } from "./target.ts";

const HOUR_MS = 3_600_000;
/** How long the secret before a rotation signs too, in hours. */
const CHANGE_OVER = { standard: 24, most: 24 * 30 };
/** The most events that one call replays. */
const MOST_REPLAYED = 5_000;

const refusals = ["malformed", "unauthorized", "forbidden", "needs_database"] as const;
const writingRefusals = [...refusals, "payload_too_large", "unsupported_media_type"] as const;

const url = z.string().min(1).max(2_048).openapi({
  description:
    "https, on the public Internet, without credentials and fragment. While ENVIRONMENT is development also http and loopback.",
  example: "https://shop.example/events",
});
const types = z
  .array(z.enum(EVENT_TYPES))
  .min(1)
  .max(EVENT_TYPES.length)
  .transform((given) => [...new Set(given)]);
const secret = z
  .string()
  .max(128)
  .refine(isSecret, "must be whsec_ and 24 to 64 bytes in base64")
  .openapi({
    description: "Your own secret; else the hub makes one.",
    example: `whsec_${"c2Vj".repeat(11)}`,
  });

const instantParam = z.iso
  .datetime({ offset: true, error: "must be an instant such as 2026-11-21T18:00:00Z" })
  .openapi({ type: "string", format: "date-time", example: "2026-11-21T18:00:00Z" });

/** Registers `/api/endpoints`: where the shop's own programs are told what happens here. */
export function addEndpoints(app: App, options: AppOptions): void {
  const shared = { tags: ["Events"], security: security.key };
  const one = { ...shared, path: "/api/endpoints/{id}" };
  const middleware = jsonBody(boundsOf(options).bodyBytes);
  const params = z.object({ id: z.uuid() });
  const fields = {
    url,
    types,
    description: z.string().trim().max(256).nullish(),
    channels: z
      .array(z.enum(options.channels as [string, ...string[]]))
      .min(1)
      .max(options.channels.length)
      .nullish()
      .openapi({ description: "Only events of these channels, and those of no channel. `null`: of all." }),
    content: z.boolean().optional().openapi({
      description:
        "Whether `message.received` and `message.sent` carry the message, with its text, as it is when they are posted. Default false.",
    }),
  };
  const example = { url: "https://shop.example/events", types: ["message.received", "order.paid"] as const };

  const create = createRoute({
    ...shared,
    method: "post",
    path: "/api/endpoints",
    summary: "Add an endpoint",
    description:
      "With an admin key. From now on events of these types are posted there, signed as Standard Webhooks says; docs/events.md has " +
      "all of it. The `secret` is shown only here.",
    middleware,
    request: {
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z
              .strictObject({ ...fields, secret: secret.optional() })
              .openapi({ example: { ...example, types: [...example.types] } }),
          },
        },
      },
    },
    responses: {
      201: json("The endpoint.", withSecretSchema),
      ...problems(...writingRefusals, "endpoint_limit"),
    },
  });
  app.openapi(create, async (c) => {
    const by = await byOf(c, options);
    const { secret = newSecret(), ...given } = c.req.valid("json");
    refuseTarget(c, given.url);
    const made = await featuresOf(c.var.exchange.hub()).endpoints.create(clean(given), secret, by);
    c.var.exchange.facts.endpoint_id = made.endpoint_id;
    c.header("ETag", `"${made.version}"`);
    return c.json({ ...viewEndpoint(made), secret }, 201);
  });

  const list = createRoute({
    ...shared,
    method: "get",
    path: "/api/endpoints",
    summary: "List endpoints",
    description: "With an admin key. The oldest first, without their secrets.",
    responses: {
      200: json("All endpoints.", z.object({ endpoints: z.array(endpointSchema) })),
      ...problems(...refusals),
    },
  });
  app.openapi(list, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const endpoints = await featuresOf(c.var.exchange.hub()).endpoints.list();
    return c.json({ endpoints: endpoints.map(viewEndpoint) }, 200);
  });

  const get = createRoute({
    ...one,
    method: "get",
    summary: "Read an endpoint",
    description: "With an admin key. How it does, without its secret. The version is the ETag.",
    request: { params },
    responses: { 200: json("The endpoint.", endpointSchema), ...problems(...refusals, "not_found") },
  });
  app.openapi(get, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const found = await featuresOf(c.var.exchange.hub()).endpoints.get(idIn(c.req.valid("param")));
    c.header("ETag", `"${found.version}"`);
    return c.json(viewEndpoint(found), 200);
  });

  const patch = createRoute({
    ...one,
    method: "patch",
    summary: "Change an endpoint",
    description:
      "With an admin key. A field that is left out is unchanged. `enabled: false` stops it: nothing new is written for it, and what " +
      "waits stays. `enabled: true` starts it again, with what waits. With `If-Match` it is changed only at that version.",
    middleware,
    request: {
      params,
      headers: ifMatch,
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z
              .strictObject({
                ...fields,
                url: url.optional(),
                types: types.optional(),
                enabled: z.boolean().optional(),
              })
              .openapi({ example: { enabled: true } }),
          },
        },
      },
    },
    responses: {
      200: json("The endpoint after the change.", endpointSchema),
      ...problems(...writingRefusals, "not_found", "version_conflict"),
    },
  });
  app.openapi(patch, async (c) => {
    const by = await byOf(c, options);
    const changes = clean(c.req.valid("json"));
    if (changes.url !== undefined) refuseTarget(c, changes.url);
    const { endpoints } = featuresOf(c.var.exchange.hub());
    const version = versionOf(c.req.valid("header"));
    const changed = await endpoints.update(idIn(c.req.valid("param")), changes, by, version);
    c.header("ETag", `"${changed.version}"`);
    return c.json(viewEndpoint(changed), 200);
  });

  const remove = createRoute({
    ...one,
    method: "delete",
    summary: "Delete an endpoint",
    description: "With an admin key. With everything that waits for it. Deleting twice is no error.",
    request: { params },
    responses: {
      200: json("Whether there was one.", z.object({ deleted: z.boolean() })),
      ...problems(...refusals),
    },
  });
  app.openapi(remove, async (c) => {
    const by = await byOf(c, options);
    const { endpoints } = featuresOf(c.var.exchange.hub());
    return c.json({ deleted: await endpoints.delete(idIn(c.req.valid("param")), by) }, 200);
  });

  const rotate = createRoute({
    ...shared,
    method: "post",
    path: "/api/endpoints/{id}/secret",
    summary: "Change the secret",
    description:
      "With an admin key. From now on the new secret signs, and the one before beside it for `former_hours` (24), so that the " +
      "receiver can change over. 0 ends it at once. The new `secret` is shown only here.",
    middleware: optionalJsonBody(boundsOf(options).bodyBytes),
    request: {
      params,
      body: {
        content: {
          "application/json": {
            schema: z
              .strictObject({
                secret: secret.optional(),
                former_hours: z.number().min(0).max(CHANGE_OVER.most).default(CHANGE_OVER.standard),
              })
              .openapi({ example: { former_hours: 48 } }),
          },
        },
      },
    },
    responses: {
      200: json("The endpoint with its new secret.", withSecretSchema),
      ...problems(...writingRefusals, "not_found"),
    },
  });
  app.openapi(rotate, async (c) => {
    const by = await byOf(c, options);
    const { secret = newSecret(), former_hours = CHANGE_OVER.standard } = c.req.valid("json") ?? {};
    const until = new Date(by.now.getTime() + Math.round(former_hours * HOUR_MS));
    const { endpoints } = featuresOf(c.var.exchange.hub());
    const changed = await endpoints.rotate(idIn(c.req.valid("param")), secret, until, by);
    c.header("ETag", `"${changed.version}"`);
    return c.json({ ...viewEndpoint(changed), secret }, 200);
  });

  const dead = createRoute({
    ...shared,
    method: "get",
    path: "/api/endpoints/{id}/dead-letters",
    summary: "List an endpoint's dead letters",
    description:
      "With an admin key. Events that it did not take for three days, the oldest first. `POST …/replay` with `dead` posts them again.",
    request: {
      params,
      query: z.object({
        after: z.uuid().optional().openapi({ description: "The cursor of the previous page." }),
        limit: z.coerce.number().int().min(1).max(200).default(50),
      }),
    },
    responses: {
      200: json(
        "A page of dead letters.",
        z.object({ dead_letters: z.array(deadEventSchema), cursor: cursorField }),
      ),
      ...problems(...refusals, "not_found"),
    },
  });
  app.openapi(dead, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const { after, limit } = c.req.valid("query");
    const { endpoints } = featuresOf(c.var.exchange.hub());
    const found = await endpoints.deadLetters(idIn(c.req.valid("param")), after?.toLowerCase(), limit + 1);
    const page = found.slice(0, limit);
    const cursor = found.length > limit ? page.at(-1)!.event_id : null;
    return c.json({ dead_letters: page.map(viewDeadEvent), cursor }, 200);
  });

  const replay = createRoute({
    ...shared,
    method: "post",
    path: "/api/endpoints/{id}/replay",
    summary: "Post events again",
    description:
      "With an admin key. Makes the events of [`from`, `to`) due once more, in the order in which they happened, with the same ids. " +
      `With \`dead\` only its dead letters. At most ${MOST_REPLAYED} in one call: send \`cursor\` back as \`after\` for the next ones. ` +
      "Events are kept for EVENT_RETENTION_DAYS, and only of types that some endpoint wanted when they happened.",
    middleware,
    request: {
      params,
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z
              .strictObject({
                from: instantParam,
                to: instantParam.optional(),
                dead: z.boolean().default(false),
                after: z.uuid().nullish(),
              })
              .openapi({ example: { from: "2026-11-21T18:00:00Z", dead: true } }),
          },
        },
      },
    },
    responses: {
      200: json("How many are due again.", z.object({ events: z.int(), cursor: cursorField })),
      ...problems(...writingRefusals, "not_found"),
    },
  });
  app.openapi(replay, async (c) => {
    const by = await byOf(c, options);
    const { from, to, dead, after } = c.req.valid("json");
    const { endpoints } = featuresOf(c.var.exchange.hub());
    const range = { from: new Date(from), to: to === undefined ? by.now : new Date(to) };
    const replayed = await endpoints.replay(
      idIn(c.req.valid("param")),
      { ...range, dead, limit: MOST_REPLAYED, ...(after != null && { after: after.toLowerCase() }) },
      by,
    );
    return c.json({ events: replayed.events, cursor: replayed.after ?? null }, 200);
  });
}

/** The holder of an admin key, and the time. Throws `unauthorized` and `forbidden`. */
async function byOf(c: HttpContext, { keys }: AppOptions): Promise<By> {
  const actor = await adminOf(c.req.raw.headers, keys);
  return { actor, now: c.var.exchange.hub().now() };
}

function idIn({ id }: { readonly id: string }): string {
  return id.toLowerCase();
}

function refuseTarget(c: HttpContext, url: string): void {
  const wrong = wrongWithTarget(url, c.var.exchange.hub().openTargets ?? false);
  if (wrong) throw new HubError("malformed", `url: ${wrong}`);
}

/** The given fields, without those that are left out. */
function clean<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never;
}
