const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The waits between attempts: from five seconds to a day, three days in all. */
const WAITS_MS = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  4 * HOUR,
  8 * HOUR,
  12 * HOUR,
  20 * HOUR,
  24 * HOUR,
];

/** How long an endpoint may fail until it is disabled. */
export const FAILS_MS = 72 * HOUR;

/**
 * How long to wait after attempt number `attempt` (from 1): the timetable's wait, up to a fifth shorter, so that what failed
 * together does not come back together. Undefined after the last attempt: the event is a dead letter.
 */
export function eventRetryMs(attempt: number, random: () => number = Math.random): number | undefined {
  const wait = WAITS_MS[attempt - 1];
  return wait === undefined ? undefined : Math.ceil(wait * (1 - 0.2 * random()));
}
