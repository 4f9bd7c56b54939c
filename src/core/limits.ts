/** How often one of a kind may try in a window. */
export interface Limit {
  readonly key: string;
  readonly max: number;
}

export const LIMIT_WINDOW_MS = 15 * 60_000;

const MOST = {
  code: { phone: 3, ip: 10, device: 5 },
  login: { ip: 30, device: 15 },
} as const;

/** The limits on asking for codes or on logging in, from the keys of who asks (`ip:` or `device:` and a hash). */
export function limitsOn(purpose: keyof typeof MOST, keys: readonly string[]): Limit[] {
  return keys.map((key) => {
    const kind = key.slice(0, key.indexOf(":"));
    const most: Readonly<Record<string, number>> = MOST[purpose];
    return { key: `${purpose}:${key}`, max: most[kind] ?? most.ip! };
  });
}
