/**
 * The hub under Node with a pool of direct connections, for comparison with other programs under Node. It logs only
 * warnings and errors, as the peer does. With `BENCH_BOT=silent` its bot sends no replies. With `BENCH_ADMIN_KEY` it opens the admin
 * routes and runs campaigns, as the sweep does; `BENCH_PACE` is a pace for WhatsApp in messages a second.
 */
import { setTimeout as sleep } from "node:timers/promises";
import echo from "../src/bots/echo/index.ts";
import whatsapp from "../src/channels/whatsapp/index.ts";
import type { Bot } from "../src/core/answer/bot.ts";
import { DEFAULT_POLICY, type Hub } from "../src/core/hub.ts";
import type { Log } from "../src/core/log.ts";
import { runCampaigns } from "../src/features/campaigns/run.ts";
import { createApp } from "../src/http/app.ts";
import { noLive } from "../src/http/live/publisher.ts";
import { postgresCalls } from "../src/stores/postgres.ts";
import { sqlStore } from "../src/stores/sql.ts";
import { noCache } from "../src/stores/upstash.ts";
import { serveHttp } from "./lib/serve-http.ts";

const { env } = process;
const silent: Bot = { history: 0, reply: async () => [] };
const bot = env.BENCH_BOT === "silent" ? silent : echo();
const log: Log = (level, event, fields) => {
  if (level !== "info") console.error(JSON.stringify({ level, event, ...fields }));
};
const { call, close } = postgresCalls(env.DATABASE_URL!, { max: Number(env.POOL_SIZE) });
const pace = env.BENCH_PACE ? { pace: { whatsapp: Number(env.BENCH_PACE) }, patienceMs: 10_000 } : {};
const store = sqlStore(call, {
  sessionTtlMs: 7 * 86_400_000,
  leaseMs: 60_000,
  history: bot.history,
  ...pace,
});
const hub: Hub = {
  // As the peer, the hub marks no messages as read here and shows no typing.
  channels: { whatsapp: { ...whatsapp(env)!, showTyping: async () => {} } },
  store,
  cache: noCache,
  bot,
  live: noLive,
  log,
  now: () => new Date(),
  sleep,
  policy: DEFAULT_POLICY,
};
const app = createApp({
  open: () => hub,
  log,
  version: "bench",
  keys: { kiosk: [], web: [], admin: env.BENCH_ADMIN_KEY ? [env.BENCH_ADMIN_KEY] : [] },
  corsOrigins: [],
  channels: ["whatsapp"],
  postedWith: {},
  backends: { store: "postgres", cache: "none" },
});
const context = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };
const server = serveHttp(Number(env.PORT), (request) => app.fetch(request, {}, context));
server.keepAliveTimeout = 65_000; // as the peer
if (env.BENCH_ADMIN_KEY) void campaigns();
process.once("SIGTERM", () => {
  server.close();
  void close().then(() => process.exit());
});

async function campaigns(): Promise<never> {
  for (;;) {
    await runCampaigns(hub, 1_000);
    await sleep(200);
  }
}
