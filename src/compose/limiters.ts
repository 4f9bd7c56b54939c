import type { Log } from "../core/log.ts";
import type { Env } from "../core/settings.ts";
import type { RateLimiter, RateLimiters } from "../http/rate-limits.ts";

/** The rate limiters whose bindings are there. The others are off, which is logged. */
export function limitersOf({ ENTRY_LIMITER, DEVICE_LIMITER, CALLER_LIMITER }: Env, log: Log): RateLimiters {
  const missing = Object.entries({ ENTRY_LIMITER, DEVICE_LIMITER, CALLER_LIMITER }).flatMap(([name, one]) =>
    one ? [] : name,
  );
  if (missing.length > 0)
    log("warn", "rate_limits.off", {
      message: `no binding ${missing.join(", ")}: networks may call as often as they like`,
    });
  return {
    ...(ENTRY_LIMITER !== undefined && { entry: ENTRY_LIMITER as RateLimiter }),
    ...(DEVICE_LIMITER !== undefined && { device: DEVICE_LIMITER as RateLimiter }),
    ...(CALLER_LIMITER !== undefined && { caller: CALLER_LIMITER as RateLimiter }),
  };
}
