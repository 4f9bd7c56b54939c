const FIRST_MS = 2_000;
const LONGEST_MS = 15 * 60_000;

/** How long to wait after attempt number `attempt` (from 1): exponential with full jitter, 15 minutes at most. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  return Math.ceil(random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1)));
}
