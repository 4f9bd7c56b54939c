import fc from "fast-check";
import sqlDriver from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { memoryStore } from "../../src/stores/memory.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { emptying } from "../support/empty.ts";
import { createDatabase } from "../support/stack.ts";
import type { Run } from "./model/calls.ts";
import { pair } from "./model/pair.ts";
import { run } from "./model/run.ts";

/**
 * `MODEL_RUNS=5000` runs longer; `MODEL_SEED=…` repeats a run, with `MODEL_PATH=…` at its counterexample; `MODEL_SHRINK=no`
 * tells the first difference as it was found, for making it shorter takes minutes.
 */
const numRuns = Number(process.env.MODEL_RUNS ?? 500);
const seed = Number(process.env.MODEL_SEED ?? Date.now() % 2 ** 31);
const path = process.env.MODEL_PATH;
const endOnFailure = process.env.MODEL_SHRINK === "no";

let owner: sqlDriver.Sql;
let deletions: string;
let direct: PostgresCalls;

beforeAll(async () => {
  const { url } = await createDatabase();
  owner = sqlDriver(url, { max: 1, onnotice: () => {} });
  deletions = await emptying(owner, "delete from");
  direct = postgresCalls(url, { max: 1, timeoutMs: 30_000 });
});
afterAll(async () => {
  await direct.close();
  await owner.end();
});

/** Prints the shortest run on which the two stores differ (the first one with `MODEL_SHRINK=no`), one call a line. */
function reporter(details: fc.RunDetails<[Run]>): void {
  if (!details.failed) return;
  const lines = details.counterexample?.[0].steps.map((step, i) => `${i} ${JSON.stringify(step)}`) ?? [];
  const { cause } = details.errorInstance as Error;
  const settings = JSON.stringify(details.counterexample?.[0].settings);
  throw new Error(
    `seed ${details.seed}, path ${details.counterexamplePath}\n${settings}\n${lines.join("\n")}\n${details.errorInstance}`,
    { cause },
  );
}

test(`memory and SQL answer any calls alike (seed ${seed}, ${numRuns} runs)`, {
  timeout: 3_600_000,
}, async () => {
  const made: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(run, async ({ settings, steps }) => {
      await owner.unsafe(deletions).simple();
      const stores = pair([memoryStore(settings), sqlStore(direct.call, settings)]);
      for (const [i, step] of steps.entries()) {
        made[step.do] = (made[step.do] ?? 0) + 1;
        await stores.step(step).catch((error: Error) => {
          throw new Error(`call ${i}, ${step.do}: ${error.message}`, { cause: error });
        });
      }
      await stores.end().catch((error: Error) => {
        throw new Error(`in the end: ${error.message}`, { cause: error });
      });
    }),
    { seed, numRuns, reporter, endOnFailure, ...(path && { path }) },
  );
  if (numRuns >= 100) expect(Object.keys(made)).toHaveLength(27);
});
