import { HubError } from "../../core/errors.ts";
import type { RateLimit } from "../../core/identity/rate-limits.ts";
import { later, type Tables } from "./tables.ts";

/**
 * The wrong password with this number locks the phone: for a minute, doubled with each further one, at most an hour.
 */
const FREE_FAILURES = 5;
const FIRST_LOCK_MS = 60_000;
const LONGEST_LOCK_MS = 60 * 60_000;
/** Wrong passwords are forgotten this long after the end of the last lock. */
export const FORGET_MS = 24 * 60 * 60_000;

/** Counts a try against each limit. Throws `too_many_requests`, and counts nothing, when one of them is reached. */
export function takeLimits({ rateLimits }: Tables, taken: readonly RateLimit[], now: Date): void {
  const windows = taken.map(({ key, max, window_ms }) => {
    const window = rateLimits.get(key);
    const open = window && window.ends_at > now ? window : { count: 0, ends_at: later(now, window_ms) };
    return { key, max, open };
  });
  const full = windows.filter(({ max, open }) => open.count >= max).map(({ open }) => open.ends_at.getTime());
  if (full.length > 0) throw tooMany(Math.max(...full) - now.getTime());
  for (const { key, open } of windows) rateLimits.set(key, { ...open, count: open.count + 1 });
}

/** Throws `too_many_requests` while a phone's password may not be tried. */
export function refuseLocked({ rateLimits }: Tables, phone: string, now: Date): void {
  const failures = rateLimits.get(keyOf(phone));
  if (failures && failures.count >= FREE_FAILURES && failures.ends_at > now)
    throw tooMany(failures.ends_at.getTime() - now.getTime());
}

/** Counts a wrong password for a phone, also for an unknown one. */
export function addFailure({ rateLimits }: Tables, phone: string, now: Date): void {
  const before = rateLimits.get(keyOf(phone));
  const count = 1 + (before && later(before.ends_at, FORGET_MS) > now ? before.count : 0);
  const lockMs =
    count < FREE_FAILURES ? 0 : Math.min(LONGEST_LOCK_MS, FIRST_LOCK_MS * 2 ** (count - FREE_FAILURES));
  rateLimits.set(keyOf(phone), { count, ends_at: later(now, lockMs) });
}

/** Forgets the wrong passwords. */
export function clearFailures({ rateLimits }: Tables, phone: string): void {
  rateLimits.delete(keyOf(phone));
}

function keyOf(phone: string): string {
  return `password:${phone}`;
}

function tooMany(retryAfterMs: number): HubError {
  return new HubError("too_many_requests", "too many tries; wait a while", { retryAfterMs });
}
