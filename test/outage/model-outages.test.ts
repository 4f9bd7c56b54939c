import { Redis } from "@upstash/redis";
import fc from "fast-check";
import sqlDriver from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { upstashJournal } from "../../src/stores/journal.ts";
import { memoryJournal } from "../../src/stores/memory/journal.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { emptying } from "../support/empty.ts";
import { createDatabase, redis as startRedis } from "../support/stack.ts";
import { type Backing, happen, happenCalmly } from "./model/history.ts";
import { type Step, steps } from "./model/steps.ts";
import { judge } from "./model/verdict.ts";
import { settingsOf } from "./model/world.ts";

/** `MODEL_RUNS=50000` runs longer; `MODEL_SEED=…` repeats a run, with `MODEL_PATH=…` at its counterexample. */
const numRuns = Number(process.env.MODEL_RUNS ?? 2_000);
const seed = Number(process.env.MODEL_SEED ?? Date.now() % 2 ** 31);
const path = process.env.MODEL_PATH;
const START = Date.UTC(2026, 10, 2, 10);
/** Whether the bot takes together what waited while it was busy. */
const BATCH = process.env.MODEL_BATCH === "no" ? fc.constant(false) : fc.boolean();
/** What takes longer has fewer. */
const few = Math.ceil(numRuns / 60);

/** Retries come when the clock says, not when luck does. */
beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0.5));
afterEach(() => void vi.restoreAllMocks());

/** The shortest run that still goes wrong, one step a line. */
function reporter(details: fc.RunDetails<[Step[], boolean]>): void {
  if (!details.failed) return;
  const lines = details.counterexample?.[0].map((step, i) => `${i} ${JSON.stringify(step)}`) ?? [];
  const cause = details.errorInstance as Error;
  const run = `seed ${details.seed}, path ${details.counterexamplePath}, batch ${details.counterexample?.[1]}`;
  throw new Error(`${run}\n${lines.join("\n")}\n${cause}`, { cause });
}

type Make = (clock: { now: number }, batch: boolean) => Promise<Omit<Backing, "batch">>;

async function holds(runs: number, make: Make): Promise<void> {
  const compared = { exact: 0, loose: 0 };
  await fc.assert(
    fc.asyncProperty(steps, BATCH, async (steps, batch) => {
      const clock = { now: START };
      const history = await happen(steps, clock, { batch, ...(await make(clock, batch)) });
      const { exact, loose } = await judge(history, await happenCalmly(history));
      compared.exact += exact;
      compared.loose += loose;
    }),
    { seed, numRuns: runs, reporter, ...(path && { path }), endOnFailure: process.env.MODEL_SHRINK === "no" },
  );
  // Where nobody can tell what came first, little is compared: that must stay the smaller part.
  if (runs >= 100) expect(compared.exact).toBeGreaterThan(compared.loose);
}

describe(`after outages and crashes all is as if nothing had happened (seed ${seed})`, () => {
  test(`all in memory (${numRuns} runs)`, { timeout: 3_600_000 }, () =>
    holds(numRuns, async (clock) => ({
      journal: memoryJournal({ now: () => new Date(clock.now) }),
      moved: async () => {},
    })),
  );

  describe("for real", () => {
    let valkey: { url: string; token: string };
    let redis: Redis;
    let owner: sqlDriver.Sql;
    let deletions: string;
    let direct: PostgresCalls;
    beforeAll(async () => {
      valkey = await startRedis();
      redis = new Redis({ ...valkey, enableTelemetry: false });
      const { url } = await createDatabase();
      owner = sqlDriver(url, { max: 1, onnotice: () => {} });
      deletions = await emptying(owner, "delete from");
      direct = postgresCalls(url, { max: 2, timeoutMs: 30_000 });
    });
    afterAll(async () => {
      await direct.close();
      await owner.end();
    });

    const inValkey: Make = async (clock) => {
      await redis.flushall();
      const journal = upstashJournal({ ...valkey, timeoutMs: 30_000 });
      let until = 0;
      const lease: typeof journal.lease = async (ms) => {
        const release = await journal.lease(ms);
        if (release) until = clock.now + ms;
        return release;
      };
      const moved = async () => {
        if (until === 0 || until > clock.now) return;
        until = 0;
        await redis.del("journal:lease"); // as it would itself, by its own clock
      };
      return { journal: { ...journal, lease }, moved };
    };

    test(`the journal in Valkey (${few} runs)`, { timeout: 3_600_000 }, () => holds(few, inValkey));

    test(`the journal in Valkey, the store in Postgres (${few} runs)`, { timeout: 3_600_000 }, () =>
      holds(few, async (clock, batch) => {
        await owner.unsafe(deletions).simple();
        return { ...(await inValkey(clock, batch)), store: sqlStore(direct.call, settingsOf(batch)) };
      }),
    );
  });
});
