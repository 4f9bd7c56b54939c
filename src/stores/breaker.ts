import { HubError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { BreakerState } from "../core/store.ts";
import type { SqlCall } from "./sql.ts";

const FAILURES = 3;
const OPEN_MS = 1_000;
/** Longer than a call may take: by then whoever tried has come back, or never will (a cancelled request). */
const PROBE_MS = 6_000;
/** SQLSTATEs of a database that is going down, out of something or too slow: https://www.postgresql.org/docs/17/errcodes-appendix.html */
const DOWN = /^(08|53|57|58)/;

/** Keeps a dead database from costing its time limit again and again. */
export interface Breaker {
  /** The same calls; they fail at once with reason `breaker_open` while it is open. */
  wrap(call: SqlCall): SqlCall;
  state(): BreakerState;
}

interface BreakerOptions {
  readonly log: Log;
  readonly now?: () => number;
  readonly random?: () => number;
}

/**
 * Opens after three calls in a row that found no database, for one to two seconds; then one call may try, and closes it
 * when it is answered. One per isolate. An error that the database itself reports is an answer.
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
