/** Measures how long a search takes among a million messages, and what its index costs a received message. */
import { loadavg } from "node:os";
import type postgres from "postgres";
import type { Search, SearchQuery } from "../src/features/search/search.ts";
import { postgresCalls } from "../src/stores/postgres.ts";
import { sqlStore } from "../src/stores/sql.ts";
import { type DatabaseServer, startDatabases } from "./lib/database.ts";
import { customerAt, fillMessages, sessionAt, VOCABULARY, wordAt } from "./lib/messages.ts";
import { callFunction, pgbench } from "./lib/pgbench.ts";
import { type Aim, type Bench, type Context, ms, type Result, scaled, times, whole } from "./lib/result.ts";
import { median, quantile } from "./lib/stats.ts";

const MESSAGES = 1_000_000;
const AIM_MS = 100;
const AIM_RECEIVE = 1.1;
const CALLS = 40;
const ROUNDS = 12;
const CUSTOMERS = 2_000;
const CLIENTS = 4;

/** One kind of search, with its i-th query. */
interface Kind {
  readonly name: string;
  readonly query: (i: number) => SearchQuery;
}

const between = (low: number, high: number, i: number) => wordAt(low + ((i * 7_919) % (high - low)));
const admin = (q: string): SearchQuery => ({ q });

const KINDS: readonly Kind[] = [
  { name: "a common word", query: (i) => admin(`${between(0, 20, i)} `) },
  { name: "two common words", query: (i) => admin(`${between(0, 10, i)} ${between(10, 20, i)} `) },
  { name: "a rare word", query: (i) => admin(`${between(15_000, VOCABULARY, i)} `) },
  { name: "a word in no message", query: (i) => admin(`xyz${i} `) },
  { name: "a phrase", query: (i) => admin(`"${between(0, 10, i)} ${between(0, 20, i + 1)}"`) },
  { name: "common without common", query: (i) => admin(`${between(0, 10, i)} -${between(10, 20, i)}`) },
  { name: "a prefix of 2 letters", query: (i) => admin(between(0, 20, i).slice(0, 2)) },
  { name: "a prefix of 3 letters", query: (i) => admin(between(0, 200, i).slice(0, 3)) },
  { name: "a rare prefix", query: (i) => admin(between(10_000, VOCABULARY, i).slice(0, -1)) },
  { name: "two Chinese letters", query: (i) => admin(["東京", "予約", "明日", "来週"][i % 4]!) },
  { name: "one Chinese letter", query: (i) => admin(["東", "約", "明", "週"][i % 4]!) },
  { name: "beginning of a Hindi word", query: (i) => admin(["नमस्", "दुनि"][i % 2]!) },
  {
    name: "common, one month of twelve",
    query: (i) => ({
      q: `${between(0, 20, i)} `,
      from: daysAgo(90 + (i % 200)),
      to: daysAgo(60 + (i % 200)),
    }),
  },
  {
    name: "common, one channel",
    query: (i) => ({ q: `${between(0, 20, i)} `, channel: "kiosk", role: "assistant" }),
  },
  {
    name: "a customer's own, common",
    query: (i) => ({ q: between(0, 20, i), of: { customer_id: customerAt((i * 331) % 20_000) } }),
  },
  {
    name: "one session, a prefix",
    query: (i) => ({ q: between(0, 200, i).slice(0, 3), session: sessionAt((i * 331) % 20_000) }),
  },
];

export const search: Bench = {
  name: "search",
  async run(context) {
    const databases = await startDatabases(context.dir);
    try {
      const found = await searches(databases, context);
      const receive = await receives(databases, context);
      return resultOf(found, receive);
    } finally {
      await databases.stop();
    }
  },
};

interface Found {
  readonly stored: number;
  readonly bytes: { readonly table: number; readonly index: number };
  readonly indexed: { readonly messages: number; readonly seconds: number };
  readonly kinds: readonly {
    readonly name: string;
    readonly firstMs: number[];
    readonly secondMs: number[];
    results: number;
  }[];
  readonly load: number;
}

async function searches(databases: DatabaseServer, context: Context): Promise<Found> {
  const stored = scaled(context, MESSAGES, 20_000);
  const url = await databases.createHub("search");
  const owner = databases.adminOf("search");
  context.progress(`storing ${whole(stored)} messages`);
  await fillMessages(owner, owner, stored);
  const calls = postgresCalls(url, { max: 1, timeoutMs: 120_000 });
  const port = portOf(calls.call);
  const again = Math.round(stored / 50);
  context.progress(`indexing ${whole(again)} of them again, as the sweep does`);
  await owner`
    insert into public.unindexed_messages
    select message_id, session_id, now() from public.messages where seq > ${stored - again}`;
  const began = performance.now();
  while ((await port.index(1_000)).more);
  const indexed = { messages: again, seconds: (performance.now() - began) / 1_000 };
  const [bytes] = await owner<[{ table: number; index: number }]>`
    select pg_relation_size('public.message_search')::float8 as table, pg_relation_size('public.message_search_doc')::float8 as index`;
  const kinds = KINDS.map(({ name }) => ({
    name,
    firstMs: [] as number[],
    secondMs: [] as number[],
    results: 0,
  }));
  const rounds = scaled(context, CALLS, 10);
  context.progress(`${rounds} searches of each kind, in turns`);
  for (let i = -3; i < rounds; i++)
    for (const [k, { query }] of KINDS.entries()) {
      const asked = query(i + 3);
      const started = performance.now();
      const first = await port.messages(asked, undefined, 20, new Date());
      const firstMs = performance.now() - started;
      if (i < 0) continue;
      kinds[k]!.firstMs.push(firstMs);
      kinds[k]!.results += first.results.length / rounds;
      if (first.after === undefined) continue;
      const turned = performance.now();
      await port.messages(asked, first.after, 20, new Date());
      kinds[k]!.secondMs.push(performance.now() - turned);
    }
  await calls.close();
  return { stored, bytes: bytes!, indexed, kinds, load: loadavg()[0]! };
}

interface Receive {
  readonly without: number[];
  readonly with: number[];
  readonly walWithout: number;
  readonly walWith: number;
  readonly load: number;
}

/** Measures `hub_receive`, in turn with and without the index. */
async function receives(databases: DatabaseServer, context: Context): Promise<Receive> {
  const url = await databases.createHub("receive");
  const owner = databases.adminOf("receive");
  const tool = pgbench();
  const seconds = scaled(context, 4, 1);
  const call = (duration: number) =>
    callFunction(tool, {
      url,
      kind: "text",
      clients: CLIENTS,
      customers: CUSTOMERS,
      seconds: duration,
      dir: context.dir,
    });
  const calls = postgresCalls(url, { max: 1, timeoutMs: 120_000 });
  const port = portOf(calls.call);
  const without: number[] = [];
  const withIt: number[] = [];
  const wal = { off: { bytes: 0, calls: 0 }, on: { bytes: 0, calls: 0 } };
  context.progress("receive: warm-up");
  await call(seconds * 2);
  await settle(owner, port);
  for (let round = 1; round <= ROUNDS; round++) {
    context.progress(`receive: round ${round} of ${ROUNDS}`);
    for (const on of round % 2 ? [false, true] : [true, false]) {
      await owner.unsafe(
        `alter table public.messages ${on ? "enable" : "disable"} trigger message_search_new`,
      );
      // Like an isolate: every two seconds it indexes all new messages.
      let ends = false;
      const indexing = (async () => {
        while (on && !ends) {
          await new Promise((go) => setTimeout(go, 2_000));
          while (!ends && (await port.index(500)).more);
        }
      })();
      const before = await walOf(owner);
      const perSecond = await call(seconds);
      const bytes = (await walOf(owner)) - before;
      ends = true;
      await indexing;
      (on ? withIt : without).push(perSecond);
      const sum = on ? wal.on : wal.off;
      sum.bytes += bytes;
      sum.calls += perSecond * seconds;
      await settle(owner, port);
    }
  }
  await calls.close();
  return {
    without,
    with: withIt,
    walWithout: wal.off.bytes / wal.off.calls,
    walWith: wal.on.bytes / wal.on.calls,
    load: loadavg()[0]!,
  };
}

/** Deletes the turns that no bot answers and indexes what is left, outside the measurement. */
async function settle(owner: postgres.Sql, port: Search): Promise<void> {
  while ((await port.index(2_000)).more);
  await owner`delete from public.turns`;
  await owner`vacuum public.turns, public.unindexed_messages`;
  await owner`checkpoint`;
}

async function walOf(owner: postgres.Sql): Promise<number> {
  const [row] = await owner<[{ at: number }]>`select (pg_current_wal_insert_lsn() - '0/0')::float8 as at`;
  return row!.at;
}

function portOf(call: Parameters<typeof sqlStore>[0]): Search {
  return sqlStore(call, { sessionTtlMs: 604_800_000, leaseMs: 60_000, history: 0 }).features!.search;
}

function daysAgo(days: number): Date {
  return new Date(Date.now() - days * 86_400_000);
}

function resultOf(found: Found, receive: Receive): Result {
  const kinds = found.kinds.map(({ name, firstMs, secondMs, results }) => ({
    name,
    results,
    median_ms: median(firstMs),
    p95_ms: quantile(firstMs, 0.95),
    second_p95_ms: secondMs.length > 0 ? quantile(secondMs, 0.95) : undefined,
  }));
  const slowest = kinds.reduce((worst, kind) => (kind.p95_ms > worst.p95_ms ? kind : worst));
  const ratio = median(receive.without.map((rate, i) => rate / receive.with[i]!));
  const aims: Aim[] = [
    {
      aim: `the first page within ${AIM_MS} ms at the 95th percentile, whatever is searched`,
      found: `${ms(slowest.p95_ms)} (${slowest.name})`,
      met: slowest.p95_ms <= AIM_MS,
    },
    {
      aim: `receive not slowed by more than ${((AIM_RECEIVE - 1) * 100).toFixed(0)} %`,
      found: times(ratio),
      met: ratio <= AIM_RECEIVE,
    },
  ];
  const megabytes = (bytes: number) => `${whole(bytes / 1024 / 1024)} MB`;
  const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`;
  const tables = [
    {
      title: `search: ${whole(found.stored)} messages, pages of 20, direct Postgres; load of the machine ${found.load.toFixed(1)}`,
      columns: ["what is searched", "results", "first page", "p95", "second page p95"],
      rows: kinds.map((kind) => [
        kind.name,
        kind.results.toFixed(0),
        ms(kind.median_ms),
        ms(kind.p95_ms),
        kind.second_p95_ms === undefined ? "" : ms(kind.second_p95_ms),
      ]),
    },
    {
      title: `search: hub_receive with ${CLIENTS} clients, and the indexer beside it; load of the machine ${receive.load.toFixed(1)}`,
      columns: ["", "calls/s", "WAL a call"],
      rows: [
        ["without the index", whole(median(receive.without)), kilobytes(receive.walWithout)],
        ["with it", whole(median(receive.with)), kilobytes(receive.walWith)],
      ],
    },
  ];
  const { messages, seconds } = found.indexed;
  const notes = [
    `${whole(messages / seconds)} messages a second are indexed; the table has ${megabytes(found.bytes.table)}, its GIN index ${megabytes(found.bytes.index)}.`,
  ];
  return { tables, aims, notes, figures: { ...found, kinds, receive, ratio } };
}
