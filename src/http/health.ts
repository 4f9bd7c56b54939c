import { createRoute, z } from "@hono/zod-openapi";
import { toHubError } from "../core/errors.ts";
import type { BreakerState, Store } from "../core/store.ts";
import { withTimeout } from "../core/timeout.ts";
import { isAdmin } from "./auth.ts";
import { json, security } from "./describe.ts";
import { secondsSince } from "./metrics.ts";
import type { App, AppOptions, HttpContext } from "./request.ts";

const PROBE_MS = 3_000;
/** The search's index and healthy endpoints are this far behind only if no run serves them, or after a large import. */
const BEHIND_S = 300;

const LIMITS = ["entry", "device", "caller"] as const;

const probeSchema = z.object({
  backend: z.string(),
  ok: z.boolean(),
  latency_ms: z.number(),
  code: z.string().optional().openapi({ description: "What is wrong." }),
  breaker: z.enum(["closed", "open", "half_open"]).optional().openapi({
    description: "Whether this isolate calls the database. `open`: it does not, for a second or two.",
  }),
});

const workSchema = z.object({
  open_turns: z.int().openapi({ description: "Messages that are not answered yet." }),
  oldest_turn_age_s: z.number(),
  open_deliveries: z.int().openapi({ description: "Parts of replies that are not sent yet." }),
  oldest_delivery_age_s: z.number(),
  last_sweep_age_s: z.number().optional().openapi({
    description: "Since the last sweep ended, which is due every minute; absent before the first one.",
  }),
});

const searchSchema = z.object({
  waiting: z.int().openapi({ description: "New and changed messages that are not indexed yet." }),
  lag_s: z.number().openapi({ description: "The age of the oldest of them." }),
});

const eventsSchema = z.object({
  waiting: z
    .int()
    .openapi({ description: "Events that are still to be posted; at most 100,000 are counted." }),
  oldest_age_s: z.number(),
  dead: z.int().openapi({ description: "Events that an endpoint did not take for three days." }),
  failing: z.int().openapi({ description: "Endpoints that fail." }),
  disabled: z.int().openapi({ description: "Endpoints that the hub has disabled." }),
});

const cacheSchema = z.object({
  backend: z.string(),
  ok: z.boolean().optional().openapi({ description: "Absent where there is no cache." }),
  latency_ms: z.number().optional(),
  code: z.string().optional().openapi({ description: "What is wrong." }),
});

const journalSchema = z.object({
  ok: z.boolean(),
  latency_ms: z.number(),
  depth: z.int().optional().openapi({ description: "How many entries wait for the database." }),
  oldest_age_ms: z.number().optional(),
  quarantined: z
    .int()
    .optional()
    .openapi({ description: "How many entries the database refused for good; see docs/operations.md." }),
  code: z.string().optional().openapi({ description: "Why the journal does not answer." }),
});

const healthSchema = z.object({
  status: z.enum(["ok", "degraded"]),
  version: z.string(),
  reasons: z
    .array(z.string())
    .optional()
    .openapi({
      description:
        "Why it is `degraded`: `misconfigured`, `memory_store`, `store_writes_off`, `no_bot`; with an admin key also " +
        "`store_down`, `journal_down`, `journal_waits`, `search_behind`, `events_behind`, `endpoint_disabled`. docs/operations.md says what to do.",
    }),
  bot: z.string().optional().openapi({ description: "The bot, by its name in BOT; `none` without one." }),
  misconfigured: z.string().optional().openapi({ description: "Why nothing else is served." }),
  store: probeSchema.optional(),
  work: workSchema.optional().openapi({ description: "Unfinished work; absent while the store is down." }),
  search: searchSchema.optional().openapi({
    description: "How far the search's index is behind the messages; absent without a database.",
  }),
  rate_limits: z
    .array(z.enum(LIMITS))
    .optional()
    .openapi({ description: "The rate limits that are on; see docs/security.md." }),
  events: eventsSchema.optional().openapi({
    description: "Events on their way to endpoints; absent without a database.",
  }),
  cache: cacheSchema.optional(),
  journal: journalSchema.optional().openapi({ description: "Messages that wait for the database." }),
});

/**
 * Registers `GET /health`: status and version; with an admin key also the store, the cache, the journal, open work and the
 * search's index and the events.
 */
export function addHealth(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "get",
    path: "/health",
    tags: ["Operation"],
    summary: "Liveness",
    description:
      "Always 200 while the Worker runs. An admin key adds the store, the cache, the journal, unfinished work, the search and events.",
    security: [...security.nobody, ...security.key],
    responses: { 200: json("Alive.", healthSchema) },
  });
  app.openapi(route, async (c) => {
    const { version, misconfigured, bot } = options;
    const known = standingReasons(options);
    if (!(await isAdmin(c.req.raw.headers, options.keys))) return c.json({ ...verdict(known), version }, 200);
    const [store, work, search, events, cache, journal] = await Promise.all([
      probe(c, options),
      unfinished(c),
      searchable(c),
      announced(c),
      cached(c, options),
      waiting(c),
    ]);
    const reasons = [
      ...known,
      ...(store.ok ? [] : ["store_down"]),
      ...(cache.ok === false ? ["cache_down"] : []),
      ...(journal && !journal.ok ? ["journal_down"] : []),
      ...(journal?.ok && (journal.depth ?? 0) > 0 ? ["journal_waits"] : []),
      ...(search && search.lag_s > BEHIND_S ? ["search_behind"] : []),
      ...(events && events.oldest_age_s > BEHIND_S && events.failing === 0 ? ["events_behind"] : []),
      ...(events && events.disabled > 0 ? ["endpoint_disabled"] : []),
    ];
    return c.json(
      {
        ...verdict(reasons),
        version,
        ...(misconfigured && { misconfigured }),
        bot,
        store,
        ...(work && { work }),
        ...(search && { search }),
        rate_limits: LIMITS.filter((name) => options.limiters?.[name]),
        ...(events && { events }),
        cache,
        ...(journal && { journal }),
      },
      200,
    );
  });
}

/** The reasons that come from the settings. No probe changes them. */
function standingReasons({ misconfigured, shortcomings = [], bot }: AppOptions): string[] {
  return [
    ...(misconfigured ? ["misconfigured"] : []),
    ...shortcomings,
    ...(bot === "none" ? ["no_bot"] : []),
  ];
}

function verdict(reasons: string[]): { status: "ok" | "degraded"; reasons?: string[] } {
  return reasons.length > 0 ? { status: "degraded", reasons } : { status: "ok" };
}

async function probe(c: HttpContext, options: AppOptions): Promise<z.infer<typeof probeSchema>> {
  const backend = options.backends.store;
  const started = Date.now();
  let store: Store | undefined;
  try {
    ({ store } = c.var.exchange.hub());
    await withTimeout(PROBE_MS, "store_timeout", store.ping);
    return { backend, ok: true, latency_ms: Date.now() - started, ...breakerOf(store) };
  } catch (thrown) {
    return {
      backend,
      ok: false,
      latency_ms: Date.now() - started,
      ...codeOf(thrown),
      ...breakerOf(store),
    };
  }
}

function breakerOf(store: Store | undefined): { breaker?: BreakerState } {
  return store?.breaker ? { breaker: store.breaker() } : {};
}

/** The state of the journal; undefined without one. */
async function waiting(c: HttpContext): Promise<z.infer<typeof journalSchema> | undefined> {
  const started = Date.now();
  const latency = () => ({ latency_ms: Date.now() - started });
  try {
    const { store, now } = c.var.exchange.hub();
    if (!store.journal) return undefined;
    const { depth, oldest_at, quarantined } = await store.journal.depth();
    const age = oldest_at && Math.max(0, now().getTime() - oldest_at.getTime());
    const oldest = age !== undefined && { oldest_age_ms: age };
    return { ok: true, ...latency(), depth, ...oldest, quarantined };
  } catch (thrown) {
    return { ok: false, ...latency(), ...codeOf(thrown) };
  }
}

/** Whether the cache answers, and how fast. */
async function cached(c: HttpContext, options: AppOptions): Promise<z.infer<typeof cacheSchema>> {
  const backend = options.backends.cache;
  if (backend === "none") return { backend };
  const started = Date.now();
  try {
    await c.var.exchange.hub().cache.ping();
    return { backend, ok: true, latency_ms: Date.now() - started };
  } catch (thrown) {
    return { backend, ok: false, latency_ms: Date.now() - started, ...codeOf(thrown) };
  }
}

function codeOf(thrown: unknown): { code: string } {
  const { code, reason } = toHubError(thrown);
  return { code: reason ?? code };
}

/** The store's unfinished work; undefined if the store does not answer, which its probe reports. */
async function unfinished(c: HttpContext): Promise<z.infer<typeof workSchema> | undefined> {
  try {
    const hub = c.var.exchange.hub();
    const now = hub.now();
    const asked = withTimeout(PROBE_MS, "store_timeout", () => hub.store.operations.metrics(now));
    const { open_turns, open_deliveries, oldest_turn_at, oldest_delivery_at, swept_at } = await asked;
    return {
      open_turns,
      oldest_turn_age_s: secondsSince(oldest_turn_at, now),
      open_deliveries,
      oldest_delivery_age_s: secondsSince(oldest_delivery_at, now),
      ...(swept_at && { last_sweep_age_s: secondsSince(swept_at, now) }),
    };
  } catch {
    return undefined;
  }
}

/** How far the search's index is behind; undefined without a database, and if the store does not answer. */
async function searchable(c: HttpContext): Promise<z.infer<typeof searchSchema> | undefined> {
  try {
    const { features } = c.var.exchange.hub().store;
    if (!features) return undefined;
    const { waiting, lag_ms } = await withTimeout(PROBE_MS, "store_timeout", features.search.lag);
    return { waiting, lag_s: Math.round(lag_ms / 1_000) };
  } catch {
    return undefined;
  }
}

/** The events on their way to endpoints; undefined as in `searchable`. */
async function announced(c: HttpContext): Promise<z.infer<typeof eventsSchema> | undefined> {
  try {
    const hub = c.var.exchange.hub();
    const { features } = hub.store;
    if (!features) return undefined;
    const state = await withTimeout(PROBE_MS, "store_timeout", features.endpoints.state);
    const { waiting, oldest_at, dead, failing, disabled } = state;
    return { waiting, oldest_age_s: Math.round(secondsSince(oldest_at, hub.now())), dead, failing, disabled };
  } catch {
    return undefined;
  }
}
