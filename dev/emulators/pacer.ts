/** A rate limit for each key: at most `burst` at once, then one per `intervalMs`. */
export interface Pace {
  readonly intervalMs: number;
  readonly burst: number;
}

export interface Pacer {
  /** How many ms this key must wait; 0 if it may go now. Uses up nothing. */
  wait(key: string | number, now: number): number;
  take(key: string | number, now: number): void;
}

const SWEEP_ABOVE = 10_000;

/** Counts one rate limit. It stores for each key the time at which its whole burst is free again (GCRA). */
export function createPacer({ intervalMs, burst }: Pace): Pacer {
  const fullAgainAt = new Map<string | number, number>();
  let sweepAbove = SWEEP_ABOVE;

  function sweep(now: number): void {
    for (const [key, at] of fullAgainAt) if (at <= now) fullAgainAt.delete(key);
    sweepAbove = Math.max(SWEEP_ABOVE, fullAgainAt.size * 2);
  }

  return {
    wait(key, now) {
      const at = fullAgainAt.get(key) ?? now;
      return Math.max(0, at - now - (burst - 1) * intervalMs);
    },
    take(key, now) {
      fullAgainAt.set(key, Math.max(fullAgainAt.get(key) ?? now, now) + intervalMs);
      if (fullAgainAt.size > sweepAbove) sweep(now);
    },
  };
}
