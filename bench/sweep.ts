/** Measures the cost of one run of the sweep without any work to do, beside the same number of empty calls. */
import echo from "../src/bots/echo/index.ts";
import { DEFAULT_POLICY, type Hub } from "../src/core/hub.ts";
import { type SweepBudget, sweep as sweepOnce } from "../src/core/sweep/sweep.ts";
import { noLive } from "../src/http/live/publisher.ts";
import { postgresCalls } from "../src/stores/postgres.ts";
import { type SqlCall, type SqlFunction, sqlStore } from "../src/stores/sql.ts";
import { noCache } from "../src/stores/upstash.ts";
import { countWork } from "./lib/counters.ts";
import { type DatabaseServer, startDatabases } from "./lib/database.ts";
import { type Aim, type Bench, ms, type Result, scaled, times, whole } from "./lib/result.ts";
import { type Reading, readRows } from "./lib/rows-read.ts";
import { median, quantile } from "./lib/stats.ts";

const FLAT = 1.2;
const MOST_ROWS = 10;
const SIZES = [0, 10_000, 100_000];
/** `MESSAGE_RETENTION_DAYS`: with it the sweep looks at messages too. */
const RETENTIONS = [undefined, 90];
const DAY = 86_400_000;
/** The Worker's default budget. */
const LIMITS: SweepBudget = {
  batch: 20,
  batches: 5,
  sessions: 500,
  retentionMs: 30 * DAY,
  passwordRetentionMs: 365 * DAY,
  identityRetentionMs: 365 * DAY,
};
/** The statements of one run. */
const CALLS = 4;

interface Place {
  readonly name: string;
  readonly sessions: number;
  readonly kept: number | undefined;
  readonly database: string;
  readonly url: string;
  readonly call: SqlCall;
  readonly hub: Hub;
  readonly limits: SweepBudget;
  readonly sweepMs: number[];
  readonly floorMs: number[];
  /** Of one run. */
  reading?: Reading & { readonly statements: number };
}

export const sweep: Bench = {
  name: "sweep",
  async run(context) {
    const databases = await startDatabases(context.dir);
    const closes: (() => Promise<void>)[] = [];
    try {
      const places: Place[] = [];
      for (const size of SIZES) {
        // A quick run has as many sessions: filling is fast, and a tenth of them would show nothing.
        context.progress(`${whole(size)} idle sessions`);
        const database = `idle_${size}`;
        const url = await databases.createHub(database);
        await fill(databases, database, size);
        const name = size === 0 ? "no sessions" : `${whole(size)} idle sessions`;
        for (const days of RETENTIONS) {
          const { call, close } = postgresCalls(url, { max: 1 });
          closes.push(close);
          const limits = days ? { ...LIMITS, messageRetentionMs: days * DAY } : LIMITS;
          const kept = days ? `, messages kept ${days} days` : "";
          const place = { name: name + kept, sessions: size, kept: days, database, url, call, limits };
          places.push({ ...place, hub: hubOver(call), sweepMs: [], floorMs: [] });
        }
      }
      await databases.admin`checkpoint`;
      const runs = scaled(context, 300, 60);
      context.progress(`${runs} runs in each, in turn`);
      for (let i = -10; i < runs; i++) for (const place of places) await measure(place, i >= 0);
      for (const close of closes.splice(0)) await close();
      for (const place of places) place.reading = await read(databases, place, 20);
      return resultOf(places, runs);
    } finally {
      for (const close of closes) await close();
      await databases.stop();
    }
  },
};

/** Makes active sessions that were last used an hour ago, each with a message, its reply and a device. */
async function fill(databases: DatabaseServer, name: string, sessions: number): Promise<void> {
  const sql = databases.adminOf(name);
  await sql`
    insert into identities (kind, value, customer_key, verified_at, channel, last_seen_at, unseen_check_at, created_at)
    select 'phone', '+' || (447700900000 + n), hub.uuid(at), at, 'whatsapp', at, at, at
    from (select n, now() - interval '1 hour' - n * interval '1 millisecond' as at from generate_series(1, ${sessions}::int) n) s`;
  await sql`
    insert into customers (customer_key, created_at, updated_at)
    select customer_key, created_at, created_at from identities`;
  await sql`
    insert into sessions (session_id, customer_key, channel, channels, channels_since, message_count, last_seq,
      created_at, updated_at, last_activity, expires_at, expiry_check_at)
    select customer_key, customer_key, 'whatsapp', '{whatsapp}', array[created_at], 2,
      extract(epoch from created_at) * 1000000 + 1, created_at, created_at, created_at,
      created_at + interval '7 days', created_at + interval '7 days'
    from identities`;
  await sql`
    insert into messages (message_id, session_id, seq, channel, account, external_id, direction, role, kind, text, status, created_at)
    select hub.uuid(last_activity), session_id, last_seq - case d when 'inbound' then 1 else 0 end, 'whatsapp', '1', case when d = 'inbound' then session_id::text end, d,
      case d when 'inbound' then 'user' else 'assistant' end, 'text', 'A message as long as such messages are.',
      case when d = 'outbound' then 'sent' end, last_activity
    from sessions, unnest(array['inbound', 'outbound']) d`;
  await sql`
    insert into deliveries (delivery_id, message_id, session_id, parts, channel, account, address, state, attempt, due_at,
      status, external_id, created_at)
    select hub.uuid(created_at), message_id, session_id, 1, channel, account, '{}', 'sent', 1, created_at, 'sent',
      message_id, created_at
    from messages where direction = 'outbound'`;
  // As if all messages were indexed: a run with nothing to index does not read the index.
  await sql`truncate unindexed_messages`;
  await sql`update search_progress set settled = hub.uuid_from(now())`;
  await sql`create function public.hub_bench_nothing(p jsonb) returns jsonb language sql immutable as $$ select p $$`;
  await sql`grant execute on function public.hub_bench_nothing to postgres`;
  await sql`
    create function public.hub_bench_report(p jsonb) returns jsonb
    language sql volatile as $$ select pg_stat_force_next_flush(); select p $$`;
  await sql`grant execute on function public.hub_bench_report to postgres`;
  await sql`vacuum analyze`;
  await sql.end();
}

function hubOver(call: SqlCall): Hub {
  const bot = echo();
  return {
    channels: {},
    store: sqlStore(call, { sessionTtlMs: 7 * DAY, leaseMs: 60_000, history: 0 }),
    cache: noCache,
    bot,
    live: noLive,
    log: () => {},
    now: () => new Date(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    policy: DEFAULT_POLICY,
  };
}

async function measure({ hub, limits, call, sweepMs, floorMs }: Place, counts: boolean): Promise<void> {
  const began = performance.now();
  const swept = await sweepOnce(hub, limits);
  const between = performance.now();
  for (let i = 0; i < CALLS; i++) await call("hub_bench_nothing" as SqlFunction, { now: new Date() });
  const ended = performance.now();
  if (Object.values(swept).some((count) => count > 0)) throw new Error("there was something to sweep");
  if (!counts) return;
  sweepMs.push(between - began);
  floorMs.push(ended - between);
}

/** Counts what Postgres reads for a run, on a connection that already has all its query plans. */
async function read(
  databases: DatabaseServer,
  { database, url, limits }: Place,
  runs: number,
): Promise<Reading & { statements: number }> {
  const { call, close } = postgresCalls(url, { max: 1 });
  const hub = hubOver(call);
  for (let i = 0; i < 10; i++) await sweepOnce(hub, limits);
  // Otherwise a connection reports what it has read up to ten seconds later, and these runs would be counted.
  await call("hub_bench_report" as SqlFunction, {});
  const reading = await readRows(databases, database);
  const stop = await countWork(databases, database);
  for (let i = 0; i < runs; i++) await sweepOnce(hub, limits);
  const { statements } = await stop();
  await close();
  return { ...(await reading(runs)), statements: statements / runs };
}

function resultOf(places: readonly Place[], runs: number): Result {
  const figures = places.map(({ name, sessions, kept, sweepMs, floorMs, reading }) => ({
    name,
    sessions,
    messages_kept_days: kept ?? null,
    sweep_ms: median(sweepMs),
    sweep_p95_ms: quantile(sweepMs, 0.95),
    empty_calls_ms: median(floorMs),
    ...reading!,
  }));
  const aims = RETENTIONS.flatMap((days): Aim[] => {
    const rows = figures.filter((row) => row.messages_kept_days === (days ?? null));
    const most = rows.at(-1)!;
    // Compare some sessions with many: an empty table has no pages to look at.
    const some = rows.at(-2)!;
    const ratio = most.sweep_ms / some.sweep_ms;
    const read = most.by_scan + most.by_index;
    return [
      {
        aim: `${most.name}: within ${FLAT}x of ${whole(some.sessions)}`,
        found: times(ratio),
        met: ratio <= FLAT,
      },
      { aim: `${most.name}: at most ${MOST_ROWS} rows read`, found: whole(read), met: read <= MOST_ROWS },
    ];
  });
  const table = {
    title: `sweep: one run with nothing to do, ${runs} runs each, direct Postgres; what it reads, per run`,
    columns: [
      "",
      "sweep",
      "p95",
      `${CALLS} empty calls`,
      "statements",
      "rows by index",
      "rows by scan",
      "buffers",
    ],
    rows: figures.map((row) => [
      row.name,
      ms(row.sweep_ms),
      ms(row.sweep_p95_ms),
      ms(row.empty_calls_ms),
      row.statements.toFixed(2),
      row.by_index.toFixed(1),
      row.by_scan.toFixed(1),
      row.buffers.toFixed(0),
    ]),
  };
  return { tables: [table], aims, figures };
}
