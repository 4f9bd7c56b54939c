import { createRoute, z } from "@hono/zod-openapi";
import { adminOf } from "../../http/auth.ts";
import { jsonBody } from "../../http/body.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { ifMatch, versionOf } from "../../http/if-match.ts";
import type { App, AppOptions, HttpContext } from "../../http/request.ts";
import { featuresOf } from "../features.ts";
import { staffSecurity, userSchema, viewUser } from "./shape.ts";
import type { UserAdmin } from "./staff.ts";
import { hasStaffToken, staffTokenOf } from "./staff-token.ts";
import { STAFF_ROLES } from "./user.ts";

const BODY_BYTES = 16_384;
const name = z.string().trim().min(1).max(100);
const role = z.enum(STAFF_ROLES);

/** Registers `/api/users`: who may sign in at the desk. */
export function addUsers(app: App, options: AppOptions): void {
  const shared = { tags: ["Desk"], security: [...staffSecurity, ...security.key] };
  const middleware = jsonBody(BODY_BYTES);

  const list = createRoute({
    ...shared,
    method: "get",
    path: "/api/users",
    summary: "List the staff",
    description: "For everybody who is signed in, and with an admin key.",
    responses: {
      200: json("All users.", z.object({ users: z.array(userSchema) })),
      ...problems("unauthorized", "forbidden", "needs_database"),
    },
  });
  app.openapi(list, async (c) => {
    const by = await userAdminOf(c, options);
    const hub = c.var.exchange.hub();
    const users = await featuresOf(hub).staff.users(by, hub.now());
    return c.json({ users: users.map(viewUser) }, 200);
  });

  const add = createRoute({
    ...shared,
    method: "post",
    path: "/api/users",
    summary: "Add one of the staff",
    description: "With an admin key, or as an admin who is signed in. They sign in with this e-mail.",
    middleware,
    request: {
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z
              .strictObject({ email: z.email().max(254), name, role: role.default("agent") })
              .openapi({ example: { email: "ana@shop.example", name: "Ana", role: "agent" } }),
          },
        },
      },
    },
    responses: {
      201: json("The new user.", userSchema),
      ...problems(
        "malformed",
        "unauthorized",
        "forbidden",
        "user_exists",
        "needs_database",
        "unsupported_media_type",
      ),
    },
  });
  app.openapi(add, async (c) => {
    const by = await userAdminOf(c, options);
    const hub = c.var.exchange.hub();
    return c.json(viewUser(await featuresOf(hub).staff.add(by, c.req.valid("json"), hub.now())), 201);
  });

  const change = createRoute({
    ...shared,
    method: "patch",
    path: "/api/users/{id}",
    summary: "Change one of the staff",
    description:
      "With an admin key, or as an admin. One who is disabled is signed out at once, and their conversations wait for somebody else.",
    middleware,
    request: {
      params: z.object({ id: z.uuid() }),
      headers: ifMatch,
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z
              .strictObject({
                name: name.optional(),
                role: role.optional(),
                disabled: z.boolean().optional(),
              })
              .openapi({ example: { role: "admin" as const } }),
          },
        },
      },
    },
    responses: {
      200: json("The user after the change.", userSchema),
      ...problems(
        "malformed",
        "unauthorized",
        "forbidden",
        "not_found",
        "version_conflict",
        "needs_database",
        "unsupported_media_type",
      ),
    },
  });
  app.openapi(change, async (c) => {
    const by = await userAdminOf(c, options);
    const hub = c.var.exchange.hub();
    const { name, role, disabled } = c.req.valid("json");
    const changes = {
      ...(name !== undefined && { name }),
      ...(role !== undefined && { role }),
      ...(disabled !== undefined && { disabled }),
    };
    const id = c.req.valid("param").id.toLowerCase();
    const user = await featuresOf(hub).staff.update(
      by,
      id,
      changes,
      versionOf(c.req.valid("header")),
      hub.now(),
    );
    c.header("ETag", `"${user.version}"`);
    return c.json(viewUser(user), 200);
  });
}

/** One of the staff by their token, or an admin key. The store checks the role. */
async function userAdminOf(c: HttpContext, { keys }: AppOptions): Promise<UserAdmin> {
  const { headers } = c.req.raw;
  if (hasStaffToken(headers)) return { staff: await staffTokenOf(headers) };
  return { actor: await adminOf(headers, keys) };
}
