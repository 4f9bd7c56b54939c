import sqlDriver from "postgres";
import { beforeAll, expect, test } from "vitest";
import { HubError } from "../../src/core/errors.ts";
import { COLLISIONS } from "../../src/stores/sql.ts";
import { races } from "./races/database.ts";
import { everyCall, pairsOf } from "./races/every-call.ts";
import { range, shuffled } from "./races/many.ts";

const PEOPLE = 3;
const SECONDS = 60;
const here = races();

/** A refusal is an answer; so are four collisions in a row, as long as none of them is a deadlock. */
async function answered(call: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await call();
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
  for (const name of shuffled([...names, ...names])) await answered(calls[name]!);
  const guilty: string[] = [];
  const wrong = new Set<string>();
  let seen = await here.deadlocks();
  const end = Date.now() + SECONDS * 1000;
  let pairs = 0;
  for (const pair of shuffled(pairsOf(names))) {
    if (Date.now() > end) break;
    pairs += 1;
    // Some work and people for them to meet on.
    for (const name of ["receive that merges", "receive from two identities", "complete"])
      await answered(calls[name]!);
    const both = shuffled(range(3).flatMap(() => pair));
    for (const failed of await Promise.all(both.map((name) => answered(calls[name]!))))
      if (failed) wrong.add(failed);
    const deadlocks = await here.deadlocks();
    if (deadlocks > seen) guilty.push(pair.join(" + "));
    seen = deadlocks;
  }
  expect([...wrong]).toEqual([]);
  expect(guilty).toEqual([]);
  expect(pairs).toBeGreaterThan(100);
});
