/**
 * Measures how soon a device gets the bot's reply on workerd, over a WebSocket and by long poll, and compares it with a
 * minimal Durable Object.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../dev/services/ports.ts";
import { startSupabase } from "../dev/services/supabase.ts";
import { bareWorker, bundle, HUB } from "./lib/bundle.ts";
import { startDatabases } from "./lib/database.ts";
import {
  type Bot,
  begin,
  connect,
  type Device,
  KEY,
  listen,
  type Socket,
  say,
  startBot,
} from "./lib/devices.ts";
import { type Aim, type Bench, ms, type Result, scaled, times } from "./lib/result.ts";
import { median, quantile } from "./lib/stats.ts";
import { startTap, type Tap } from "./lib/tap.ts";
import { startWorkerd } from "./lib/workerd.ts";

const AIM = 1.5;
const SAVED = "/rest/v1/rpc/hub_complete";
/**
 * The longest time that the bot takes. It is random, so that the reply comes at any point between two looks of a long
 * poll.
 */
const THINKS_MS = 1_500;
const PAUSE_MS = 5;

/** One way to get a reply, and its times. */
interface Way {
  readonly name: string;
  readonly fromBot: number[];
  readonly fromSaved: number[];
}

const way = (name: string): Way => ({ name, fromBot: [], fromSaved: [] });

export const live: Bench = {
  name: "live",
  async run(context) {
    const { dir, progress } = context;
    const stops: (() => Promise<unknown>)[] = [];
    const kept = async <T extends { stop(): Promise<unknown> }>(starting: Promise<T>): Promise<T> => {
      const started = await starting;
      stops.unshift(() => started.stop());
      return started;
    };
    try {
      progress("bundling two Workers");
      const databases = await kept(startDatabases(dir));
      const databaseUrl = await databases.createHub("live");
      const sql = databases.adminOf("live");
      await sql`create function public.bench_nothing(p jsonb) returns jsonb language sql immutable as $$ select p $$`;
      await sql`grant execute on function public.bench_nothing to postgres, service_role`;
      await sql.end();
      const rest = await kept(startSupabase({ port: await freePort(), databaseUrl }));
      const tap = await kept(startTap(rest.url));
      const bot = await kept(startBot());
      const store = { SUPABASE_URL: tap.url, SUPABASE_SERVICE_ROLE_KEY: rest.serviceRoleKey };
      const serve = async (name: string, main: string, vars: Record<string, string>) =>
        kept(startWorkerd({ name, bundle: await bundle(main, join(dir, name)), vars, room: "LiveRoom" }));
      const settings = {
        WEB_API_KEY: KEY,
        BOT: "webhook",
        BOT_WEBHOOK_URL: bot.url,
        BOT_WEBHOOK_SECRET: "a-secret-of-the-bench",
      };
      const hub = await serve("hub", HUB, { ...settings, ...store });
      const bare = await serve("bare-live", bareWorker("bare-live"), store);

      const ways = {
        passed: way("a Durable Object that passes a POST on"),
        read: way("and makes one empty rpc() before"),
        socket: way("hub, WebSocket"),
        poll: way("hub, long poll"),
      };
      const pushes = scaled(context, 400, 60);
      progress(`${pushes} replies over WebSockets, in turn`);
      const device = await connect(`ws://127.0.0.1:${hub.port}`, await begin(hub.port));
      const plain = await listen(`ws://127.0.0.1:${bare.port}`);
      for (let i = -20; i < pushes; i++) {
        const found = {
          passed: await post(bare.port, "/", plain),
          read: await post(bare.port, "/read", plain),
          socket: await push(device, bot, tap),
        };
        if (i < 0) continue;
        ways.passed.fromSaved.push(found.passed);
        ways.read.fromSaved.push(found.read);
        ways.socket.fromBot.push(found.socket.fromBot);
        ways.socket.fromSaved.push(found.socket.fromSaved);
      }
      const polls = scaled(context, 120, 15);
      progress(`${polls} replies by long poll`);
      const token = await begin(hub.port);
      for (let i = 0; i < polls; i++) {
        const { fromBot, fromSaved } = await longPoll(hub.port, token, bot, tap);
        ways.poll.fromBot.push(fromBot);
        ways.poll.fromSaved.push(fromSaved);
      }
      device.close();
      plain.close();
      return resultOf(ways);
    } finally {
      for (const stop of stops) await stop();
    }
  },
};

/** Sends a message of the device and waits for the bot's reply over its WebSocket. */
async function push(device: Device, bot: Bot, tap: Tap): Promise<{ fromBot: number; fromSaved: number }> {
  const moments = [
    bot.next(),
    tap.next(SAVED),
    device.next((text) => text.includes('"type":"message"') && text.includes('"role":"assistant"')),
  ] as const;
  await say(device.port, device.token);
  const [answered, saved, seen] = await Promise.all(moments);
  await sleep(PAUSE_MS);
  return { fromBot: seen - answered, fromSaved: seen - saved };
}

/** The same through the minimal Durable Object. */
async function post(port: number, path: string, socket: Socket): Promise<number> {
  const text = JSON.stringify({ type: "message", id: crypto.randomUUID() });
  const next = socket.next((frame) => frame === text);
  const began = performance.now();
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", body: text });
  await answer.arrayBuffer();
  const seen = await next;
  await sleep(PAUSE_MS);
  return seen - began;
}

/** Sends a message, and long-polls until the reply is there. */
async function longPoll(
  port: number,
  token: string,
  bot: Bot,
  tap: Tap,
): Promise<{ fromBot: number; fromSaved: number }> {
  const headers = { authorization: `Bearer ${token}` };
  const ask = async (after: string, wait: number) => {
    const url = `http://127.0.0.1:${port}/session/messages?limit=200&after=${after}&wait=${wait}`;
    return (await (await fetch(url, { headers })).json()) as { cursor: string; messages: { role: string }[] };
  };
  bot.thinksMs = 100 + Math.random() * THINKS_MS;
  const moments = [bot.next(), tap.next(SAVED)] as const;
  await say(port, token);
  let { cursor } = await readAll(ask);
  let seen = 0;
  while (seen === 0) {
    const page = await ask(cursor, 25);
    cursor = page.cursor;
    if (page.messages.some(({ role }) => role === "assistant")) seen = performance.now();
  }
  const [answered, saved] = await Promise.all(moments);
  bot.thinksMs = 0;
  return { fromBot: seen - answered, fromSaved: seen - saved };
}

async function readAll(
  ask: (after: string, wait: number) => Promise<{ cursor: string; messages: unknown[] }>,
): Promise<{ cursor: string }> {
  let page = await ask("0", 0);
  while (page.messages.length === 200) page = await ask(page.cursor, 0);
  return page;
}

function resultOf({
  passed,
  read,
  socket,
  poll,
}: Record<"passed" | "read" | "socket" | "poll", Way>): Result {
  const figures = [passed, read, socket, poll].map(({ name, fromBot, fromSaved }) => ({
    name,
    replies: fromSaved.length,
    from_saved_ms: median(fromSaved),
    from_saved_p95_ms: quantile(fromSaved, 0.95),
    ...(fromBot.length > 0 && { from_bot_ms: median(fromBot), from_bot_p95_ms: quantile(fromBot, 0.95) }),
  }));
  const ratio = median(socket.fromSaved) / median(read.fromSaved);
  const aims: Aim[] = [
    {
      aim: `WebSocket: within ${AIM}x of the bare one with its call`,
      found: times(ratio),
      met: ratio <= AIM,
    },
  ];
  const table = {
    title:
      "live: until the device has it, workerd, supabase-js; after the bot's answer, and after that was saved",
    columns: ["", "after it was saved", "p95", "after the bot's answer", "p95"],
    rows: figures.map((row) => [
      row.name,
      ms(row.from_saved_ms),
      ms(row.from_saved_p95_ms),
      row.from_bot_ms === undefined ? "-" : ms(row.from_bot_ms),
      row.from_bot_p95_ms === undefined ? "-" : ms(row.from_bot_p95_ms),
    ]),
  };
  return { tables: [table], aims, figures };
}
