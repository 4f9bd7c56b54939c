import { botOf, type ChosenBot } from "../bots/index.ts";
import { callerMessageSchema } from "../channels/caller.ts";
import { channels as makers } from "../channels/index.ts";
import { HubError } from "../core/errors.ts";
import type { Hub } from "../core/hub.ts";
import type { Log } from "../core/log.ts";
import type { Env } from "../core/settings.ts";
import type { SweepBudget } from "../core/sweep/sweep.ts";
import { createApp } from "../http/app.ts";
import type { App } from "../http/request.ts";
import { channelsOf, postedWithOf } from "./channels.ts";
import { adminKeysOf, type Config, configOf } from "./config.ts";
import { type Hubs, hubsOf, type OpenHub } from "./hub.ts";
import { limitersOf } from "./limiters.ts";
import { mediaOptionsOf } from "./media.ts";
import { collectProblems } from "./problems.ts";
import { publicPagesOf } from "./public-pages.ts";

const SWEEP = { batch: 20, batches: 5, sessions: 500 };

/** The hub's parts, made from the settings once per isolate. */
export interface Assembly {
  readonly app: App;
  readonly sweep: SweepBudget;
  /** Opens the hub for one event. Throws `misconfigured`, naming every wrong variable. */
  readonly open: OpenHub;
  /** Closes the connections that all events share, once their calls have ended. */
  readonly end: () => Promise<void>;
}

/** Reads the settings and wires all parts. With wrong settings it logs them once, and only `/health` is served. */
export function assemble(env: Env, version: string, log: Log): Assembly {
  const problems = collectProblems();
  const config = problems.attempt(() => configOf(env));
  const channels = channelsOf(env, problems);
  const chosen = problems.attempt(() => botOf(env, log));
  problems.attempt(() => refuseMemory(config, chosen));
  const media = problems.attempt(() => mediaOptionsOf(env));
  const publicPages = problems.attempt(() => publicPagesOf(env));
  const misconfigured = problems.found.join("; ");
  if (misconfigured) log("error", "misconfigured", { problems: problems.found });
  else if (chosen?.name === "none")
    log("error", "bot.none", {
      advice: "nobody answers customers: set BOT_WEBHOOK_URL and BOT_WEBHOOK_SECRET",
    });
  const rooms = env.LIVE as DurableObjectNamespace | undefined;

  const { open, end }: Hubs =
    config && chosen && media && !misconfigured
      ? hubsOf({ config, channels, bot: chosen.bot, rooms, media, log })
      : {
          open: () => {
            throw new HubError("misconfigured", misconfigured);
          },
          end: async () => {},
        };
  const closers = new WeakMap<Hub, () => Promise<void>>();
  const app = createApp({
    open: (_c, requestLog, later) => {
      const { hub, close } = open(requestLog, later);
      closers.set(hub, close);
      return hub;
    },
    close: async (hub) => closers.get(hub)?.(),
    log,
    version,
    keys: config?.keys ?? { kiosk: [], web: [], admin: adminKeysOf(env) },
    corsOrigins: config?.corsOrigins ?? [],
    localOrigins: config?.localOrigins ?? false,
    channels: Object.keys(makers),
    postedWith: postedWithOf(channels),
    callerMessage: callerMessageSchema,
    backends: { store: config?.backend.name ?? "none", cache: config?.upstash ? "upstash" : "none" },
    bot: chosen?.name ?? "none",
    shortcomings: config?.shortcomings ?? [],
    ...(publicPages && { publicPages }),
    ...(rooms && { rooms }),
    ...(config?.country && { country: config.country }),
    ...(config?.languages && { languages: config.languages }),
    ...(config && { kioskPhones: config.kioskPhones }),
    limiters: limitersOf(env, log),
    ...(misconfigured && { misconfigured }),
  });
  return { app, open, end, sweep: { ...SWEEP, ...retentionOf(config) } };
}

/** Throws `misconfigured` if the bot needs a database and there is none. */
function refuseMemory(config: Config | undefined, chosen: ChosenBot | undefined): void {
  if (chosen?.bot.needsDatabase && config?.backend.name === "memory")
    throw new HubError("misconfigured", `BOT=${chosen.name} needs a database: SUPABASE_URL, or HYPERDRIVE`);
}

function retentionOf(config: Config | undefined): Omit<SweepBudget, "batch" | "batches" | "sessions"> {
  if (!config) return { retentionMs: 0 };
  const { retentionMs, messageRetentionMs, passwordRetentionMs, identityRetentionMs } = config;
  const { bookingRetentionMs, eventRetentionMs } = config;
  return {
    retentionMs,
    passwordRetentionMs,
    identityRetentionMs,
    bookingRetentionMs,
    eventRetentionMs,
    ...(messageRetentionMs && { messageRetentionMs }),
  };
}
