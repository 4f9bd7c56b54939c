import postgres from "postgres";
import { startChaos } from "./chaos.ts";
import { startCustomers } from "./customers.ts";
import { seededRandom } from "./random.ts";
import { startRig } from "./rig.ts";
import { judge, type Verdict } from "./verdict.ts";

export interface FaultRun {
  readonly seed: number;
  readonly seconds: number;
  readonly customers: number;
  /** The average pause between two messages of one customer. */
  readonly pauseMs: number;
  readonly log: (line: string) => void;
}

const DRAIN_MS = 240_000;

/** Runs the real local stack under load while its parts break at random, lets it recover, and returns the verdict. */
export async function runFaults({
  seed,
  seconds,
  customers: count,
  pauseMs,
  log,
}: FaultRun): Promise<Verdict & { broken: Readonly<Record<string, number>> }> {
  const began = Date.now();
  const say = (line: string) => log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  const rig = await startRig();
  let sweeping = true;
  const sweeps = sweepEvery(2_000);
  try {
    say(`stack ready at ${rig.hub}; seed ${seed}`);
    const customers = startCustomers(rig, seed, count, pauseMs);
    await pause(3_000); // everybody has shared their card
    const chaos = startChaos(rig, seededRandom(seed), say);
    await pause(seconds * 1_000);
    await chaos.finish();
    say("nothing breaks any more");
    await customers.finish();
    say(`${customers.said.length} messages, all acknowledged`);
    await drained();
    const verdict = await judge(rig, customers.said, chaos, count);
    return { ...verdict, broken: chaos.done };
  } finally {
    sweeping = false;
    await sweeps;
    await rig.stop();
  }

  /** Sweeps like the cron, but more often than every minute. */
  async function sweepEvery(ms: number): Promise<void> {
    while (sweeping) {
      await rig.sweep().catch(() => {});
      await pause(ms);
    }
  }

  async function drained(): Promise<void> {
    const sql = postgres(rig.databaseUrl, { max: 1, onnotice: () => {} });
    const deadline = Date.now() + DRAIN_MS;
    try {
      for (;;) {
        const [open] = await sql<[{ turns: number; deliveries: number }]>`
          select (select count(*)::int from turns where state in ('pending', 'running')) as turns,
            (select count(*)::int from deliveries where state in ('pending', 'sending')) as deliveries`;
        const health = (await (
          await fetch(`${rig.hub}/health`, { headers: { "x-api-key": rig.settings.vars.ADMIN_API_KEY! } })
        ).json()) as {
          journal?: { depth?: number };
        };
        const depth = health.journal?.depth ?? 0;
        if (open.turns + open.deliveries + depth === 0) return;
        if (Date.now() > deadline)
          return say(
            `still open after ${DRAIN_MS / 1000} s: ${open.turns} turns, ${open.deliveries} deliveries, ${depth} in the journal`,
          );
        await pause(1_000);
      }
    } finally {
      await sql.end();
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
