/**
 * Measures how long a customer waits for the reply, how many replies a second there are, and their cost, beside
 * vercel/chat.
 */
import { join } from "node:path";
import { bundle, HUB } from "./lib/bundle.ts";
import { type Contender, installPeer, nodeHub, vercelChat, workerdHub } from "./lib/contenders.ts";
import { type DatabaseServer, startDatabases } from "./lib/database.ts";
import { type Crowd, countCost, type Entry, IN_FLIGHT, load, single, warmUp } from "./lib/entry.ts";
import { type Platform, startPlatform } from "./lib/platform.ts";
import { type Aim, type Bench, type Context, ms, type Result, scaled, times, whole } from "./lib/result.ts";
import type { Server } from "./lib/server.ts";
import { median, quantile } from "./lib/stats.ts";

const ROUNDS = 3;
const WAL_AIM = 8 * 1024;
/** Like for like, the hub's median latency as a share of the peer's. */
const LATENCY_AIM = 0.7;
/** CPU time of the hub under Node for an answered message, in ms. */
const CPU_AIM = 0.7;

/** The peer's work grows with the length of a conversation, until its 51st turn. */
const CROWDS: readonly Crowd[] = [
  { name: "young conversations", from: 0, customers: 2_000, turns: 1 },
  { name: "50 turns deep", from: 5_000, customers: 64, turns: 52 },
];

export const reply: Bench = {
  name: "reply",
  async run(context) {
    const withPeer = await installPeer(context.progress);
    const platform = await startPlatform();
    try {
      const databases = await startDatabases(context.dir);
      try {
        const contenders = await enter(context, platform, databases, withPeer);
        const crowds = CROWDS.map((crowd) => ({ ...crowd, customers: scaled(context, crowd.customers, 64) }));
        const entries = crowds.map((crowd) => contenders.map((contender) => entryOf(contender, crowd)));
        for (const crowded of entries) await race(context, platform, databases, crowded);
        for (const entry of entries.flat()) {
          context.progress(`counting what a message costs: ${nameOf(entry)}`);
          entry.cost = await countCost(platform, databases, entry, scaled(context, 960, 320));
        }
        return resultOf(entries.flat());
      } finally {
        await databases.stop();
      }
    } finally {
      await platform.stop();
    }
  },
};

async function enter(
  { dir, progress }: Context,
  platform: Platform,
  databases: DatabaseServer,
  withPeer: boolean,
): Promise<Contender[]> {
  progress("bundling the Worker, making a database for each");
  const vars = { WHATSAPP_API_ROOT: platform.url };
  const made = await bundle(HUB, join(dir, "hub"));
  const hubs = [
    nodeHub("node", await databases.createHub("node"), vars),
    workerdHub("rest", await databases.createHub("rest"), made, vars),
  ];
  if (!withPeer) return hubs;
  const fastest = { ...vars, PEER_CONCURRENCY: "concurrent", PEER_HISTORY_TTL_MS: "0" };
  return [
    vercelChat("vercel/chat", "peer", "peer", await databases.create("peer"), vars),
    vercelChat(
      "vercel/chat, no order, no expiry",
      "other",
      "peer_fast",
      await databases.create("peer_fast"),
      fastest,
    ),
    ...hubs,
  ];
}

/** Measures the contenders in turn: a round of single messages, then a round with many in flight; several times. */
async function race(
  context: Context,
  platform: Platform,
  databases: DatabaseServer,
  entries: readonly Entry[],
): Promise<void> {
  const servers: Server[] = [];
  try {
    for (const { contender } of entries) servers.push(await contender.start());
    const each = async (work: (entry: Entry, server: Server) => Promise<void>) => {
      for (const [i, entry] of entries.entries()) await work(entry, servers[i]!);
    };
    await each(async (entry, server) => {
      context.progress(`warm-up: ${nameOf(entry)}`);
      await warmUp(platform, entry, server);
      await databases.analyze(entry.contender.database);
    });
    for (let round = 1; round <= ROUNDS; round++) {
      context.progress(`${entries[0]!.crowd.name}, round ${round} of ${ROUNDS}`);
      await each((entry, server) => single(platform, entry, server, scaled(context, 100)));
      await each(async (entry, server) => {
        const { done, seconds } = await load(platform, entry, server, { seconds: scaled(context, 4) });
        entry.rates.push(done / seconds);
      });
    }
  } finally {
    for (const server of servers) await server.stop();
  }
}

function entryOf(contender: Contender, crowd: Crowd): Entry {
  return { contender, crowd, answersMs: [], rates: [], sent: 0, again: 0, unanswered: 0 };
}

const nameOf = ({ contender, crowd }: Entry) => `${contender.name}, ${crowd.name}`;

function resultOf(entries: readonly Entry[]): Result {
  const seen = entries.map(({ contender, crowd, answersMs, rates, sent, again, unanswered, cost }) => ({
    name: contender.name,
    kind: contender.kind,
    crowd: crowd.name,
    reply_ms: median(answersMs),
    reply_p95_ms: quantile(answersMs, 0.95),
    replies_per_s: median(rates),
    rounds: rates,
    messages: sent,
    webhooks_delivered_again: again,
    unanswered,
    ...cost!,
  }));
  const tables = CROWDS.map((crowd) => ({
    title: `reply: webhook to the reply's arrival at the emulator, ${crowd.name}; ${IN_FLIGHT} in flight; a message's cost`,
    columns: [
      "",
      "reply after",
      "p95",
      "replies/s",
      "statements",
      "WAL",
      "rows updated",
      "CPU: it + Postgres",
    ],
    rows: seen
      .filter((row) => row.crowd === crowd.name)
      .map((row) => [
        row.name,
        ms(row.reply_ms),
        ms(row.reply_p95_ms),
        whole(row.replies_per_s),
        row.statements.toFixed(2),
        `${(row.walBytes / 1024).toFixed(1)} KB`,
        row.updatedRows.toFixed(1),
        row.programMs === undefined ? "-" : `${row.programMs.toFixed(2)} + ${row.postgresMs!.toFixed(2)} ms`,
      ]),
  }));
  const notes = seen
    .filter(({ webhooks_delivered_again: again, unanswered }) => again + unanswered > 0)
    .map(
      ({ name, crowd, messages, webhooks_delivered_again: again, unanswered }) =>
        `${name}, ${crowd}: of ${messages} webhooks ${again} were refused with 503 and delivered again, ${unanswered} left to the sweep.`,
    );
  if (!seen.some(({ kind }) => kind === "peer"))
    notes.push("The peer could not be installed (npm ci --prefix bench/peer), so it has no rows.");
  return {
    tables,
    aims: CROWDS.flatMap((crowd) => aimsOf(seen.filter((row) => row.crowd === crowd.name))),
    notes,
    figures: seen,
  };
}

interface Seen {
  readonly kind: Contender["kind"];
  readonly crowd: string;
  readonly reply_ms: number;
  readonly replies_per_s: number;
  readonly statements: number;
  readonly walBytes: number;
  readonly programMs?: number;
}

/** The aims of the hub under Node, compared with the peer as its documentation recommends it. */
function aimsOf(rows: readonly Seen[]): Aim[] {
  const node = rows.find(({ kind }) => kind === "node")!;
  const peer = rows.find(({ kind }) => kind === "peer");
  const { crowd } = node;
  const faster = peer && node.replies_per_s / peer.replies_per_s;
  const sooner = peer && node.reply_ms / peer.reply_ms;
  return [
    ...(faster
      ? [{ aim: `${crowd}: 3 times the peer's replies per second`, found: times(faster), met: faster >= 3 }]
      : []),
    ...(sooner
      ? [
          {
            aim: `${crowd}: ${LATENCY_AIM} times the peer's latency`,
            found: times(sooner),
            met: sooner <= LATENCY_AIM,
          },
        ]
      : []),
    ...(node.programMs === undefined
      ? []
      : [
          {
            aim: `${crowd}: at most ${CPU_AIM} ms of Node's CPU time a message`,
            found: ms(node.programMs),
            met: node.programMs <= CPU_AIM,
          },
        ]),
    {
      aim: `${crowd}: 3 statements a message`,
      found: node.statements.toFixed(2),
      met: node.statements.toFixed(2) === "3.00",
    },
    {
      aim: `${crowd}: at most ${WAL_AIM / 1024} KB of WAL a message`,
      found: `${(node.walBytes / 1024).toFixed(1)} KB`,
      met: node.walBytes <= WAL_AIM,
    },
  ];
}
