import { HubError } from "./errors.ts";

/**
 * Runs `work` with a signal that aborts after `ms`. It then throws `unavailable` with `reason`, even if `work` goes on.
 */
export async function withTimeout<T>(
  ms: number,
  reason: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new HubError("unavailable", `no answer within ${ms} ms`, { reason });
      reject(error);
      controller.abort(error);
    }, ms);
  });
  try {
    return await Promise.race([work(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}
