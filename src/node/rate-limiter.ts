import type { RateLimiter } from "../http/rate-limits.ts";

/** The most keys that are counted at once; past it the window begins anew for all. */
const MOST_KEYS = 100_000;

/** Lets `limit` calls of a key through in each window of `periodMs`. It counts in this process only. */
export function rateLimiter(limit: number, periodMs: number, now: () => number = Date.now): RateLimiter {
  const counts = new Map<string, number>();
  let ends = 0;
  return {
    async limit({ key }) {
      if (now() >= ends || counts.size >= MOST_KEYS) {
        counts.clear();
        ends = now() + periodMs;
      }
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      return { success: count <= limit };
    },
  };
}
