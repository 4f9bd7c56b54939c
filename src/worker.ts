import pkg from "../package.json" with { type: "json" };
import { botOf } from "./bots/index.ts";
import { callerMessageSchema } from "./channels/caller.ts";
import { channels as makers } from "./channels/index.ts";
import { adminKeysOf, type Config, configOf } from "./compose/config.ts";
import type { Bot } from "./core/answer/bot.ts";
import type { Channel } from "./core/channel.ts";
import { failureOf, HubError } from "./core/errors.ts";
import { DEFAULT_POLICY, type Hub } from "./core/hub.ts";
import type { Log } from "./core/log.ts";
import type { SessionCache } from "./core/sessions/cache.ts";
import type { Env } from "./core/settings.ts";
import type { Store, StoreSettings } from "./core/store.ts";
import { type SweepBudget, sweep } from "./core/sweep/sweep.ts";
import { createApp } from "./http/app.ts";
import { liveRooms, noLive } from "./http/live/publisher.ts";
import { liveRoom } from "./http/live/room.ts";
import type { RateLimiter, RateLimiters } from "./http/rate-limits.ts";
import type { App } from "./http/request.ts";
import { standbyOf } from "./outage/journal.ts";
import { circuitBreaker } from "./stores/breaker.ts";
import { upstashJournal } from "./stores/journal.ts";
import { loggedCall } from "./stores/logged.ts";
import { memoryStore } from "./stores/memory.ts";
import { postgresCalls } from "./stores/postgres.ts";
import { type SqlCall, sqlStore } from "./stores/sql.ts";
import { supabaseCalls } from "./stores/supabase.ts";
import { noCache, upstashCache } from "./stores/upstash.ts";

/** Longer than the bot's limit, so that a turn is never claimed twice while its bot is still thinking. */
const LEASE_MS = 60_000;
/** A call to the database that takes longer has failed: sooner where a journal must still have time to take it. */
const STORE_MS = 4_500;
const STORE_MS_BEFORE_JOURNAL = 2_500;
/** A delivery that may go this soon is waited for; a later one is left to the sweep. */
const PATIENCE_MS = 10_000;
const SWEEP = { batch: 20, batches: 5, sessions: 500 };

/** The hub put together from its settings, once per isolate. */
interface Assembly {
  readonly app: App;
  readonly retention: Pick<
    SweepBudget,
    "retentionMs" | "messageRetentionMs" | "passwordRetentionMs" | "identityRetentionMs"
  >;
  /** A hub for one event, which `waitUntil` keeps alive; `close` ends the connections that belong to it. */
  readonly open: (log: Log, waitUntil: WaitUntil) => { hub: Hub; close: () => Promise<void> };
}

type WaitUntil = (work: Promise<unknown>) => void;

const assemblies = new WeakMap<Env, Assembly>();

export default {
  fetch(request, env, context) {
    return assemblyOf(env).app.fetch(request, env, context);
  },

  async scheduled(_event, env, context) {
    const { open, retention } = assemblyOf(env);
    try {
      const { hub, close } = open(log, (work) => context.waitUntil(work));
      try {
        await sweep(hub, { ...SWEEP, ...retention });
      } finally {
        await close();
      }
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      // What is misconfigured has its line since the isolate began.
      if (error.code !== "misconfigured") log("warn", "sweep.failed", failureOf(error));
    }
  },
} satisfies ExportedHandler<Env>;

/** The Durable Object class behind the `LIVE` binding: one session's open devices. */
export const LiveRoom = liveRoom((env) => {
  const { hub, close } = assemblyOf(env).open(log, () => {});
  return { store: hub.store, close };
}, log);

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
  const chosen = attempt(problems, () => botOf(env, log));
  if (problems.length > 0) log("error", "misconfigured", { problems });
  else if (chosen?.name === "none")
    log("error", "bot.none", {
      advice: "nobody answers customers: set BOT_WEBHOOK_URL and BOT_WEBHOOK_SECRET",
    });
  const rooms = env.LIVE as DurableObjectNamespace | undefined;

  const openHub =
    config && chosen && problems.length === 0
      ? hubOpener(config, channels, chosen.bot, rooms)
      : () => {
          throw new HubError("misconfigured", problems.join("; "));
        };
  const closers = new WeakMap<Hub, () => Promise<void>>();
  const app = createApp({
    open: (c, requestLog) => {
      const { hub, close } = openHub(requestLog, (work) => c.executionCtx.waitUntil(work));
      closers.set(hub, close);
      return hub;
    },
    close: async (hub) => closers.get(hub)?.(),
    log,
    version: pkg.version,
    keys: config?.keys ?? { kiosk: [], web: [], admin: adminKeysOf(env) },
    corsOrigins: config?.corsOrigins ?? [],
    localOrigins: config?.localOrigins ?? false,
    channels: Object.keys(makers),
    callerMessage: callerMessageSchema,
    backends: { store: config?.backend.name ?? "none", cache: config?.upstash ? "upstash" : "none" },
    bot: chosen?.name ?? "none",
    shortcomings: config?.shortcomings ?? [],
    ...(rooms && { rooms }),
    ...(config?.country && { country: config.country }),
    ...(config && { kioskPhones: config.kioskPhones, scanTo: config.scanTo }),
    limiters: limitersOf(env),
    ...(problems.length > 0 && { misconfigured: problems.join("; ") }),
  });
  return { app, open: openHub, retention: config ? retentionOf(config) : { retentionMs: 0 } };
}

function hubOpener(
  config: Config,
  channels: Record<string, Channel>,
  bot: Bot,
  rooms: DurableObjectNamespace | undefined,
): Assembly["open"] {
  const openStore = storeOpener(config, bot, channels);
  const cache: SessionCache = config.upstash
    ? upstashCache({
        ...config.upstash,
        ttlSeconds: config.cacheTtlSeconds,
        kioskIdleMs: config.kioskIdleMs,
        log,
      })
    : noCache;
  const standby =
    config.upstash && config.backend.name !== "memory"
      ? standbyOf(upstashJournal(config.upstash), config)
      : undefined;
  return (log, waitUntil) => {
    const { store, close } = openStore(log);
    const hub: Hub = {
      channels,
      store,
      cache,
      ...(standby && { standby }),
      bot,
      live: rooms ? liveRooms(rooms, waitUntil, log) : noLive,
      log,
      now: () => new Date(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      later: waitUntil,
      policy: DEFAULT_POLICY,
    };
    return { hub, close };
  };
}

/** One store for the isolate where that can be; a Postgres connection belongs to the request that opened it. */
function storeOpener(
  { backend, upstash, sessionTtlMs, kioskIdleMs, language }: Config,
  { history, batch = false }: Bot,
  channels: Record<string, Channel>,
): (log: Log) => { store: Store; close: () => Promise<void> } {
  const pace = Object.fromEntries(
    Object.entries(channels).flatMap(([name, { perSecond }]) => (perSecond ? [[name, perSecond]] : [])),
  );
  const settings: StoreSettings = {
    sessionTtlMs,
    kioskIdleMs,
    leaseMs: LEASE_MS,
    history,
    batch,
    pace,
    patienceMs: PATIENCE_MS,
    ...(language && { language }),
  };
  const timeoutMs = upstash ? STORE_MS_BEFORE_JOURNAL : STORE_MS;
  const { wrap, state: breaker } = circuitBreaker({ log });
  const sql = (call: SqlCall, log: Log): Store => ({
    ...sqlStore(wrap(loggedCall(call, log)), settings),
    breaker,
  });
  if (backend.name === "postgres")
    return (log) => {
      const { call, close } = postgresCalls(backend.connectionString, { max: 1, timeoutMs });
      return { store: sql(call, log), close };
    };
  const close = async () => {};
  if (backend.name === "supabase") {
    const call = supabaseCalls({ ...backend, timeoutMs });
    return (log) => ({ store: sql(call, log), close });
  }
  log("warn", "store.memory", { message: "memory store: everything is forgotten at restart" });
  const store = memoryStore(settings);
  return () => ({ store, close });
}

function retentionOf({
  retentionMs,
  messageRetentionMs,
  passwordRetentionMs,
  identityRetentionMs,
}: Config): Assembly["retention"] {
  return {
    retentionMs,
    passwordRetentionMs,
    identityRetentionMs,
    ...(messageRetentionMs && { messageRetentionMs }),
  };
}

/** The rate limits that are bound; each that is not is off. */
function limitersOf({ ENTRY_LIMITER, DEVICE_LIMITER, CALLER_LIMITER }: Env): RateLimiters {
  const missing = Object.entries({ ENTRY_LIMITER, DEVICE_LIMITER, CALLER_LIMITER }).flatMap(([name, one]) =>
    one ? [] : name,
  );
  if (missing.length > 0)
    log("warn", "rate_limits.off", {
      message: `no binding ${missing.join(", ")}: networks may call as often as they like`,
    });
  return {
    ...(ENTRY_LIMITER !== undefined && { entry: ENTRY_LIMITER as RateLimiter }),
    ...(DEVICE_LIMITER !== undefined && { device: DEVICE_LIMITER as RateLimiter }),
    ...(CALLER_LIMITER !== undefined && { caller: CALLER_LIMITER as RateLimiter }),
  };
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
