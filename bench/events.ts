/** What events cost a message, and how fast they are posted. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { loadavg } from "node:os";
import { join } from "node:path";
import type postgres from "postgres";
import { DEFAULT_POLICY, type Hub } from "../src/core/hub.ts";
import { drainEvents } from "../src/features/endpoints/drain.ts";
import { newSecret } from "../src/features/endpoints/secret.ts";
import { postgresCalls } from "../src/stores/postgres.ts";
import { sqlStore } from "../src/stores/sql.ts";
import { cpuMs } from "./lib/cpu.ts";
import { startDatabases } from "./lib/database.ts";
import { callByPgbench, pgbench } from "./lib/pgbench.ts";
import { type Aim, type Bench, ms, type Result, scaled, whole } from "./lib/result.ts";
import { median } from "./lib/stats.ts";

const CLIENTS = 4;
const CUSTOMERS = 5_000;
const ROUNDS = 6;
const BACKLOG = 20_000;
/** Events a second that are to be posted beside the messages. */
const RATE = 1_000;
const SLOWER = 1.1;

/** The state in which `hub_receive` is measured. */
type Way = "before" | "nobody" | "wanted" | "drained";
const WAYS: Readonly<Record<Way, string>> = {
  before: "without the triggers",
  nobody: "no endpoint",
  wanted: "an endpoint that wants message.received",
  drained: `the same, and its ${whole(RATE)} events a second posted`,
};

/** How fast a backlog is posted, and the CPU time of an event, ms. */
interface Backlog {
  readonly per_s: number;
  readonly hub: number;
  readonly postgres: number | undefined;
}

interface Round {
  readonly ms: number;
  readonly cpu: number | undefined;
}

export const events: Bench = {
  name: "events",
  async run(context) {
    const tool = pgbench();
    if (!tool) return { tables: [], aims: [], notes: ["this benchmark needs pgbench"], figures: {} };
    const customers = scaled(context, CUSTOMERS);
    const seconds = scaled(context, 5, 2);
    const databases = await startDatabases(context.dir);
    const receiver = spawn(process.execPath, [join(import.meta.dirname, "lib/event-receiver-process.ts")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const loads: number[] = [];
    try {
      const [port] = await once(receiver.stdout, "data");
      const target = `http://127.0.0.1:${String(port).trim()}/`;
      const url = await databases.createHub("events");
      const admin = databases.adminOf("events");
      const calls = postgresCalls(url, { max: 4, timeoutMs: 30_000 });
      const hub = hubOver(calls.call);
      const call = (time: number, rate?: number) =>
        callByPgbench(tool, {
          url,
          kind: "reaction",
          clients: CLIENTS,
          customers,
          dir: context.dir,
          seconds: time,
          ...(rate && { rate }),
        });
      const { endpoint_id } = await hub.store.features!.endpoints.create(
        { url: target, types: ["message.received"] },
        newSecret(),
        { actor: "bench", now: new Date() },
      );
      context.progress("warm-up");
      await prepare(admin, "wanted", endpoint_id);
      await call(scaled(context, 10, 4));
      await drainEvents(hub, { ms: 60_000, events: 1_000_000 });

      const found: Record<Way, Round[]> = { before: [], nobody: [], wanted: [], drained: [] };
      const rates: number[] = [];
      const ways = Object.keys(WAYS) as Way[];
      for (let round = 0; round < ROUNDS; round++) {
        context.progress(`round ${round + 1} of ${ROUNDS}, load ${loadavg()[0]!.toFixed(1)}`);
        loads.push(loadavg()[0]!);
        for (const way of [...ways.slice(round % 4), ...ways.slice(0, round % 4)]) {
          await prepare(admin, way, endpoint_id);
          const before = cpuMs(databases.pid);
          const posting = way === "drained" ? drain(hub, seconds) : undefined;
          const called = await call(seconds, RATE);
          const after = cpuMs(databases.pid);
          const posted = await posting;
          if (posted !== undefined) rates.push(posted);
          const cpu = before === undefined ? undefined : (after! - before) / (called.rate * seconds);
          found[way].push({ ms: called.ms!, cpu });
        }
      }

      context.progress("a backlog");
      await prepare(admin, "wanted", endpoint_id);
      await call(Math.ceil(scaled(context, BACKLOG) / RATE), RATE);
      const [{ n: waiting }] = await admin<
        [{ n: number }]
      >`select count(*)::int as n from public.event_deliveries`;
      await admin`vacuum analyze public.events, public.event_deliveries`;
      const [began, own, before] = [performance.now(), process.cpuUsage(), cpuMs(databases.pid)];
      await drainEvents(hub, { ms: 600_000, events: 1_000_000 });
      const { user, system } = process.cpuUsage(own);
      const backlog: Backlog = {
        per_s: waiting / ((performance.now() - began) / 1_000),
        hub: (user + system) / 1_000 / waiting,
        postgres: before === undefined ? undefined : (cpuMs(databases.pid)! - before) / waiting,
      };
      await calls.close();
      await admin.end();
      return resultOf(found, rates, backlog, loads);
    } finally {
      receiver.kill();
      await databases.stop();
    }
  },
};

/** Posts what comes for some seconds. Returns the events a second. */
async function drain(hub: Hub, seconds: number): Promise<number> {
  const { posts } = await drainEvents(hub, { ms: seconds * 1_000, events: 1_000_000, everyMs: 50 });
  return posts / seconds;
}

async function prepare(admin: postgres.Sql, way: Way, endpoint_id: string): Promise<void> {
  await admin`truncate public.events, public.event_deliveries, public.counted`;
  await admin`update public.endpoints set enabled = ${way === "wanted" || way === "drained"} where endpoint_id = ${endpoint_id}`;
  for (const name of ["message_announced", "message_moved"])
    await admin.unsafe(
      `alter table public.messages ${way === "before" ? "disable" : "enable"} trigger ${name}`,
    );
  await admin`vacuum public.sessions, public.identities, public.endpoints`;
}

function hubOver(call: Parameters<typeof sqlStore>[0]): Hub {
  return {
    channels: {},
    store: sqlStore(call, { sessionTtlMs: 604_800_000, leaseMs: 60_000, history: 0 }),
    cache: undefined as never,
    bot: undefined as never,
    live: { publish: () => {} },
    log: (level, event, fields) => level !== "info" && console.error(event, fields),
    now: () => new Date(),
    sleep: (time) => new Promise((resolve) => setTimeout(resolve, time)),
    policy: DEFAULT_POLICY,
    openTargets: true,
  };
}

function resultOf(
  found: Readonly<Record<Way, readonly Round[]>>,
  rates: readonly number[],
  backlog: Backlog,
  loads: readonly number[],
): Result {
  const figures = (Object.keys(WAYS) as Way[]).map((way) => ({
    way,
    ms: median(found[way].map((round) => round.ms)),
    cpu: median(found[way].flatMap(({ cpu }) => cpu ?? [])),
    slower: median(found[way].map((round, i) => round.ms / found.nobody[i]!.ms)),
    rounds: found[way],
  }));
  const byWay = Object.fromEntries(figures.map((figure) => [figure.way, figure])) as Record<
    Way,
    (typeof figures)[number]
  >;
  const posted = median(rates);
  const aims: Aim[] = [
    {
      aim: `hub_receive while ${whole(RATE)} events a second are posted: at most ${SLOWER}x`,
      found: `${byWay.drained.slower.toFixed(2)}x`,
      met: byWay.drained.slower <= SLOWER,
    },
    {
      aim: `events posted beside it: ${whole(RATE)}/s`,
      found: `${whole(posted)}/s`,
      met: posted >= 0.95 * RATE,
    },
    {
      aim: `a backlog: at least ${whole(RATE)} events/s`,
      found: `${whole(backlog.per_s)}/s`,
      met: backlog.per_s >= RATE,
    },
  ];
  return {
    tables: [
      {
        title: `events: hub_receive at ${whole(RATE)} messages a second`,
        columns: ["", "a call", "of no endpoint", "CPU of Postgres"],
        rows: figures.map(({ way, ms: time, slower, cpu }) => [
          WAYS[way],
          ms(time),
          `${slower.toFixed(2)}x`,
          ms(cpu),
        ]),
      },
    ],
    aims,
    notes: [
      `CPU of an event that is posted: ${ms(backlog.hub)} of the hub, ${ms(backlog.postgres ?? Number.NaN)} of Postgres.`,

      `Load of the machine meanwhile: ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}.`,
    ],
    figures: { calls: figures, posted, backlog },
  };
}
