import { createRoute, z } from "@hono/zod-openapi";
import { toHubError } from "../core/errors.ts";
import type { BreakerState, Store } from "../core/store.ts";
import { withTimeout } from "../core/timeout.ts";
import { isAdmin } from "./auth.ts";
import { json, security } from "./describe.ts";
import { secondsSince } from "./metrics.ts";
import type { App, AppOptions, HttpContext } from "./request.ts";

const PROBE_MS = 3_000;
/** The search's index is this far behind only when nothing fills it. */
const BEHIND_S = 300;

const probeSchema = z.object({
  backend: z.string(),
  ok: z.boolean(),
  latency_ms: z.number(),
  code: z.string().optional().openapi({ description: "What is wrong." }),
  breaker: z.enum(["closed", "open", "half_open"]).optional().openapi({
    description:
      "Whether this isolate asks the database: `open` means that it does not, for a second or two.",
  }),
});

const workSchema = z.object({
  open_turns: z.int().openapi({ description: "Messages that are not answered yet." }),
  oldest_turn_age_s: z.number(),
  open_deliveries: z.int().openapi({ description: "Parts of replies that are not sent yet." }),
  oldest_delivery_age_s: z.number(),
});

const searchSchema = z.object({
  waiting: z
    .int()
    .openapi({ description: "Changes of messages that the search's index has not taken in yet." }),
  lag_s: z.number().openapi({ description: "For how long the oldest of them has waited." }),
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
  depth: z.int().optional().openapi({ description: "What waits to be taken to the database, in order." }),
  oldest_age_ms: z.number().optional(),
  quarantined: z
    .int()
    .optional()
    .openapi({ description: "What the database refused for good; see docs/operations.md." }),
  code: z.string().optional().openapi({ description: "Why it cannot be looked at." }),
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
        "`store_down`, `journal_down`, `journal_waits`, `search_behind`. docs/operations.md says what to do.",
    }),
  bot: z.string().optional().openapi({ description: "Who answers, as BOT names it; `none` is nobody." }),
  misconfigured: z.string().optional().openapi({ description: "Why nothing else is served." }),
  store: probeSchema.optional(),
  work: workSchema.optional().openapi({ description: "What is unfinished, while the store answers." }),
  search: searchSchema
    .optional()
    .openapi({ description: "How far the search is behind, where there is one." }),
  cache: cacheSchema.optional(),
  journal: journalSchema.optional().openapi({ description: "What came while the database was down." }),
});

/** Registers `GET /health`: alive and which version; with an admin key, what the hub stands on. */
export function addHealth(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "get",
    path: "/health",
    tags: ["Operation"],
    summary: "Liveness",
    description:
      "Always 200 while the Worker lives. An admin key adds the store, the cache, the journal and what is unfinished.",
    security: [...security.nobody, ...security.key],
    responses: { 200: json("Alive.", healthSchema) },
  });
  app.openapi(route, async (c) => {
    const { version, misconfigured, bot } = options;
    const known = standingReasons(options);
    if (!(await isAdmin(c.req.raw.headers, options.keys))) return c.json({ ...verdict(known), version }, 200);
    const [store, work, search, cache, journal] = await Promise.all([
      probe(c, options),
      unfinished(c),
      searchable(c),
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
        cache,
        ...(journal && { journal }),
      },
      200,
    );
  });
}

/** What is wrong with the settings, which no probe changes. */
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

/** What waits for the store; undefined without a journal. */
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

/** What the store has still to do; undefined when it does not answer, which its probe tells. */
async function unfinished(c: HttpContext): Promise<z.infer<typeof workSchema> | undefined> {
  try {
    const hub = c.var.exchange.hub();
    const now = hub.now();
    const asked = withTimeout(PROBE_MS, "store_timeout", () => hub.store.operations.metrics(now));
    const { open_turns, open_deliveries, oldest_turn_at, oldest_delivery_at } = await asked;
    return {
      open_turns,
      oldest_turn_age_s: secondsSince(oldest_turn_at, now),
      open_deliveries,
      oldest_delivery_age_s: secondsSince(oldest_delivery_at, now),
    };
  } catch {
    return undefined;
  }
}

/** How far the search is behind; undefined where there is none, and when the store does not answer. */
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
