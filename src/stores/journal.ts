import { Redis } from "@upstash/redis";
import { HubError } from "../core/errors.ts";
import type { JournaledEvent } from "../core/receive/journal.ts";
import { eventsFor, without } from "../outage/erasure.ts";
import { isCallers, type Journal } from "../outage/journal.ts";
import { toWaiting } from "./journal-entry.ts";

interface JournalOptions {
  readonly url: string;
  readonly token: string;
  /** The largest number of waiting entries. */
  readonly limit?: number;
  /** Time limit of a call, in ms. */
  readonly timeoutMs?: number;
}

const STREAM = "journal";
const QUARANTINE = "journal:quarantine";
const LEASE = "journal:lease";
const FAILURES = "journal:failures";
/** The quarantine is deleted this long after its newest entry came, because it holds what customers wrote. */
const QUARANTINE_SECONDS = 30 * 86_400;
/**
 * The longest entry, in characters. An entry of a 1 MiB webhook is shorter. A longer one is not the hub's: it is not
 * read.
 */
const LONGEST = 8_000_000;
/** Entries of each stream that a trace reads. */
const FOUND = 1_000;
/** Quarantined entries read in one call. */
const PAGE = 50;

// Every script runs as one step, and on the primary: a read from a replica may be out of date.
// https://upstash.com/docs/redis/features/consistency
const append = `
local depth = redis.call("XLEN", KEYS[1])
if ARGV[1] == "1" and depth == 0 then return 0 end
if depth >= tonumber(ARGV[2]) then return -1 end
redis.call("XADD", KEYS[1], "*", "entry", ARGV[3])
return 1`;
const read = `
local size = 0
local rows = {}
for i, row in ipairs(redis.call("XRANGE", KEYS[1], ARGV[1], "+", "COUNT", ARGV[2])) do
  local text = row[2][2]
  if #text > ${LONGEST} then text = "" end
  size = size + #text
  if i > 1 and size > 1000000 then break end
  rows[i] = { row[1], text, row[2][4] or "" }
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
// Deletes a quarantined entry. What is left of it, if anything, is added at the end of the quarantine.
const replace = `
local found = redis.call("XRANGE", KEYS[1], ARGV[1], ARGV[1])
if found[1] and ARGV[2] ~= "" then
  local fields = found[1][2]
  fields[2] = ARGV[2]
  redis.call("XADD", KEYS[1], "*", unpack(fields))
end
return redis.call("XDEL", KEYS[1], ARGV[1])`;

/** The journal, kept as a stream in Upstash Redis. */
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
    async append(entry, { behind }) {
      const text = JSON.stringify(entry);
      const room = isCallers(entry) ? limit / 2 : limit;
      const appended =
        text.length > LONGEST ? -1 : await run<number>(append, [STREAM], [behind ? 1 : 0, room, text]);
      if (appended < 0) throw new HubError("unavailable", "the journal is full", { reason: "journal_full" });
      return appended > 0;
    },
    async read(limit) {
      const rows = await run<[id: string, text: string][]>(read, [STREAM], ["-", limit]);
      return rows.map(([id, text]) => toWaiting(id, text));
    },
    async remove(ids) {
      if (ids.length > 0) await run(remove, [STREAM, FAILURES], [...ids]);
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
    countFailure: (id) => run(`return redis.call("HINCRBY", KEYS[1], ARGV[1], 1)`, [FAILURES], [id]),
    async quarantine(id, reason) {
      await run(quarantine, [STREAM, QUARANTINE, FAILURES], [id, reason, QUARANTINE_SECONDS]);
    },
    async find(query) {
      const found: JournaledEvent[] = [];
      for (const [state, stream] of [
        ["waiting", STREAM],
        ["quarantined", QUARANTINE],
      ] as const) {
        let after = "-";
        for (let left = FOUND; left > 0; ) {
          const rows = await run<[id: string, text: string, reason: string][]>(
            read,
            [stream],
            [after, Math.min(PAGE, left)],
          );
          for (const [id, text, reason] of rows) {
            const { entry } = toWaiting(id, text);
            const since = new Date(Number.parseInt(id, 10));
            for (const event of entry ? eventsFor(query, entry) : [])
              found.push({ state, since, ...(reason && { reason }), ...event });
          }
          const last = rows.at(-1);
          if (!last) break;
          left -= rows.length;
          after = `(${last[0]}`;
        }
      }
      return found;
    },
    async forget(whom) {
      let changed = 0;
      let after = "-";
      for (;;) {
        const rows = await run<[id: string, text: string][]>(read, [QUARANTINE], [after, PAGE]);
        for (const [id, text] of rows) {
          const left = without(text, toWaiting(id, text).entry, whom);
          if (left === text) continue;
          await run(replace, [QUARANTINE], [id, left]);
          changed++;
        }
        const last = rows.at(-1);
        if (!last) return changed;
        after = `(${last[0]}`;
      }
    },
  };
}
