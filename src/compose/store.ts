import type { Bot } from "../core/answer/bot.ts";
import type { Channel } from "../core/channel.ts";
import type { Log } from "../core/log.ts";
import type { Store, StoreSettings } from "../core/store.ts";
import { circuitBreaker } from "../stores/breaker.ts";
import { loggedCall } from "../stores/logged.ts";
import { memoryStore } from "../stores/memory.ts";
import { postgresCalls } from "../stores/postgres.ts";
import { type SqlCall, sqlStore } from "../stores/sql.ts";
import { supabaseCalls } from "../stores/supabase.ts";
import { tokenIdleOf } from "./channels.ts";
import type { Config } from "./config.ts";

/** Longer than the bot's time limit, so that a turn is not claimed again while its bot still works. */
const LEASE_MS = 60_000;
/** The time limit of a call to the database. Shorter with a journal, which needs time to take the events afterwards. */
const STORE_MS = 4_000;
const STORE_MS_BEFORE_JOURNAL = 2_500;
/** How long a claimer waits for a delivery's `send_at` at most. A later delivery is left to the sweep. */
const PATIENCE_MS = 10_000;

/** The stores of a hub. */
export interface Stores {
  /** Opens a store for one event. `close` closes the event's connection. */
  readonly open: (log: Log) => { store: Store; close: () => Promise<void> };
  /** Closes the connections that all events share, once their calls have ended. */
  readonly end: () => Promise<void>;
}

/**
 * The stores by the settings. Without a pool a Postgres connection belongs to its event, as a Worker needs it; everything else is
 * made once.
 */
export function storesOf(
  config: Config,
  bot: Bot,
  channels: Readonly<Record<string, Channel>>,
  log: Log,
): Stores {
  const { backend, upstash } = config;
  const settings = settingsOf(config, bot, channels);
  const timeoutMs = upstash ? STORE_MS_BEFORE_JOURNAL : STORE_MS;
  const { wrap, state: breaker } = circuitBreaker({ log });
  const sql = (call: SqlCall, log: Log): Store => ({
    ...sqlStore(wrap(loggedCall(call, log)), settings),
    breaker,
  });
  const close = async () => {};
  if (backend.name === "postgres") {
    const { connectionString, pool } = backend;
    if (pool !== undefined) {
      const calls = postgresCalls(connectionString, { max: pool, timeoutMs });
      return { open: (log) => ({ store: sql(calls.call, log), close }), end: calls.close };
    }
    const open = (log: Log) => {
      const { call, close } = postgresCalls(connectionString, { max: 1, timeoutMs });
      return { store: sql(call, log), close };
    };
    return { open, end: close };
  }
  if (backend.name === "supabase") {
    const call = supabaseCalls({ ...backend, timeoutMs });
    return { open: (log) => ({ store: sql(call, log), close }), end: close };
  }
  log("warn", "store.memory", { message: "memory store: everything is forgotten at restart" });
  const store = memoryStore(settings);
  return { open: () => ({ store, close }), end: close };
}

function settingsOf(
  { sessionTtlMs, threadTtlMs, languages }: Config,
  { history, batch = false }: Bot,
  channels: Readonly<Record<string, Channel>>,
): StoreSettings {
  const pace = Object.fromEntries(
    Object.entries(channels).flatMap(([name, { perSecond }]) => (perSecond ? [[name, perSecond]] : [])),
  );
  return {
    sessionTtlMs,
    threadTtlMs,
    ...tokenIdleOf(channels),
    leaseMs: LEASE_MS,
    history,
    batch,
    pace,
    patienceMs: PATIENCE_MS,
    ...(languages && { languages, language: languages.languages[0] }),
  };
}
