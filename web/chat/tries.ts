import { HubError } from "@session-hub/client";

/** Whether the same call may succeed later. */
export function isPassing(error: unknown): error is HubError {
  return (
    error instanceof HubError &&
    [
      "network",
      "timeout",
      "too_many_requests",
      "unavailable",
      "scan_unavailable",
      "throttled",
      "misconfigured",
      "internal",
    ].includes(error.code)
  );
}

/** The first and the longest pause between two tries, in ms. */
const PAUSES = [500, 30_000] as const;

/** Waits before the next try, longer after each failure; less if the browser says that it is online again. */
export function pause({ retryAfterMs = 0 }: HubError, failures: number): Promise<void> {
  const ms = Math.max(retryAfterMs, Math.min(PAUSES[1], PAUSES[0] * 2 ** failures));
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
  });
}

/** Runs the work in one tab at a time. */
export async function oneTab(name: string, work: () => Promise<void>): Promise<void> {
  // Absent in pages without TLS, and in old browsers.
  if (navigator.locks) await navigator.locks.request(name, work);
  else await work();
}
