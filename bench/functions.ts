/** What a message costs Postgres: `hub_receive` beside a bare insert, and a whole answered message. */
import { loadavg } from "node:os";
import { postgresCalls } from "../src/stores/postgres.ts";
import { sqlStore } from "../src/stores/sql.ts";
import { countWork, type Work } from "./lib/counters.ts";
import { cpuMs } from "./lib/cpu.ts";
import { type DatabaseServer, startDatabases } from "./lib/database.ts";
import { callThree } from "./lib/hub-without-http.ts";
import { BARE_TABLE, type CallerOptions, callFunction, pgbench, SAME_WRITES } from "./lib/pgbench.ts";
import { type Aim, type Bench, ms, type Result, scaled, whole } from "./lib/result.ts";
import { median } from "./lib/stats.ts";

const CLIENTS = 8;
const CUSTOMERS = 10_000;
const ROUNDS = 6;
const SHARE = 0.4;
const CPU_MS = 0.8;
const STATEMENTS = 3;
const WAL_BYTES = 5 * 1024;

interface Measured {
  readonly name: string;
  readonly options: Pick<CallerOptions, "kind" | "into">;
  readonly rates: number[];
  /** CPU time of Postgres a call, ms. */
  readonly cpu: number[];
}

export const functions: Bench = {
  name: "functions",
  async run(context) {
    const tool = pgbench();
    // The warm-up of a quick run knows no more customers, and a new connection's first second is spent on plans.
    const customers = scaled(context, CUSTOMERS);
    const seconds = scaled(context, 3, 2);
    const databases = await startDatabases(context.dir);
    const loads: number[] = [];
    try {
      const url = await databases.createHub("direct");
      const admin = databases.adminOf("direct");
      await admin.unsafe(BARE_TABLE);
      await admin`alter table bare owner to postgres`;
      await admin.unsafe(SAME_WRITES);
      await admin`alter function same_writes owner to postgres`;
      const call = (options: Measured["options"], time: number) =>
        callFunction(tool, {
          url,
          clients: CLIENTS,
          customers,
          dir: context.dir,
          seconds: time,
          ...options,
        });
      const found: Measured[] = [
        {
          name: "insert into a table of one index",
          options: { kind: "text", into: "bare" },
          rates: [],
          cpu: [],
        },
        {
          name: "the rows that hub_receive writes, by a function of five statements",
          options: { kind: "text", into: "same_writes" },
          rates: [],
          cpu: [],
        },
        { name: "hub_receive, a text that is to be answered", options: { kind: "text" }, rates: [], cpu: [] },
        {
          name: "hub_receive, a reaction, which wakes nobody",
          options: { kind: "reaction" },
          rates: [],
          cpu: [],
        },
      ];
      context.progress(
        `warm-up; then ${ROUNDS} rounds with ${tool ? "pgbench" : "a loop of our own"} in turn`,
      );
      await call({ kind: "reaction" }, scaled(context, 12, 4));
      for (let round = 1; round <= ROUNDS; round++) {
        context.progress(`round ${round} of ${ROUNDS}, load ${loadavg()[0]!.toFixed(1)}`);
        loads.push(loadavg()[0]!);
        for (const { options, rates, cpu } of [...found.slice(round % 4), ...found.slice(0, round % 4)]) {
          await admin`delete from turns`; // nobody answers what pgbench saves
          await admin`vacuum turns, sessions, identities`;
          await admin`truncate counted`;
          const before = cpuMs(databases.pid);
          const rate = await call(options, seconds);
          rates.push(rate);
          if (before !== undefined) cpu.push((cpuMs(databases.pid)! - before) / (rate * seconds));
        }
      }
      await admin.end();
      context.progress("answered messages");
      const answered = await answers(databases, scaled(context, 6_000));
      return resultOf(found, answered, loads, tool !== undefined);
    } finally {
      await databases.stop();
    }
  },
};

interface Answered extends Work {
  readonly messages: number;
  /** CPU time of Postgres, ms. */
  readonly cpu: number | undefined;
}

/** Messages of 500 customers, received, answered and sent by the three functions and nothing else. */
async function answers(databases: DatabaseServer, messages: number): Promise<Answered> {
  const url = await databases.createHub("answered");
  const { call, close } = postgresCalls(url, { max: CLIENTS, timeoutMs: 30_000 });
  const { conversations } = sqlStore(call, { sessionTtlMs: 7 * 86_400_000, leaseMs: 60_000, history: 0 });
  let next = 0;
  const answer = async (until: number) => {
    const loop = async () => {
      while (next < until) await callThree(conversations, `+${447_800_000_000 + (next++ % 500)}`);
    };
    await Promise.all(Array.from({ length: CLIENTS }, loop));
  };
  await answer(2_000);
  await databases.analyze("answered");
  await databases.admin`checkpoint`;
  await answer(next + 1_000); // The first change of a page after a checkpoint logs it whole.
  const work = await countWork(databases, "answered");
  const before = cpuMs(databases.pid);
  await answer(next + messages);
  const after = cpuMs(databases.pid);
  const { statements, walBytes } = await work();
  await close();
  return { messages, statements, walBytes, cpu: before === undefined ? undefined : after! - before };
}

function resultOf(
  found: readonly Measured[],
  answered: Answered,
  loads: readonly number[],
  real: boolean,
): Result {
  const [bare] = found;
  const figures = found.map(({ name, rates, cpu }) => ({
    name,
    per_s: median(rates),
    share: median(rates.map((rate, i) => rate / bare!.rates[i]!)),
    cpu_ms: cpu.length > 0 ? median(cpu) : undefined,
    rounds: { rates, cpu },
  }));
  const each = {
    statements: answered.statements / answered.messages,
    wal_bytes: answered.walBytes / answered.messages,
    cpu_ms: answered.cpu && answered.cpu / answered.messages,
  };
  const shown = (cpu: number | undefined) => (cpu === undefined ? "-" : ms(cpu));
  const kilobytes = `${(each.wal_bytes / 1024).toFixed(1)} KB`;
  const aims: Aim[] = [
    ...figures.slice(2).map(({ name, share }) => ({
      aim: `${name}: ${SHARE} of a bare insert`,
      found: share.toFixed(2),
      met: share >= SHARE,
    })),
    {
      aim: `CPU of Postgres a message: at most ${CPU_MS} ms`,
      found: shown(each.cpu_ms),
      met: each.cpu_ms !== undefined && each.cpu_ms <= CPU_MS,
    },
    {
      aim: `statements a message: at most ${STATEMENTS}`,
      found: each.statements.toFixed(2),
      met: each.statements <= STATEMENTS + 0.05,
    },
    { aim: "WAL a message: at most 5 KB", found: kilobytes, met: each.wal_bytes <= WAL_BYTES },
  ];
  const tables = [
    {
      title: `functions: calls a second by ${real ? "pgbench" : "a loop of our own"}, ${CLIENTS} connections, each committed to the disk`,
      columns: ["call", "calls/s", "of a bare insert", "CPU of Postgres"],
      rows: figures.map(({ name, per_s, share, cpu_ms }) => [
        name,
        whole(per_s),
        share.toFixed(2),
        shown(cpu_ms),
      ]),
    },
    {
      title: `functions: an answered message, ${CLIENTS} connections`,
      columns: ["calls", "statements", "WAL", "CPU of Postgres"],
      rows: [
        ["hub_receive, hub_complete, hub_settle", each.statements.toFixed(2), kilobytes, shown(each.cpu_ms)],
      ],
    },
  ];
  const notes = [
    `Load of the machine meanwhile: ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}.`,
  ];
  return { tables, aims, notes, figures: { calls: figures, answered: each } };
}
