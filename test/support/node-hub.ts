import { createAdaptorServer } from "@hono/node-server";
import webhook from "../../src/bots/webhook.ts";
import { channels as makers } from "../../src/channels/index.ts";
import type { Bot } from "../../src/core/answer/bot.ts";
import type { Channel } from "../../src/core/channel.ts";
import { DEFAULT_POLICY, type Hub } from "../../src/core/hub.ts";
import type { Log } from "../../src/core/log.ts";
import { sweep } from "../../src/core/sweep/sweep.ts";
import type { MediaOptions } from "../../src/features/media/options.ts";
import { createApp } from "../../src/http/app.ts";
import { loggedCall } from "../../src/stores/logged.ts";
import { postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { noCache } from "../../src/stores/upstash.ts";
import { ENV, type Line } from "./http.ts";

export interface NodeHubOptions {
  readonly port: number;
  readonly databaseUrl: string;
  readonly telegramUrl: string;
  readonly whatsappUrl: string;
  /** The URL of a bot, unless `bot` is given. */
  readonly botUrl?: string;
  readonly bot?: Bot;
  /** The lease in ms. With a short one a test sees soon what follows the death of a worker. */
  readonly leaseMs?: number;
  /** Whether the hub keeps the platforms' rate limits. Default true. */
  readonly paced?: boolean;
  readonly log?: Log;
  readonly media?: MediaOptions;
  /** Settings besides the usual ones. */
  readonly env?: Readonly<Record<string, string>>;
  /** The hub's clock; a test may set how far it is ahead of the machine's, in ms. */
  readonly clock?: { aheadMs: number };
}

export interface NodeHub {
  readonly hub: Hub;
  readonly lines: readonly Line[];
  /** Runs a sweep, as the cron does. */
  sweep(): Promise<void>;
  /** Ends background work without its pauses, and closes all connections. */
  stop(): Promise<void>;
}

/**
 * The hub with its real parts on Node: HTTP on loopback, channels that call emulators, a pool of Postgres connections.
 */
export async function startNodeHub(options: NodeHubOptions): Promise<NodeHub> {
  const { port, databaseUrl, telegramUrl, whatsappUrl, botUrl, leaseMs = 60_000, paced = true } = options;
  const env = {
    ...ENV,
    TELEGRAM_API_ROOT: telegramUrl,
    WHATSAPP_API_ROOT: whatsappUrl,
    BOT_WEBHOOK_URL: botUrl,
    BOT_WEBHOOK_SECRET: "the secret of the bot",
    ...options.env,
  };
  const lines: Line[] = [];
  const log: Log = options.log ?? ((level, event, fields) => lines.push({ level, event, fields }));
  const bot = options.bot ?? webhook(env);
  const calls = postgresCalls(databaseUrl, { max: 8 });
  const { history, batch = false } = bot;
  const settings = { sessionTtlMs: 7 * 86_400_000, leaseMs, history, batch, patienceMs: 10_000 };
  const channels: Record<string, Channel> = {};
  for (const [name, make] of Object.entries(makers)) {
    const { spacingMs, perSecond, ...channel } = make(env)!;
    channels[name] = paced ? make(env)! : channel;
  }
  const pace = Object.fromEntries(
    Object.entries(channels).flatMap(([name, { perSecond }]) => (perSecond ? [[name, perSecond]] : [])),
  );
  const asleep = new Set<() => void>();
  let isStopping = false;
  const sleep = (ms: number) =>
    new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        asleep.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, isStopping ? Math.min(ms, 10) : ms);
      asleep.add(wake);
    });
  const open = (requestLog: Log): Hub => ({
    channels,
    store: sqlStore(loggedCall(calls.call, requestLog), { ...settings, pace }),
    cache: noCache,
    bot,
    live: { publish: () => {} },
    log: requestLog,
    now: () => new Date(Date.now() + (options.clock?.aheadMs ?? 0)),
    sleep,
    policy: DEFAULT_POLICY,
    openTargets: true,
    ...(options.media && { media: options.media }),
  });
  const app = createApp({
    open: (_c, requestLog) => open(requestLog),
    log,
    version: "1.2.3",
    keys: { kiosk: ["kiosk-key-1"], web: ["web-key"], admin: ["admin-key"], bot: ["bot-key"] },
    corsOrigins: [],
    channels: Object.keys(makers),
    postedWith: { kiosk: "kiosk", web: "web" },
    backends: { store: "postgres", cache: "none" },
  });

  const running = new Set<Promise<unknown>>();
  const waitUntil = (work: Promise<unknown>) => {
    running.add(work);
    void work.finally(() => running.delete(work));
  };
  const context = { waitUntil, passThroughOnException: () => {}, props: {} };
  const server = createAdaptorServer({
    fetch: (request) => app.fetch(request, {}, context as never),
    overrideGlobalObjects: false,
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));

  const hub = open(log);
  return {
    hub,
    lines,
    async sweep() {
      await sweep(hub, { batch: 50, batches: 20, sessions: 500, retentionMs: 86_400_000 });
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      if ("closeAllConnections" in server) server.closeAllConnections();
      await closed;
      isStopping = true;
      for (const wake of [...asleep]) wake();
      while (running.size > 0) await Promise.allSettled(running);
      await calls.close();
    },
  };
}
