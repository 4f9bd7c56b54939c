import { Redis } from "@upstash/redis";
import { HubError } from "../core/errors.ts";
import type { InboundEvent } from "../core/receive/conversations.ts";
import type { Journal, JournalEntry, WaitingEntry } from "../outage/journal.ts";
import type { Row } from "./rows.ts";

interface JournalOptions {
  readonly url: string;
  readonly token: string;
  /** How many entries may wait. What frontends change gets half of that, so that it never crowds out messages. */
  readonly limit?: number;
  /** How long a call may take. */
  readonly timeoutMs?: number;
}

const STREAM = "journal";
const QUARANTINE = "journal:quarantine";
const LEASE = "journal:lease";
const MAX_FAILURES = "journal:failures";
/** What was set aside is kept this long after the last one: it holds what customers wrote. */
const QUARANTINE_SECONDS = 30 * 86_400;

// Scripts, since each is one step and is answered by the primary; a replica may be behind.
// https://upstash.com/docs/redis/features/consistency
const append = `
local depth = redis.call("XLEN", KEYS[1])
if ARGV[1] == "1" and depth == 0 then return 0 end
if depth + #ARGV - 2 > tonumber(ARGV[2]) then return -1 end
for i = 3, #ARGV do redis.call("XADD", KEYS[1], "*", "entry", ARGV[i]) end
return 1`;
const read = `
local size = 0
local rows = {}
for i, row in ipairs(redis.call("XRANGE", KEYS[1], "-", "+", "COUNT", ARGV[1])) do
  size = size + #row[2][2]
  if i > 1 and size > 1000000 then break end
  rows[i] = row
end
return rows`;
const remove = `
redis.call("HDEL", KEYS[2], unpack(ARGV))
return redis.call("XDEL", KEYS[1], unpack(ARGV))`;
const depth = `
local first = redis.call("XRANGE", KEYS[1], "-", "+", "COUNT", 1)
return { redis.call("XLEN", KEYS[1]), first[1] and first[1][1] or "", redis.call("XLEN", KEYS[2]) }`;
const release = `if redis.call("GET", KEYS[1]) == ARGV[1] then redis.call("DEL", KEYS[1]) end return 0`;
const quarantine = `
local found = redis.call("XRANGE", KEYS[1], ARGV[1], ARGV[1])
if found[1] then
  redis.call("XADD", KEYS[2], "*", "entry", found[1][2][2], "reason", ARGV[2], "id", ARGV[1])
  redis.call("EXPIRE", KEYS[2], ARGV[3])
end
redis.call("HDEL", KEYS[3], ARGV[1])
return redis.call("XDEL", KEYS[1], ARGV[1])`;

/** The journal as a stream in Upstash Redis. */
export function upstashJournal({ url, token, limit = 100_000, timeoutMs = 1_000 }: JournalOptions): Journal {
  const redis = new Redis({
    url,
    token,
    retry: false,
    enableTelemetry: false,
    enableAutoPipelining: false,
    automaticDeserialization: false,
    signal: () => AbortSignal.timeout(timeoutMs),
  });
  const asked = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (cause) {
      const reason =
        cause instanceof Error && cause.name === "UpstashError" ? "journal_refused" : "journal_unreachable";
      throw new HubError("unavailable", "the journal did not answer", { reason, cause });
    }
  };
  const run = <T>(script: string, keys: string[], args: (string | number)[]): Promise<T> =>
    asked(redis.eval(script, keys, args.map(String)) as Promise<T>);

  return {
    async append(entries, { behind }) {
      const room = entries.some(({ type }) => type === "receive") ? limit : limit / 2;
      const texts = entries.map((entry) => JSON.stringify(entry));
      const appended = await run<number>(append, [STREAM], [behind ? 1 : 0, room, ...texts]);
      if (appended < 0) throw new HubError("unavailable", "the journal is full", { reason: "journal_full" });
      return appended > 0;
    },
    async read(limit) {
      const rows = await run<[id: string, fields: string[]][]>(read, [STREAM], [limit]);
      return rows.map(([id, [, text]]) => toWaiting(id, text));
    },
    async remove(ids) {
      if (ids.length > 0) await run(remove, [STREAM, MAX_FAILURES], [...ids]);
    },
    async depth() {
      const [count, oldest, quarantined] = await run<[number, string, number]>(
        depth,
        [STREAM, QUARANTINE],
        [],
      );
      return {
        depth: count,
        ...(oldest && { oldest_at: new Date(Number.parseInt(oldest, 10)) }),
        quarantined,
      };
    },
    async lease(ms) {
      const owner = crypto.randomUUID();
      const got = await asked(redis.set(LEASE, owner, { nx: true, px: ms }));
      if (got === null) return undefined;
      return async () => {
        await run(release, [LEASE], [owner]);
      };
    },
    countFailure: (id) => run(`return redis.call("HINCRBY", KEYS[1], ARGV[1], 1)`, [MAX_FAILURES], [id]),
    async quarantine(id, reason) {
      await run(quarantine, [STREAM, QUARANTINE, MAX_FAILURES], [id, reason, QUARANTINE_SECONDS]);
    },
  };
}

function toWaiting(id: string, text: string | undefined): WaitingEntry {
  try {
    const { at, ...entry } = JSON.parse(text ?? "") as Row & { type: string };
    const kept = Array.isArray(entry.kept) ? { kept: entry.kept.map(toKept) } : {};
    const known = ["receive", "start", "restore", "update"].includes(entry.type);
    return known
      ? { id, entry: { ...entry, ...kept, at: new Date(at as string) } as unknown as JournalEntry }
      : { id };
  } catch {
    return { id }; // It is set quarantined by whoever replays it.
  }
}

/** Instants come back as instants; each kind of kept thing has its own, one level down. */
function toKept(row: Row): InboundEvent {
  const result: Row = {};
  for (const [key, value] of Object.entries(row)) {
    if (value === null || typeof value !== "object") {
      result[key] = value;
      continue;
    }
    const part: Row = { ...value };
    for (const name of ["sent_at", "at"])
      if (typeof part[name] === "string") part[name] = new Date(part[name]);
    result[key] = part;
  }
  return result as unknown as InboundEvent;
}
