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

/** Opens a store for one event. `close` closes the event's connection. */
export type OpenStore = (log: Log) => { store: Store; close: () => Promise<void> };

/**
 * Returns a function that opens a store. A Postgres connection belongs to its request; other stores are made only once.
 */
export function storeOpener(
  config: Config,
  bot: Bot,
  channels: Readonly<Record<string, Channel>>,
  log: Log,
): OpenStore {
  const { backend, upstash } = config;
  const settings = settingsOf(config, bot, channels);
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
