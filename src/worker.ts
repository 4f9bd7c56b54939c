import pkg from "../package.json" with { type: "json" };
import { bots } from "./bots/index.ts";
import { callerMessageSchema } from "./channels/caller.ts";
import { channels as makers } from "./channels/index.ts";
import { type Config, configOf } from "./config.ts";
import { HubError } from "./core/errors.ts";
import { DEFAULT_LIMITS, type Hub } from "./core/hub.ts";
import type { Bot, Channel, Live, Log, SessionCache, Store, StoreSettings } from "./core/ports.ts";
import type { Env } from "./core/settings.ts";
import { sweep } from "./core/sweep.ts";
import { createApp } from "./http/app.ts";
import type { App } from "./http/request.ts";
import { memoryStore } from "./stores/memory.ts";
import { postgresCalls } from "./stores/postgres.ts";
import { sqlStore } from "./stores/sql.ts";
import { supabaseCalls } from "./stores/supabase.ts";
import { noCache, upstashCache } from "./stores/upstash.ts";

/** Longer than the bot's limit, so that a turn is never claimed twice while its bot is still thinking. */
const LEASE_MS = 60_000;
/** A delivery that may go this soon is waited for; a later one is left to the sweep. */
const PATIENCE_MS = 10_000;
/** No device holds a connection open: all find what is new by cursor. */
const live: Live = { publish: () => {} };
const SWEEP = { batch: 20, batches: 5, sessions: 500 };

/** The hub put together from its settings, once per isolate. */
interface Assembly {
  readonly app: App;
  readonly retentionMs: number;
  /** A hub for one event; `close` ends the connections that belong to it. */
  readonly open: () => { hub: Hub; close: () => Promise<void> };
}

const assemblies = new WeakMap<Env, Assembly>();

export default {
  fetch(request, env, context) {
    return assemblyOf(env).app.fetch(request, env, context);
  },

  async scheduled(_event, env) {
    const { open, retentionMs } = assemblyOf(env);
    const { hub, close } = open();
    try {
      await sweep(hub, { ...SWEEP, retentionMs });
    } finally {
      await close();
    }
  },
} satisfies ExportedHandler<Env>;

function assemblyOf(env: Env): Assembly {
  let assembly = assemblies.get(env);
  if (!assembly) {
    assembly = assemble(env);
    assemblies.set(env, assembly);
  }
  return assembly;
}

function assemble(env: Env): Assembly {
  const problems: string[] = [];
  const config = attempt(problems, () => configOf(env));
  const channels: Record<string, Channel> = {};
  for (const [name, make] of Object.entries(makers)) {
    const channel = attempt(problems, () => make(env));
    if (channel) channels[name] = channel;
  }
  const bot = config && attempt(problems, () => botOf(config, env));
  if (problems.length > 0) log("error", "misconfigured", { problems });

  const openHub =
    config && bot && problems.length === 0
      ? hubOpener(config, channels, bot)
      : () => {
          throw new HubError("misconfigured", problems.join("; "));
        };
  const closers = new WeakMap<Hub, () => Promise<void>>();
  const app = createApp({
    open: () => {
      const { hub, close } = openHub();
      closers.set(hub, close);
      return hub;
    },
    close: async (hub) => closers.get(hub)?.(),
    log,
    version: pkg.version,
    keys: config?.keys ?? { kiosk: [], web: [], admin: [] },
    corsOrigins: config?.corsOrigins ?? [],
    channels: Object.keys(makers),
    callerMessage: callerMessageSchema,
    backends: { store: config?.backend.name ?? "none", cache: config?.upstash ? "upstash" : "none" },
    ...(config?.country && { country: config.country }),
    ...(problems.length > 0 && { misconfigured: problems.join("; ") }),
  });
  return { app, open: openHub, retentionMs: config?.retentionMs ?? 0 };
}

function hubOpener(config: Config, channels: Record<string, Channel>, bot: Bot): Assembly["open"] {
  const openStore = storeOpener(config, bot, channels);
  const cache: SessionCache = config.upstash
    ? upstashCache({ ...config.upstash, ttlSeconds: config.cacheTtlSeconds, log })
    : noCache;
  return () => {
    const { store, close } = openStore();
    const hub: Hub = {
      channels,
      store,
      cache,
      bot,
      live,
      log,
      now: () => new Date(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      limits: DEFAULT_LIMITS,
    };
    return { hub, close };
  };
}

/** One store for the isolate where that can be; a Postgres connection belongs to the request that opened it. */
function storeOpener(
  { backend, sessionTtlMs, language }: Config,
  { history, batch = false }: Bot,
  channels: Record<string, Channel>,
): () => { store: Store; close: () => Promise<void> } {
  const pace = Object.fromEntries(
    Object.entries(channels).flatMap(([name, { perSecond }]) => (perSecond ? [[name, perSecond]] : [])),
  );
  const settings: StoreSettings = {
    sessionTtlMs,
    leaseMs: LEASE_MS,
    history,
    batch,
    pace,
    patienceMs: PATIENCE_MS,
    ...(language && { language }),
  };
  if (backend.name === "postgres")
    return () => {
      const { call, close } = postgresCalls(backend.connectionString, { max: 1 });
      return { store: sqlStore(call, settings), close };
    };
  if (backend.name === "memory")
    log("warn", "store.memory", { message: "memory store: everything is forgotten at restart" });
  const store =
    backend.name === "memory" ? memoryStore(settings) : sqlStore(supabaseCalls(backend), settings);
  return () => ({ store, close: async () => {} });
}

function botOf({ bot }: Config, env: Env): Bot {
  const make = Object.hasOwn(bots, bot) ? bots[bot] : undefined;
  if (!make) throw new HubError("misconfigured", `BOT must be one of ${Object.keys(bots).join(", ")}`);
  return make(env);
}

/** Collects what is misconfigured, so that all of it can be named at once. */
function attempt<T>(problems: string[], make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof HubError && error.code === "misconfigured")) throw error;
    problems.push(error.message);
    return undefined;
  }
}

function log(...[level, event, fields]: Parameters<Log>): void {
  console[level](JSON.stringify({ level, event, ...fields }));
}
