/**
 * Measures how long a webhook waits for its 200 on workerd, and compares it with a minimal Worker over the same
 * transport.
 */
import { join } from "node:path";
import { freePort } from "../dev/services/ports.ts";
import { startSupabase } from "../dev/services/supabase.ts";
import { type Bundle, bareWorker, bundle, HUB } from "./lib/bundle.ts";
import { type DatabaseServer, startDatabases } from "./lib/database.ts";
import { type Platform, startPlatform } from "./lib/platform.ts";
import { type Aim, type Bench, type Context, ms, type Result, scaled, times } from "./lib/result.ts";
import type { Server } from "./lib/server.ts";
import { median, quantile } from "./lib/stats.ts";
import { SECRETS } from "./lib/webhook.ts";
import { startWorkerd } from "./lib/workerd.ts";

const AIM = 1.5;
const CUSTOMERS = 200;
const ROUND = 50;

interface Pair {
  readonly name: string;
  readonly bare: string;
  readonly messages: number;
  readonly hub: Server;
  readonly other: Server;
}

export const ack: Bench = {
  name: "ack",
  async run(context) {
    const stops: (() => Promise<void>)[] = [];
    const kept = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
      const started = await starting;
      stops.unshift(() => started.stop());
      return started;
    };
    try {
      const platform = await kept(startPlatform());
      const databases = await kept(startDatabases(context.dir));
      const pairs = await startPairs(context, platform, databases, kept);
      const measured = [];
      for (const pair of pairs) measured.push(await measure(context, platform, pair));
      return resultOf(measured);
    } finally {
      for (const stop of stops) await stop();
    }
  },
};

async function startPairs(
  context: Context,
  platform: Platform,
  databases: DatabaseServer,
  kept: <T extends { stop(): Promise<void> }>(starting: Promise<T>) => Promise<T>,
): Promise<Pair[]> {
  context.progress("bundling four Workers");
  const made: Record<string, Bundle> = {};
  for (const name of ["hub", "bare", "bare-supabase", "bare-postgres"])
    made[name] = await bundle(name === "hub" ? HUB : bareWorker(name), join(context.dir, name));
  const serve = (name: string, of: string, vars: Record<string, string>, databaseUrl?: string) =>
    kept(startWorkerd({ name, bundle: made[of]!, vars, ...(databaseUrl && { databaseUrl }) }));

  const restUrl = await databases.createHub("rest");
  const directUrl = await databases.createHub("direct");
  for (const name of ["rest", "direct"]) {
    const sql = databases.adminOf(name);
    await sql`create function public.bench_nothing(p jsonb) returns jsonb language sql immutable as $$ select p $$`;
    await sql`grant execute on function public.bench_nothing to postgres, service_role`;
    await sql.end();
  }
  const supabase = await kept(startSupabase({ port: await freePort(), databaseUrl: restUrl }));
  const rest = { SUPABASE_URL: supabase.url, SUPABASE_SERVICE_ROLE_KEY: supabase.serviceRoleKey };
  const vars = { ...SECRETS, BOT: "echo", WHATSAPP_API_ROOT: platform.url };
  return [
    {
      name: "memory store",
      bare: "signature and JSON",
      messages: scaled(context, 2_000, ROUND),
      hub: await serve("memory", "hub", { ...vars, CONVERSATION_STORAGE_BACKEND: "memory" }),
      other: await serve("bare", "bare", vars),
    },
    {
      name: "supabase-js",
      bare: "and one empty rpc()",
      messages: scaled(context, 600, ROUND),
      hub: await serve("supabase", "hub", { ...vars, ...rest }),
      other: await serve("bare-supabase", "bare-supabase", { ...vars, ...rest }),
    },
    {
      name: "HYPERDRIVE, direct",
      bare: "and one empty select",
      messages: scaled(context, 600, ROUND),
      hub: await serve("hyperdrive", "hub", vars, directUrl),
      other: await serve("bare-postgres", "bare-postgres", vars, directUrl),
    },
  ];
}

interface Measured extends Pair {
  readonly hubMs: readonly number[];
  readonly bareMs: readonly number[];
}

/**
 * Measures hub and bare Worker in turn. The bare Worker's customers pause as long as the hub's replies took, so that
 * both have the same load.
 */
async function measure({ progress }: Context, platform: Platform, pair: Pair): Promise<Measured> {
  const { name, messages, hub, other } = pair;
  progress(`${name}: ${messages} webhooks each, in turns of ${ROUND}`);
  const hubMs: number[] = [];
  const bareMs: number[] = [];
  const customers = { path: "/webhooks/whatsapp", from: 0, customers: CUSTOMERS, count: ROUND };
  const warmUp = CUSTOMERS / ROUND;
  for (let round = -warmUp; round < messages / ROUND; round++) {
    const first = (round + warmUp) * ROUND;
    const ours = await platform.sequence({
      ...customers,
      first,
      port: hub.port,
      answered: true,
      pauseMs: 10,
    });
    const drained = median(ours.answers.map((at, i) => at - ours.acks[i]!));
    const pauseMs = 10 + Math.max(0, Math.round(drained));
    const theirs = await platform.sequence({
      ...customers,
      first,
      port: other.port,
      answered: false,
      pauseMs,
    });
    if (round < 0) continue;
    hubMs.push(...ours.acks);
    bareMs.push(...theirs.acks);
  }
  return { ...pair, hubMs, bareMs };
}

function resultOf(measured: readonly Measured[]): Result {
  const figures = measured.map(({ name, bare, hubMs, bareMs }) => ({
    store: name,
    bare,
    messages: hubMs.length,
    hub: { median_ms: median(hubMs), p95_ms: quantile(hubMs, 0.95) },
    bare_worker: { median_ms: median(bareMs), p95_ms: quantile(bareMs, 0.95) },
    ratio: median(hubMs) / median(bareMs),
  }));
  const aims: Aim[] = figures.map(({ store, ratio }) => ({
    aim: `${store}: within ${AIM}x of the bare Worker at the median`,
    found: times(ratio),
    met: ratio <= AIM,
  }));
  const table = {
    title: "ack: webhook to 200 on workerd, one at a time",
    columns: ["store", "bare Worker does", "hub", "p95", "bare", "p95", "hub / bare"],
    rows: figures.map((row) => [
      row.store,
      row.bare,
      ms(row.hub.median_ms),
      ms(row.hub.p95_ms),
      ms(row.bare_worker.median_ms),
      ms(row.bare_worker.p95_ms),
      times(row.ratio),
    ]),
  };
  return { tables: [table], aims, figures };
}
