import sqlDriver from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HubError } from "../../src/core/errors.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { COLLISIONS, type SqlCall, sqlStore } from "../../src/stores/sql.ts";
import { settings } from "../contracts/given.ts";
import { races, timeoutMs } from "./races/database.ts";
import { type Call, everyCall, pairsOf } from "./races/every-call.ts";
import { shuffled } from "./races/many.ts";

const PEOPLE = 2;
const SECONDS = 40;
const here = races();
let direct: PostgresCalls;
let pair: readonly [string, string] | undefined;
/** The pairs of calls that deadlocked, with the function that Postgres aborted. */
const guilty: string[] = [];

const call: SqlCall = async (name, argument) => {
  try {
    return await direct.call(name, argument);
  } catch (error) {
    if (error instanceof HubError && error.reason === "40P01") guilty.push(`${name} in ${pair?.join(" + ")}`);
    throw error;
  }
};

/** The names of calls that succeeded, once for each time. */
const done = new Map<string, number>();

/** Why a call failed. A refusal does not count, nor do four collisions in a row without a deadlock. */
async function failureOf(calls: Record<string, Call>, name: string): Promise<string | undefined> {
  try {
    await calls[name]!();
    done.set(name, (done.get(name) ?? 0) + 1);
    return undefined;
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    const { code, reason = "" } = error;
    return code === "unavailable" && !COLLISIONS.has(reason) ? `${code} ${reason}` : undefined;
  }
}

beforeAll(async () => {
  // Postgres then finds a deadlock at once instead of after a second.
  const admin = sqlDriver(here.adminUrl, { max: 1, onnotice: () => {} });
  const { pathname } = new URL(here.url);
  await admin.unsafe(`alter database ${pathname.slice(1)} set deadlock_timeout = '20ms'`);
  await admin.end();
  await dawdle();
  direct = postgresCalls(here.url, { max: 8, timeoutMs });
});
afterAll(() => direct.close());

/** Makes every function pause after each lock that it takes, so that wrong orders lead to deadlocks. */
async function dawdle(): Promise<void> {
  const functions = await here.owner`
    select pg_get_functiondef(p.oid) as source
    from pg_proc p join pg_language l on l.oid = p.prolang
    where l.lanname = 'plpgsql' and p.prorettype <> 'trigger'::regtype
      and (pronamespace = 'hub'::regnamespace or proname like 'hub\\_%')`;
  const pause = " perform pg_sleep(random() * 0.003);";
  let changed = 0;
  for (const { source } of functions) {
    const slow = (source as string)
      .replace(/\bfor update(?: of \w+)?;/g, `$&${pause}`)
      .replace(/perform pg_advisory_xact_lock\([^;]*;/g, `$&${pause}`);
    if (slow === source) continue;
    changed += 1;
    await here.owner.unsafe(slow);
  }
  expect(changed).toBeGreaterThan(8);
}

test("no pair of calls deadlocks", { timeout: (SECONDS + 30) * 1000 }, async () => {
  const paced = { batch: true, pace: { telegram: 1_000, whatsapp: 1_000 }, patienceMs: 500 };
  const store = sqlStore(call, { ...settings, ...paced });
  const calls = everyCall(store, PEOPLE, Math.random);
  const names = Object.keys(calls);
  for (const name of shuffled([...names, ...names])) await failureOf(calls, name);
  const wrong = new Set<string>();
  const end = Date.now() + SECONDS * 1000;
  let pairs = 0;
  for (pair of shuffled(pairsOf(names))) {
    if (Date.now() > end) break;
    pairs += 1;
    // Rows that several calls use.
    for (const name of ["receive that merges", "receive from two identities", "complete", "start"])
      await failureOf(calls, name);
    const both = shuffled([pair, pair, pair, pair].flat());
    for (const failed of await Promise.all(both.map((name) => failureOf(calls, name))))
      if (failed) wrong.add(failed);
  }
  expect([...wrong]).toEqual([]);
  expect(guilty).toEqual([]);
  expect(pairs).toBeGreaterThan(40);
  // Every call succeeded at least once.
  for (const name of names.filter((one) => !done.has(one)))
    for (let tries = 0; tries < 20 && !done.has(name); tries++) {
      for (const first of ["start", "put a thread", "make an order", "upload a file"])
        await failureOf(calls, first);
      await failureOf(calls, name);
    }
  expect(names.filter((name) => !done.has(name))).toEqual([]);
});
