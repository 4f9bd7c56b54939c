/** What the kiosk knows of its hub and of itself. */
export interface KioskConfig {
  /** The country of the pad, as two capital letters. */
  readonly country: string;
  /** The kiosk's API key; absent: the hub needs none. */
  readonly key?: string;
  /** The hub opens no session without a key. */
  readonly needsKey: boolean;
  readonly messengers: readonly string[];
}

const KEY = "hub-kiosk-key";
const COUNTRY = "hub-kiosk-country";
/** What the hub said at the last start. It names no customer. */
const HUB = "hub-kiosk-hub";
const OWN: readonly string[] = [KEY, COUNTRY, HUB];

/**
 * Takes the kiosk's own settings from the address, as `/kiosk#key=…&country=DE`, and keeps them on this device. The fragment is
 * sent to nobody, and is removed from the address.
 */
export function takeSettings(): void {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const [name, kept] of [
    ["key", KEY],
    ["country", COUNTRY],
  ] as const) {
    const value = given.get(name);
    if (value) localStorage.setItem(kept, value);
  }
  if (location.hash) history.replaceState(null, "", location.pathname);
}

interface HubConfig {
  readonly country: string | null;
  readonly messengers: readonly string[];
  readonly kiosk: { readonly needs_key: boolean };
}

/** The settings, from the hub and this device. Never rejects: without an answer they are those of the last start. */
export async function configOf(limitMs: number): Promise<KioskConfig> {
  const key = localStorage.getItem(KEY);
  const hub = (await asked(limitMs)) ?? lastKnown();
  const region = new Intl.Locale(navigator.language).maximize().region;
  return {
    country: localStorage.getItem(COUNTRY) ?? hub?.country ?? region ?? "DE",
    ...(key && { key }),
    needsKey: hub?.kiosk.needs_key === true,
    messengers: hub?.messengers ?? [],
  };
}

async function asked(limitMs: number): Promise<HubConfig | undefined> {
  try {
    const answer = await fetch("/api/config", { signal: AbortSignal.timeout(limitMs) });
    if (!answer.ok) return undefined;
    const config = (await answer.json()) as HubConfig;
    localStorage.setItem(HUB, JSON.stringify(config));
    return config;
  } catch {
    return undefined;
  }
}

function lastKnown(): HubConfig | undefined {
  try {
    return JSON.parse(localStorage.getItem(HUB) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** Deletes everything that a customer may have left on this device, and keeps the kiosk's own settings. */
export async function wipe(): Promise<void> {
  for (const name of Object.keys(localStorage)) if (!OWN.includes(name)) localStorage.removeItem(name);
  sessionStorage.clear();
  for (const { name } of (await indexedDB.databases?.()) ?? []) if (name) indexedDB.deleteDatabase(name);
}
