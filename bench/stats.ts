/** Measures how long statistics of a month with a million messages take, and what they cost a received message. */
import { loadavg } from "node:os";
import type { SegmentFilter } from "../src/features/segments/filter.ts";
import { GROUPINGS } from "../src/features/statistics/statistics.ts";
import { postgresCalls } from "../src/stores/postgres.ts";
import { sqlStore } from "../src/stores/sql.ts";
import { cpuMs } from "./lib/cpu.ts";
import { type DatabaseServer, startDatabases } from "./lib/database.ts";
import { fillMonth } from "./lib/month.ts";
import { callFunction, pgbench } from "./lib/pgbench.ts";
import { type Aim, type Bench, type Context, ms, type Result, scaled, times, whole } from "./lib/result.ts";
import { median, quantile } from "./lib/stats.ts";

const MESSAGES = 1_000_000;
const AIM_MS = 300;
const AIM_RECEIVE = 1.1;
const CALLS = 20;
const ROUNDS = 10;
const DAY_MS = 86_400_000;

const SEGMENTS: readonly [string, SegmentFilter][] = [
  ["a segment: everybody", {}],
  ["a segment: premium, vip", { plan: "premium", tag: "vip" }],
  ["a segment: hi, on telegram", { language: "hi", channel: "telegram" }],
  ["a segment: not seen for two weeks", { last_seen_before: new Date(Date.now() - 14 * DAY_MS) }],
];

export const stats: Bench = {
  name: "stats",
  async run(context) {
    const databases = await startDatabases(context.dir);
    try {
      const asked = await questions(databases, context);
      const receive = await receives(databases, context);
      return resultOf(asked, receive);
    } finally {
      await databases.stop();
    }
  },
};

interface Asked {
  readonly stored: number;
  readonly counted: { readonly changes: number; readonly seconds: number };
  readonly kinds: readonly {
    readonly name: string;
    readonly isMonth: boolean;
    readonly ms: number[];
    cpuMs: number;
  }[];
  readonly load: number;
}

async function questions(databases: DatabaseServer, context: Context): Promise<Asked> {
  const stored = scaled(context, MESSAGES, 20_000);
  const url = await databases.createHub("stats");
  const owner = databases.adminOf("stats");
  context.progress(`storing a month of ${whole(stored)} messages`);
  await fillMonth(owner, stored);
  const calls = postgresCalls(url, { max: 1, timeoutMs: 120_000 });
  const { statistics, segments } = sqlStore(calls.call, {
    sessionTtlMs: 604_800_000,
    leaseMs: 60_000,
    history: 0,
  }).features!;
  context.progress("counting them, as the sweep does");
  const began = performance.now();
  let changes = 0;
  for (let more = true; more; ) {
    const done = await statistics.count(1_000);
    changes += done.counted;
    more = done.more;
  }
  const counted = { changes, seconds: (performance.now() - began) / 1_000 };
  await owner`vacuum analyze`;
  const to = new Date().toISOString();
  const from = new Date(Date.now() - 30 * DAY_MS).toISOString();
  const kinds = [
    ...GROUPINGS.map((by) => ({
      name: `a month by ${by}`,
      isMonth: true,
      ms: [] as number[],
      cpuMs: 0,
      ask: () => statistics.figures({ from, to, by, tz: "Asia/Kathmandu" }),
    })),
    ...SEGMENTS.map(([name, filter]) => ({
      name,
      isMonth: false,
      ms: [] as number[],
      cpuMs: 0,
      ask: () => segments.find(filter, undefined, 50),
    })),
  ];
  const rounds = scaled(context, CALLS, 5);
  const [backend] = await owner<[{ pid: number }]>`
    select pid from pg_stat_activity where datname = 'stats' and application_name = 'session-hub'`;
  context.progress(`${rounds} questions of each kind, in turns`);
  for (let i = -2; i < rounds; i++)
    for (const kind of kinds) {
      const cpu = cpuMs(backend!.pid);
      const started = performance.now();
      await kind.ask();
      if (i < 0) continue;
      kind.ms.push(performance.now() - started);
      if (cpu !== undefined) kind.cpuMs += (cpuMs(backend!.pid)! - cpu) / rounds;
    }
  await calls.close();
  return { stored, counted, kinds, load: loadavg()[0]! };
}

/** Measures `hub_receive`, in turn with and without the triggers of the statistics. */
async function receives(databases: DatabaseServer, context: Context) {
  const url = await databases.createHub("receive");
  const owner = databases.adminOf("receive");
  const tool = pgbench();
  const seconds = scaled(context, 4, 1);
  const call = (duration: number) =>
    callFunction(tool, {
      url,
      kind: "text",
      clients: 4,
      customers: 2_000,
      seconds: duration,
      dir: context.dir,
    });
  const triggers = await owner<{ name: string; of: string }[]>`
    select tgname as name, tgrelid::regclass::text as of from pg_trigger where tgname like 'stats_%'`;
  const rates: { without: number[]; with: number[] } = { without: [], with: [] };
  context.progress("receive: warm-up");
  await call(seconds * 2);
  for (let round = 1; round <= ROUNDS; round++) {
    context.progress(`receive: round ${round} of ${ROUNDS}`);
    for (const on of round % 2 ? [false, true] : [true, false]) {
      for (const { name, of } of triggers)
        await owner.unsafe(`alter table ${of} ${on ? "enable" : "disable"} trigger ${name}`);
      (on ? rates.with : rates.without).push(await call(seconds));
      await owner`delete from public.turns`;
      await owner`truncate public.unindexed_messages`;
      await owner`vacuum public.turns`;
      await owner`checkpoint`;
    }
  }
  return { ...rates, load: loadavg()[0]! };
}

function resultOf(asked: Asked, receive: Awaited<ReturnType<typeof receives>>): Result {
  const kinds = asked.kinds.map(({ name, isMonth, ms, cpuMs }) => ({
    name,
    isMonth,
    median_ms: median(ms),
    p95_ms: quantile(ms, 0.95),
    cpu_ms: cpuMs,
  }));
  const slowest = kinds
    .filter(({ isMonth }) => isMonth)
    .reduce((worst, kind) => (kind.p95_ms > worst.p95_ms ? kind : worst));
  const ratio = median(receive.without.map((rate, i) => rate / receive.with[i]!));
  const aims: Aim[] = [
    {
      aim: `statistics of a month with a million messages within ${AIM_MS} ms at the 95th percentile`,
      found: `${ms(slowest.p95_ms)} (${slowest.name})`,
      met: slowest.p95_ms <= AIM_MS,
    },
    {
      aim: `receive not slowed by more than ${((AIM_RECEIVE - 1) * 100).toFixed(0)} %`,
      found: times(ratio),
      met: ratio <= AIM_RECEIVE,
    },
  ];
  const tables = [
    {
      title: `stats: ${whole(asked.stored)} messages in a month, direct Postgres; load of the machine ${asked.load.toFixed(1)}`,
      columns: ["question", "median", "p95", "Postgres CPU"],
      rows: kinds.map((kind) => [kind.name, ms(kind.median_ms), ms(kind.p95_ms), ms(kind.cpu_ms)]),
    },
    {
      title: `stats: hub_receive with 4 clients; load of the machine ${receive.load.toFixed(1)}`,
      columns: ["", "calls/s"],
      rows: [
        ["without the triggers of the statistics", whole(median(receive.without))],
        ["with them", whole(median(receive.with))],
      ],
    },
  ];
  const { changes, seconds } = asked.counted;
  const notes = [
    `${whole(changes / seconds)} changed sessions and customers a second are counted: ${whole(seconds)} s for all messages.`,
  ];
  return { tables, aims, notes, figures: { ...asked, kinds, receive, ratio } };
}
