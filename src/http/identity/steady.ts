import type { Hub } from "../../core/hub.ts";

/** Longer than it usually takes to verify a phone, including a slow password hash. */
export const STEP_MS = 300;

/**
 * Does the work, and returns or throws a whole number of steps after it began. The time of the work may depend on
 * whether a phone is known, so callers must not be able to measure it.
 */
export async function steady<T>(
  { now, sleep }: Pick<Hub, "now" | "sleep">,
  work: () => Promise<T>,
): Promise<T> {
  const began = now().getTime();
  try {
    return await work();
  } finally {
    const took = now().getTime() - began;
    await sleep(Math.max(1, Math.ceil(took / STEP_MS)) * STEP_MS - took);
  }
}
