import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import type { Device } from "../../core/identity/proofs.ts";
import type { SessionRef } from "../../core/sessions/session.ts";
import { adminOf, tokenOf } from "../auth.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import type { App, AppOptions, HttpContext } from "../request.ts";
import { sessionOf } from "../sessions/end.ts";
import { instant } from "../shapes.ts";

const deviceSchema = z
  .object({
    device_id: z.uuid(),
    channel: z.string(),
    created_at: instant,
    last_used_at: instant.openapi({ description: "Accurate to 15 seconds." }),
    current: z.boolean().openapi({ description: "Whether this device makes the request." }),
  })
  .openapi("Device");

const listSchema = z.object({ devices: z.array(deviceSchema) });
const revokedSchema = z.object({ revoked: z.literal(true) });

/** Registers the routes that list a session's devices and sign them out: for its own devices, and for operators. */
export function addDevices(app: App, options: AppOptions): void {
  const whose = "Each has a token of its own.";
  const own = createRoute({
    method: "get",
    path: "/session/devices",
    tags: ["Identity"],
    summary: "List the session's devices",
    description: whose,
    security: security.token,
    responses: {
      200: json("All of them, the oldest first.", listSchema),
      ...problems("unauthorized", "session_not_found", "session_expired"),
    },
  });
  app.openapi(own, async (c) => c.json(await list(c, await ownSession(c, options)), 200));

  const revokeOwn = createRoute({
    method: "delete",
    path: "/session/devices/{device_id}",
    tags: ["Identity"],
    summary: "Sign a device out",
    description: "Its token dies at once; the session lives on. A device may sign itself out.",
    security: security.token,
    request: { params: z.object({ device_id: z.uuid() }) },
    responses: {
      200: json("Its token is dead.", revokedSchema),
      ...problems("malformed", "unauthorized", "session_not_found", "session_expired", "not_found"),
    },
  });
  app.openapi(revokeOwn, async (c) => {
    const { device_id } = c.req.valid("param");
    return c.json(await revoke(c, await ownSession(c, options), device_id), 200);
  });

  const any = createRoute({
    method: "get",
    path: "/api/sessions/{id}/devices",
    tags: ["Operation"],
    summary: "List any session's devices",
    description: `With an admin key. ${whose}`,
    security: security.key,
    request: { params: z.object({ id: z.uuid() }) },
    responses: {
      200: json("All of them, the oldest first.", listSchema),
      ...problems("malformed", "unauthorized", "forbidden", "session_not_found", "session_expired"),
    },
  });
  app.openapi(any, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    return c.json(await list(c, { session_id: c.req.valid("param").id.toLowerCase() }), 200);
  });

  const revokeAny = createRoute({
    method: "delete",
    path: "/api/sessions/{id}/devices/{device_id}",
    tags: ["Operation"],
    summary: "Sign a device of any session out",
    description: "With an admin key: for a lost phone, or a kiosk that was left signed in.",
    security: security.key,
    request: { params: z.object({ id: z.uuid(), device_id: z.uuid() }) },
    responses: {
      200: json("Its token is dead.", revokedSchema),
      ...problems(
        "malformed",
        "unauthorized",
        "forbidden",
        "session_not_found",
        "session_expired",
        "not_found",
      ),
    },
  });
  app.openapi(revokeAny, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const { id, device_id } = c.req.valid("param");
    return c.json(await revoke(c, { session_id: id.toLowerCase() }, device_id), 200);
  });
}

async function ownSession(c: HttpContext, options: AppOptions): Promise<SessionRef> {
  return { token_hash: await tokenOf(c.req.raw.headers, options.keys) };
}

async function list(c: HttpContext, of: SessionRef): Promise<z.infer<typeof listSchema>> {
  const hub = c.var.exchange.hub();
  return { devices: (await hub.store.proofs.devices(of, hub.now())).map(viewDevice) };
}

async function revoke(c: HttpContext, of: SessionRef, id: string): Promise<z.infer<typeof revokedSchema>> {
  const { exchange } = c.var;
  const hub = exchange.hub();
  // Look the session up before the revocation: the caller's own token may be dead after it.
  const session_id = await sessionOf(hub, of);
  const token_hash = await hub.store.proofs.revokeDevice(of, id.toLowerCase(), hub.now());
  if (token_hash === undefined) throw new HubError("not_found", "this session has no such device");
  if (session_id) {
    exchange.facts.session_id = session_id;
    hub.live.publish(session_id, { type: "closed", token_hash });
  }
  void exchange.later(hub.cache.drop({ token_hashes: [token_hash] }));
  return { revoked: true };
}

function viewDevice({ device_id, channel, created_at, last_used_at, current }: Device) {
  return {
    device_id,
    channel,
    created_at: created_at.toISOString(),
    last_used_at: last_used_at.toISOString(),
    current,
  };
}
