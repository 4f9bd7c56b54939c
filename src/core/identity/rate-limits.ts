/** How many tries one key has in a window of time. */
export interface RateLimit {
  readonly key: string;
  readonly max: number;
  /** The length of the window in ms, from its first try. */
  readonly window_ms: number;
}

const QUARTER_MS = 15 * 60_000;
const DAY_MS = 24 * 60 * 60_000;

/** The maximum of tries of one phone, network or device: in a quarter of an hour, and for some in a day. */
const MOST = {
  code: { quarter: { phone: 3, ip: 10, device: 5 }, day: { phone: 10 } },
  login: { quarter: { ip: 30, device: 15 }, day: {} },
} as const;

/** The limits for requesting codes or logging in. A key is `phone:`, `ip:` or `device:` and a hash or a phone. */
export function rateLimitsOn(purpose: keyof typeof MOST, keys: readonly string[]): RateLimit[] {
  const quarter: Readonly<Record<string, number>> = MOST[purpose].quarter;
  const day: Readonly<Record<string, number>> = MOST[purpose].day;
  return keys.flatMap((key) => {
    const kind = key.slice(0, key.indexOf(":"));
    const often = { key: `${purpose}:${key}`, max: quarter[kind] ?? quarter.ip!, window_ms: QUARTER_MS };
    const daily = day[kind];
    return daily === undefined
      ? [often]
      : [often, { key: `${purpose}:day:${key}`, max: daily, window_ms: DAY_MS }];
  });
}
