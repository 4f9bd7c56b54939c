import type { Hub } from "../../core/hub.ts";

/** Longer than what proving a phone usually takes, a slow password hash included. */
export const STEP_MS = 300;

/**
 * Does the work and comes back a whole number of steps after it began, also when it throws: how long it took, which may
 * depend on whether a phone is known, cannot be told from outside.
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
