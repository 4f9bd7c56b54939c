/**
 * Measures whether the time of an answer shows if the hub knows a phone, with and without the wait for the next step.
 */
import { setTimeout as sleep } from "node:timers/promises";
import echo from "../src/bots/echo/index.ts";
import { DEFAULT_POLICY, type Hub } from "../src/core/hub.ts";
import { createApp } from "../src/http/app.ts";
import { noLive } from "../src/http/live/publisher.ts";
import { postgresCalls } from "../src/stores/postgres.ts";
import { sqlStore } from "../src/stores/sql.ts";
import { noCache } from "../src/stores/upstash.ts";
import { type DatabaseServer, startDatabases } from "./lib/database.ts";
import { type Aim, type Bench, type Context, ms, type Result, scaled } from "./lib/result.ts";
import { quantile } from "./lib/stats.ts";

const TRIES = 1_000;
/** Without the wait fewer phones are enough to show the difference. */
const TRIES_WITHOUT = 300;
/** How many are asked about at once; most of their time is waiting. */
const AT_A_TIME = 6;
const RESAMPLES = 1_000;

type Group = "known" | "unknown";

interface Try {
  readonly phone: string;
  readonly group: Group;
  /** One half of the known phones against the other half: this difference is the noise. */
  readonly odd: boolean;
  readonly network: string;
}

interface Question {
  readonly name: string;
  readonly path: string;
  readonly body: (phone: string) => object;
  readonly status: number;
}

const QUESTIONS: readonly Question[] = [
  { name: "asking for a code", path: "/session/verify", body: (phone) => ({ phone }), status: 202 },
  {
    name: "a wrong code",
    path: "/session/verify",
    body: (phone) => ({ phone, code: "000000" }),
    status: 403,
  },
  {
    name: "a wrong password",
    path: "/auth/login",
    body: (phone) => ({ phone, password: "a guessed password", channel: "web" }),
    status: 401,
  },
];

interface Row {
  readonly question: string;
  readonly waits: boolean;
  readonly known: number;
  readonly difference: Interval;
  readonly noise: Interval;
}

/** A difference of means and its 95 % confidence interval, in ms. */
interface Interval {
  readonly value: number;
  readonly from: number;
  readonly to: number;
}

export const timing: Bench = {
  name: "timing",
  async run(context) {
    const databases = await startDatabases(context.dir);
    try {
      const tries = scaled(context, TRIES, 50);
      const without = scaled(context, TRIES_WITHOUT, 50);
      const rows = [
        ...(await ask(databases, context, without, false)),
        ...(await ask(databases, context, tries, true)),
      ];
      return resultOf(rows, tries, without);
    } finally {
      await databases.stop();
    }
  },
};

/** Makes every kind of call for every phone once, in random order. */
async function ask(databases: DatabaseServer, context: Context, tries: number, waits: boolean) {
  const database = waits ? "waiting" : "working";
  const url = await databases.createHub(database);
  const { call, close } = postgresCalls(url, { max: AT_A_TIME, timeoutMs: 30_000 });
  const store = sqlStore(call, { sessionTtlMs: 7 * 86_400_000, leaseMs: 60_000, history: 0 });
  const phones = phonesOf(tries);
  await know(
    databases,
    database,
    store,
    phones.filter(({ group }) => group === "known"),
  );
  const app = appOver(store, waits);
  const rows: Row[] = [];
  for (const { name, path, body, status } of QUESTIONS) {
    context.progress(
      `${name}, ${tries} known and ${tries} unknown phones${waits ? ", as deployed" : ", without the wait"}`,
    );
    const queue = shuffled(phones);
    const times: { one: Try; took: number }[] = [];
    const work = async () => {
      for (let one = queue.pop(); one; one = queue.pop()) {
        const headers = { "content-type": "application/json", "cf-connecting-ip": one.network };
        const init = { method: "POST", headers, body: JSON.stringify(body(one.phone)) };
        const began = performance.now();
        const answer = await app(path, init);
        const took = performance.now() - began;
        if (answer.status !== status) throw new Error(`${path} answered ${answer.status}`);
        times.push({ one, took });
      }
    };
    await Promise.all(Array.from({ length: waits ? AT_A_TIME : 1 }, work));
    const of = (pick: (one: Try) => boolean) => times.filter(({ one }) => pick(one)).map(({ took }) => took);
    const known = of(({ group }) => group === "known");
    rows.push({
      question: name,
      waits,
      known: typical(known),
      difference: between(
        known,
        of(({ group }) => group === "unknown"),
      ),
      noise: between(
        of(({ group, odd }) => group === "known" && odd),
        of(({ group, odd }) => group === "known" && !odd),
      ),
    });
  }
  await close();
  return rows;
}

/** Makes the calls for each phone from a network of its own, so that no rate limit applies. */
function phonesOf(tries: number): Try[] {
  const groups: readonly Group[] = ["known", "unknown"];
  return groups.flatMap((group, g) =>
    Array.from({ length: tries }, (_, i) => ({
      group,
      odd: i % 2 === 1,
      phone: `+49151${20_000_000 + i * 2 + g}`,
      network: `10.${g}.${i >> 8}.${i & 255}`,
    })),
  );
}

/** Makes the known customers: each has written on WhatsApp and has a password. */
async function know(databases: DatabaseServer, name: string, store: Hub["store"], phones: readonly Try[]) {
  for (const { phone } of phones) {
    const digits = phone.slice(1);
    const message = {
      channel: "whatsapp",
      account: "1",
      external_id: `first ${digits}`,
      from: { phone },
      address: { phone_number_id: "1", to: digits },
      content: { kind: "text" as const, text: "Hello" },
      wakes: false,
    };
    await store.conversations.receive([{ type: "message", message }], new Date());
  }
  const sql = databases.adminOf(name);
  await sql`
    with one as materialized (select hub.hash_password('the customer''s own') as hash)
    insert into passwords (phone, password_hash, updated_at)
    select value, hash, now() from identities, one where kind = 'phone'`;
  await sql`vacuum analyze`;
  await sql.end();
}

function appOver(store: Hub["store"], waits: boolean) {
  const hub: Hub = {
    channels: {},
    store,
    cache: noCache,
    bot: echo(),
    live: noLive,
    log: () => {},
    now: () => new Date(),
    sleep: waits ? sleep : async () => {},
    policy: DEFAULT_POLICY,
  };
  const app = createApp({
    open: () => hub,
    log: () => {},
    version: "bench",
    keys: { kiosk: [], web: [], admin: [] },
    corsOrigins: [],
    channels: ["web"],
    postedWith: { web: "web" },
    backends: { store: "postgres", cache: "none" },
  });
  const context = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };
  return async (path: string, init: RequestInit) => app.request(path, init, {}, context as never);
}

/** The mean of the middle nine tenths. The answers come in steps, so a median would only be one step or another. */
function typical(values: readonly number[]): number {
  const cut = Math.floor(values.length / 20);
  const middle = [...values].sort((a, b) => a - b).slice(cut, values.length - cut);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

/** The difference of the means, with a bootstrap interval: both samples are drawn again many times. */
function between(one: readonly number[], other: readonly number[]): Interval {
  const draws = Array.from({ length: RESAMPLES }, () => typical(drawn(one)) - typical(drawn(other)));
  return { value: typical(one) - typical(other), from: quantile(draws, 0.025), to: quantile(draws, 0.975) };
}

function drawn(values: readonly number[]): number[] {
  return values.map(() => values[Math.floor(Math.random() * values.length)]!);
}

function shuffled<T>(values: readonly T[]): T[] {
  const result = [...values];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

function resultOf(rows: readonly Row[], tries: number, without: number): Result {
  const told = ({ value, from, to }: Interval) =>
    `${value.toFixed(2)} (${from.toFixed(2)} to ${to.toFixed(2)})`;
  const table = (waits: boolean, title: string) => ({
    title,
    columns: ["", "known", "known - unknown, ms", "known - known, ms"],
    rows: rows
      .filter((row) => row.waits === waits)
      .map(({ question, known, difference, noise }) => [question, ms(known), told(difference), told(noise)]),
  });
  const aims = rows
    .filter(({ waits }) => waits)
    .map(
      ({ question, difference: { from, to } }): Aim => ({
        aim: `${question} takes as long for a known phone as for an unknown one`,
        found: `the difference lies between ${from.toFixed(2)} and ${to.toFixed(2)} ms`,
        met: from <= 0 && to >= 0,
      }),
    );
  return {
    tables: [table(true, "as deployed"), table(false, "without the wait")],
    aims,
    notes: [
      `${tries} known and ${tries} unknown phones (${without} without the wait) in random order, each asked about once, at the app itself: a network only adds noise. Means of the middle nine tenths.`,
      "In brackets: where the difference lies with 95 % certainty. known - known: every other one of them against the rest.",
    ],
    figures: rows,
  };
}
