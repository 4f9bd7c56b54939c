/**
 * Measures how many webhooks a second are saved and acknowledged, and compares it with pgbench on the same SQL
 * function.
 */
import { nodeHub, POOL_SIZE } from "./lib/contenders.ts";
import { startDatabases } from "./lib/database.ts";
import { type CallerOptions, callFunction, pgbench } from "./lib/pgbench.ts";
import { startPlatform } from "./lib/platform.ts";
import { type Aim, type Bench, type Result, scaled, whole } from "./lib/result.ts";
import { median } from "./lib/stats.ts";
import type { Kind } from "./lib/webhook.ts";

const AIM = 0.5;
const IN_FLIGHT = 32;
const CUSTOMERS = 2_000;
const ROUNDS = 4;
const KINDS: readonly Kind[] = ["text", "reaction"];

export const durable: Bench = {
  name: "durable",
  async run(context) {
    const tool = pgbench();
    const seconds = scaled(context, 5);
    const found = KINDS.map((kind) => ({ kind, acks: [] as number[], calls: [] as number[] }));
    const platform = await startPlatform();
    try {
      const databases = await startDatabases(context.dir);
      try {
        const url = await databases.createHub("hub");
        const direct = await databases.createHub("direct");
        const admin = databases.adminOf("direct");
        const hub = await nodeHub("hub", url, { BENCH_BOT: "silent" }).start();
        try {
          const load = (kind: Kind, until: { seconds: number } | { messages: number }) => {
            const customers = {
              port: hub.port,
              path: "/webhooks/whatsapp",
              from: 0,
              customers: CUSTOMERS,
              first: 0,
            };
            return platform.load({ ...customers, kind, inFlight: IN_FLIGHT, answered: false, ...until });
          };
          const call = (options: Pick<CallerOptions, "kind" | "seconds">) =>
            callFunction(tool, {
              url: direct,
              clients: POOL_SIZE,
              customers: CUSTOMERS,
              dir: context.dir,
              ...options,
            });
          context.progress(
            `warm-up; then ${ROUNDS} rounds with ${tool ? "pgbench" : "a loop of our own"} in turn`,
          );
          await load("text", { messages: 2 * CUSTOMERS });
          await call({ kind: "text", seconds: 2 });
          for (let round = 1; round <= ROUNDS; round++) {
            for (const { kind, acks, calls } of found) {
              context.progress(`round ${round} of ${ROUNDS}, ${kind}`);
              const { done, seconds: took } = await load(kind, { seconds });
              acks.push(done / took);
              await admin`delete from turns`; // the messages that pgbench saves are never answered
              await admin`vacuum turns`;
              calls.push(await call({ kind, seconds }));
            }
          }
        } finally {
          await hub.stop();
        }
        await admin.end();
      } finally {
        await databases.stop();
      }
    } finally {
      await platform.stop();
    }
    return resultOf(found, tool !== undefined);
  },
};

function resultOf(found: readonly { kind: Kind; acks: number[]; calls: number[] }[], real: boolean): Result {
  const says: Record<Kind, string> = {
    text: "text, to a bot that stays silent",
    reaction: "reaction, which wakes nobody",
  };
  const figures = found.map(({ kind, acks, calls }) => ({
    message: says[kind],
    statements: kind === "text" ? "hub_receive, hub_complete" : "hub_receive",
    acks_per_s: median(acks),
    calls_per_s: median(calls),
    share: median(acks) / median(calls),
    rounds: { acks, calls },
  }));
  const aims: Aim[] = figures.map(({ message, share }) => ({
    aim: `${message}: half of ${real ? "pgbench" : "the loop"}`,
    found: `${(share * 100).toFixed(0)} %`,
    met: share >= AIM,
  }));
  const tool = real ? "pgbench" : "a loop of our own";
  const table = {
    title: `durable: acknowledged messages a second, app under Node, ${IN_FLIGHT} in flight, ${POOL_SIZE} connections each`,
    columns: ["message", "statements of the app", "acks/s", `${tool}: hub_receive/s`, "share"],
    rows: figures.map((row) => [
      row.message,
      row.statements,
      whole(row.acks_per_s),
      whole(row.calls_per_s),
      `${(row.share * 100).toFixed(0)} %`,
    ]),
  };
  const notes = real
    ? []
    : [
        "There is no pgbench on this machine; a loop over the app's own driver stands in for it. It is slower than " +
          "pgbench, so the share is kinder than it should be.",
      ];
  return { tables: [table], aims, notes, figures };
}
