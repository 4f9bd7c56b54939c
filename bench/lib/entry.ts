import type { Contender } from "./contenders.ts";
import { countWork, statementsOf, updatedRows } from "./counters.ts";
import { cpuMs } from "./cpu.ts";
import type { DatabaseServer } from "./database.ts";
import type { Load, Platform } from "./platform.ts";
import type { Server } from "./server.ts";

export const IN_FLIGHT = 32;

/** The customers whose conversations are measured. */
export interface Crowd {
  readonly name: string;
  /** The number of the first customer. Two crowds never share a customer. */
  readonly from: number;
  readonly customers: number;
  /** How many messages each customer sends before the measurement. */
  readonly turns: number;
}

/** A contender with one crowd, and the measurements of it. */
export interface Entry {
  readonly contender: Contender;
  readonly crowd: Crowd;
  readonly answersMs: number[];
  readonly rates: number[];
  cost?: Cost;
  /** How many messages were sent so far. */
  sent: number;
  /** How many webhooks were refused with 503 and delivered again. */
  again: number;
  /** How many messages were acknowledged and left to the sweep. */
  unanswered: number;
}

/** The cost of one answered message. */
export interface Cost {
  readonly statements: number;
  readonly walBytes: number;
  readonly updatedRows: number;
  /** The CPU time of the program's own process, and of all of Postgres; only on Linux. */
  readonly programMs?: number;
  readonly postgresMs?: number;
  /** The most frequent statements. */
  readonly top: readonly { query: string; calls: number; mean_ms: number }[];
}

type Until = { readonly seconds: number } | { readonly messages: number; readonly inFlight?: number };

/** Sends the earlier messages of every customer. It starts with few at once, because a cold program may be slow. */
export async function warmUp(platform: Platform, entry: Entry, server: Server): Promise<void> {
  const { customers, turns } = entry.crowd;
  const gentle = Math.min(customers, 200);
  await load(platform, entry, server, { messages: gentle, inFlight: 4 });
  await load(platform, entry, server, { messages: customers * turns - gentle });
}

/** Sends one message after the other. */
export async function single(platform: Platform, entry: Entry, server: Server, count: number): Promise<void> {
  const { answers } = await platform.sequence({ ...target(entry, server), count, pauseMs: 10 });
  entry.sent += count;
  entry.answersMs.push(...answers);
  await platform.expectTaken(count);
}

/** Sends many messages at once. */
export async function load(platform: Platform, entry: Entry, server: Server, until: Until): Promise<Load> {
  const done = await platform.load({ ...target(entry, server), inFlight: IN_FLIGHT, kind: "text", ...until });
  entry.sent += done.sent;
  entry.again += done.again;
  entry.unanswered += done.unanswered;
  await platform.expectTaken(done.sent - done.unanswered);
  return done;
}

/** Counts the statements, WAL, updated rows and CPU time of a message, with no other work running. */
export async function countCost(
  platform: Platform,
  databases: DatabaseServer,
  entry: Entry,
  messages: number,
): Promise<Cost> {
  const { database } = entry.contender;
  const before = await updatedRows(databases, database);
  const server = await entry.contender.start();
  const cpu = () => [cpuMs(server.pid), cpuMs(databases.pid)];
  const again = entry.sent;
  try {
    await databases.admin`checkpoint`; // the first change of a page after it logs the whole page; the warm-up does that
    await load(platform, entry, server, { messages: 200, inFlight: 4 });
    await load(platform, entry, server, { messages });
    const stop = await countWork(databases, database);
    const cpuBefore = cpu();
    await load(platform, entry, server, { messages });
    const { statements, walBytes } = await stop();
    const [programMs, postgresMs] = cpu().map((now, i) => (now! - cpuBefore[i]!) / messages);
    const top = await statementsOf(databases, database);
    await server.stop();
    const updated = (await updatedRows(databases, database)) - before;
    return {
      statements: statements / messages,
      walBytes: walBytes / messages,
      updatedRows: updated / (entry.sent - again),
      ...(Number.isFinite(programMs) && { programMs: programMs!, postgresMs: postgresMs! }),
      top,
    };
  } finally {
    await server.stop();
  }
}

function target({ crowd, sent }: Entry, { port }: Server) {
  const { from, customers } = crowd;
  return { port, path: "/webhooks/whatsapp", from, customers, first: sent, answered: true };
}
