import { toHubError } from "../core/errors.ts";
import type { Store } from "../core/store.ts";
import { withTimeout } from "../core/timeout.ts";

const PROBE_MS = 2_000;
/** How long an answer counts: anybody may ask. */
const FRESH_MS = 1_000;

export interface Readiness {
  /** Whether the settings are wrong, so that it will never be ready. */
  readonly misconfigured: boolean;
  /** Whether messages can be saved now: in the store, or in the journal. */
  readonly ask: () => Promise<boolean>;
}

/** Finds out whether a hub can take messages. */
export function readinessOf(openStore: () => Pick<Store, "ping" | "journal">): Readiness {
  let asked: { readonly at: number; readonly answer: Promise<boolean> } | undefined;

  async function look(): Promise<boolean> {
    const { ping, journal } = openStore();
    try {
      await withTimeout(PROBE_MS, "store_timeout", () => ping());
      return true;
    } catch {
      if (!journal) return false;
      return withTimeout(PROBE_MS, "journal_timeout", () => journal.depth()).then(
        () => true,
        () => false,
      );
    }
  }

  return {
    misconfigured: isMisconfigured(openStore),
    ask() {
      if (!asked || Date.now() - asked.at > FRESH_MS) asked = { at: Date.now(), answer: look() };
      return asked.answer;
    },
  };
}

function isMisconfigured(open: () => unknown): boolean {
  try {
    open();
    return false;
  } catch (error) {
    if (toHubError(error).code !== "misconfigured") throw error;
    return true;
  }
}
