const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Calls `look` until `found` is true for its result, `waitMs` have passed or `signal` aborts. Returns the last result.
 * The pauses grow to one second, so 25 s cost fewer than thirty calls.
 */
export async function poll<T>(
  look: () => Promise<T>,
  found: (seen: T) => boolean,
  waitMs: number,
  signal: AbortSignal,
): Promise<T> {
  const deadline = Date.now() + waitMs;
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    const seen = await look();
    const left = deadline - Date.now();
    if (found(seen) || left <= 0 || signal.aborted) return seen;
    await pause(Math.min(pauseMs, left), signal);
    pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS);
  }
}

/** Waits `ms`, or until the signal aborts or the promise resolves. */
export function pause(ms: number, signal: AbortSignal, sooner?: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    if (signal.aborted) done();
    else signal.addEventListener("abort", done);
    void sooner?.then(done);
  });
}
