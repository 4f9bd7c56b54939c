import { Redis } from "@upstash/redis";
import type { Log, SessionCache } from "../core/ports.ts";
import { type Row, toSession } from "./rows.ts";

interface UpstashOptions {
  readonly url: string;
  readonly token: string;
  /** How long an entry lives after its last use, in seconds. */
  readonly ttlSeconds: number;
  readonly log: Log;
  /** How long a call may take. */
  readonly timeoutMs?: number;
}

/** Sessions by token in Upstash Redis. A dead cache is a miss: it is logged and fails nothing. */
export function upstashCache({
  url,
  token,
  ttlSeconds,
  log,
  timeoutMs = 1_000,
}: UpstashOptions): SessionCache {
  const redis = new Redis({
    url,
    token,
    retry: false,
    enableTelemetry: false,
    signal: () => AbortSignal.timeout(timeoutMs),
  });
  const guarded = async <T>(operation: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      log("warn", "cache.failed", { operation, error: error instanceof Error ? error.name : typeof error });
      return undefined;
    }
  };
  return {
    async get(token_hash) {
      const row = await guarded("get", () => redis.getex<Row>(key(token_hash), { ex: ttlSeconds }));
      return row ? toSession(row) : undefined;
    },
    async put(token_hash, session) {
      await guarded("put", () => redis.set(key(token_hash), JSON.stringify(session), { ex: ttlSeconds }));
    },
    async drop(token_hashes) {
      if (token_hashes.length > 0) await guarded("drop", () => redis.del(...token_hashes.map(key)));
    },
  };
}

/** The cache of a hub without one. */
export const noCache: SessionCache = {
  get: async () => undefined,
  put: async () => {},
  drop: async () => {},
};

function key(token_hash: string): string {
  return `session:${token_hash}`;
}
