import sqlDriver from "postgres";
import { beforeAll, expect, test } from "vitest";
import { HubError } from "../../src/core/errors.ts";
import { COLLISIONS } from "../../src/stores/sql.ts";
import { races } from "./races/database.ts";
import { type Call, everyCall, pairsOf } from "./races/every-call.ts";
import { range, shuffled } from "./races/many.ts";

const PEOPLE = 3;
const SECONDS = 40;
const here = races();

/** Calls that were not refused, each time. */
const done = new Map<string, number>();

/** What a call failed with. A refusal is an answer; so are four collisions in a row, if none of them is a deadlock. */
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
  // Found at once instead of after a second.
  const admin = sqlDriver(here.adminUrl, { max: 1, onnotice: () => {} });
  const { pathname } = new URL(here.url);
  await admin.unsafe(`alter database ${pathname.slice(1)} set deadlock_timeout = '20ms'`);
  await admin.end();
});

test("no two calls wait for each other, whichever they are", { timeout: (SECONDS + 30) * 1000 }, async () => {
  const store = here.store({ batch: true, pace: { telegram: 1_000, whatsapp: 1_000 }, patienceMs: 500 });
  const calls = everyCall(store, PEOPLE, Math.random);
  const names = Object.keys(calls);
  for (const name of shuffled([...names, ...names])) await failureOf(calls, name);
  const guilty: string[] = [];
  const wrong = new Set<string>();
  let seen = await here.deadlocks();
  const end = Date.now() + SECONDS * 1000;
  let pairs = 0;
  for (const pair of shuffled(pairsOf(names))) {
    if (Date.now() > end) break;
    pairs += 1;
    // Some work and people for them to meet on.
    for (const name of ["receive that merges", "receive from two identities", "complete", "start"])
      await failureOf(calls, name);
    const both = shuffled(range(3).flatMap(() => pair));
    for (const failed of await Promise.all(both.map((name) => failureOf(calls, name))))
      if (failed) wrong.add(failed);
    const deadlocks = await here.deadlocks();
    if (deadlocks > seen) guilty.push(pair.join(" + "));
    seen = deadlocks;
  }
  expect([...wrong]).toEqual([]);
  expect(guilty).toEqual([]);
  expect(pairs).toBeGreaterThan(100);
  expect(names.filter((name) => !done.has(name))).toEqual([]);
});
