import { createRoute, z } from "@hono/zod-openapi";
import { toHubError } from "../core/errors.ts";
import { withTimeout } from "../core/timeout.ts";
import { callerOf } from "./auth.ts";
import { json, security } from "./describe.ts";
import type { App, AppOptions, HttpContext } from "./request.ts";

const PROBE_MS = 3_000;

const probeSchema = z.object({
  backend: z.string(),
  ok: z.boolean(),
  latency_ms: z.number(),
  code: z.string().optional().openapi({ description: "What is wrong." }),
});

const healthSchema = z.object({
  status: z.enum(["ok", "degraded"]),
  version: z.string(),
  misconfigured: z.string().optional().openapi({ description: "Why nothing else is served." }),
  store: probeSchema.optional(),
  cache: z.object({ backend: z.string() }).optional(),
});

/** Registers `GET /health`: alive and which version; with an admin key, what the hub stands on. */
export function addHealth(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "get",
    path: "/health",
    tags: ["Operation"],
    summary: "Liveness",
    description: "Always 200 while the Worker lives. An admin key adds the store and the cache.",
    security: [...security.nobody, ...security.key],
    responses: { 200: json("Alive.", healthSchema) },
  });
  app.openapi(route, async (c) => {
    const { version, misconfigured } = options;
    if (!(await isAdmin(c, options)))
      return c.json({ status: misconfigured ? ("degraded" as const) : ("ok" as const), version }, 200);
    const store = await probe(c, options);
    const status = misconfigured || !store.ok ? ("degraded" as const) : ("ok" as const);
    const cache = { backend: options.backends.cache };
    return c.json({ status, version, ...(misconfigured && { misconfigured }), store, cache }, 200);
  });
}

/** A probe by a stranger, whatever it shows as credentials, is told what strangers are told. */
async function isAdmin(c: HttpContext, options: AppOptions): Promise<boolean> {
  try {
    const { scopes } = await callerOf(c.req.raw.headers, options.keys);
    return scopes?.has("admin") ?? false;
  } catch (error) {
    if (toHubError(error).code === "unauthorized") return false;
    throw error;
  }
}

async function probe(c: HttpContext, options: AppOptions): Promise<z.infer<typeof probeSchema>> {
  const backend = options.backends.store;
  const started = Date.now();
  try {
    await withTimeout(PROBE_MS, "store_timeout", async () => c.var.exchange.hub().store.ping());
    return { backend, ok: true, latency_ms: Date.now() - started };
  } catch (thrown) {
    const { code, reason } = toHubError(thrown);
    return { backend, ok: false, latency_ms: Date.now() - started, code: reason ?? code };
  }
}
