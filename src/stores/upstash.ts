import { Redis } from "@upstash/redis";
import { HubError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { SessionCache } from "../core/sessions/cache.ts";
import { dataLayerOf } from "../core/sessions/data-layer.ts";
import type { Session } from "../core/sessions/session.ts";

interface UpstashOptions {
  readonly url: string;
  readonly token: string;
  /** How long a session's entry lives after its last write, in seconds. */
  readonly ttlSeconds: number;
  /** How long a token's entry lives after its last write, in ms, where the token may be a kiosk's. */
  readonly kioskIdleMs?: number;
  readonly log: Log;
  /** Time limit of a call, in ms. */
  readonly timeoutMs?: number;
  /** The clock by which sessions expire, in ms since 1970. */
  readonly now?: () => number;
}

/** Death marks outlive every entry by this long: an answer from before a death may be put this late. */
const LATEST_S = 60;

// Writes a session and its token, unless they are marked as dead. Check and write are one script: otherwise a death
// between the two would leave a dead session in the cache.
// KEYS: session, its death mark, token, its death mark. ARGV: document, its lifetime in ms, session_id, the token's
// lifetime in ms.
const put = `
if redis.call("EXISTS", KEYS[2]) == 1 then return 0 end
if tonumber(ARGV[4]) <= 0 then return 0 end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
if redis.call("EXISTS", KEYS[4]) == 0 then
  redis.call("SET", KEYS[3], ARGV[3], "PX", ARGV[4])
end
return 1`;

// Deletes entries and sets death marks.
// KEYS: the entries, then the death marks. ARGV: the number of entries, the lifetime of a mark in seconds.
const drop = `
redis.call("DEL", unpack(KEYS, 1, tonumber(ARGV[1])))
for i = ARGV[1] + 1, #KEYS do redis.call("SET", KEYS[i], "dead", "EX", ARGV[2]) end
return 1`;

/** The session cache in Upstash Redis. A call that fails is logged; only `ping` throws. */
export function upstashCache({
  url,
  token,
  ttlSeconds,
  kioskIdleMs = ttlSeconds * 1_000,
  log,
  timeoutMs = 1_000,
  now = Date.now,
}: UpstashOptions): SessionCache {
  const redis = new Redis({
    url,
    token,
    retry: false,
    enableTelemetry: false,
    signal: () => AbortSignal.timeout(timeoutMs),
  });
  const guarded = async (operation: string, work: () => Promise<unknown>): Promise<boolean> => {
    try {
      return Boolean(await work());
    } catch (error) {
      log("warn", "cache.failed", { operation, error: error instanceof Error ? error.name : typeof error });
      return false;
    }
  };
  /**
   * The lifetimes of the session's entry and of its token's entry, in ms. A session that has been used at a kiosk may
   * have a kiosk's token, which lives shorter.
   */
  const livesOf = ({ channels, expires_at }: Session): [number, number] => {
    const ms = Math.floor(Math.min(ttlSeconds * 1_000, expires_at.getTime() - now()));
    return [ms, channels.includes("kiosk") ? Math.min(ms, kioskIdleMs) : ms];
  };
  return {
    async put(token_hash, session) {
      const { session_id } = session;
      const names = [sessionName(session_id), tokenName(token_hash)].flatMap((name) => [
        name,
        deadName(name),
      ]);
      const [ms, tokenMs] = livesOf(session);
      const args = [JSON.stringify(documentOf(session)), ms, session_id, tokenMs];
      await guarded("put", () => redis.eval(put, names, args.map(String)));
    },
    drop({ token_hashes = [], session_ids = [], changed = [] }) {
      const dead = [...token_hashes.map(tokenName), ...session_ids.map(sessionName)];
      const names = [...dead, ...changed.map(sessionName)];
      if (names.length === 0) return Promise.resolve(true);
      const args = [names.length, ttlSeconds + LATEST_S];
      return guarded("drop", () => redis.eval(drop, [...names, ...dead.map(deadName)], args.map(String)));
    },
    knows: (of) =>
      guarded("knows", () =>
        redis.exists("token_hash" in of ? tokenName(of.token_hash) : sessionName(of.session_id)),
      ),
    async ping() {
      try {
        await redis.ping();
      } catch (cause) {
        throw new HubError("unavailable", "the cache did not answer", { reason: "cache_unreachable", cause });
      }
    },
  };
}

/**
 * The document of a session: its fields, and beside them those of the frontends' data layer. In `metadata` the data
 * layer's fields replace what a frontend wrote under the same names.
 */
function documentOf(session: Session): object {
  const { metadata, ...fields } = dataLayerOf(session);
  return { ...session, ...fields, metadata: { ...session.metadata, ...metadata } };
}

/** Stands for the cache where none is configured: it keeps nothing. */
export const noCache: SessionCache = {
  put: async () => {},
  drop: async () => true,
  knows: async () => false,
  ping: async () => {},
};

function tokenName(token_hash: string): string {
  return `token:${token_hash}`;
}

function sessionName(session_id: string): string {
  return `session:${session_id}`;
}

/** The key of a death mark: the token or session died. A mark lives longer than any entry of it can. */
function deadName(name: string): string {
  return `dead:${name}`;
}
