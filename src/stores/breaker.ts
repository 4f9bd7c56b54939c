import { HubError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { BreakerState } from "../core/store.ts";
import type { SqlCall } from "./sql.ts";

const FAILURES = 3;
const OPEN_MS = 1_000;
/**
 * How long other calls wait for the one that tries the database again. It is longer than a call may take: after it, the
 * call has ended, or its request was cancelled and it never will.
 */
const PROBE_MS = 6_000;
/** SQLSTATEs of a database that is going down, out of something or too slow: https://www.postgresql.org/docs/17/errcodes-appendix.html */
const DOWN = /^(08|53|57|58)/;

/** Stops calls to a database that is down, so that not every call waits for its whole time limit. */
export interface Breaker {
  /** The same calls. While the breaker is open they throw `unavailable` at once, with reason `breaker_open`. */
  wrap(call: SqlCall): SqlCall;
  state(): BreakerState;
}

interface BreakerOptions {
  readonly log: Log;
  readonly now?: () => number;
  readonly random?: () => number;
}

/**
 * Opens after three calls in a row that the database did not answer, for one to two seconds. Then one call may try; its
 * answer closes the breaker. An error about the call itself, not about the state of the database, counts as an answer.
 * There is one breaker per isolate.
 */
export function circuitBreaker({ log, now = Date.now, random = Math.random }: BreakerOptions): Breaker {
  let failures = 0;
  let openUntil = 0;

  function state(): BreakerState {
    if (failures < FAILURES) return "closed";
    return now() < openUntil ? "open" : "half_open";
  }

  function answered(): void {
    if (failures >= FAILURES) log("info", "store.breaker_closed", {});
    failures = 0;
  }

  function failed({ code, reason }: HubError): void {
    failures += 1;
    if (failures < FAILURES) return;
    openUntil = now() + OPEN_MS * (1 + random());
    if (failures === FAILURES) log("warn", "store.breaker_open", { code, reason });
  }

  return {
    state,
    wrap: (call) => async (name, argument) => {
      const before = state();
      if (before === "open")
        throw new HubError("unavailable", "the database does not answer", {
          reason: "breaker_open",
          retryAfterMs: openUntil - now(),
        });
      if (before === "half_open") openUntil = now() + PROBE_MS;
      try {
        const row = await call(name, argument);
        answered();
        return row;
      } catch (error) {
        if (isDown(error)) failed(error);
        else answered();
        throw error;
      }
    },
  };
}

function isDown(error: unknown): error is HubError {
  if (!(error instanceof HubError) || (error.code !== "unavailable" && error.code !== "throttled"))
    return false;
  const reason = error.reason ?? "";
  if (/^PGRST/.test(reason)) return /^PGRST00/.test(reason);
  if (/^http_/.test(reason)) return /^http_(5|408|429)/.test(reason);
  return !/^[0-9A-Z]{5}$/.test(reason) || DOWN.test(reason);
}
