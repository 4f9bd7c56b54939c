import { HubError } from "./errors.ts";

/**
 * Runs `work` with a signal that aborts after `ms`. It then throws `unavailable` with `reason`, even if `work` goes on.
 * The signal is made only for work that takes it: it costs more than the timer.
 */
export async function withTimeout<T>(
  ms: number,
  reason: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = work.length > 0 ? new AbortController() : undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new HubError("unavailable", `no answer within ${ms} ms`, { reason });
      reject(error);
      controller?.abort(error);
    }, ms);
  });
  try {
    return await Promise.race([work(controller?.signal as AbortSignal), late]);
  } finally {
    clearTimeout(timer);
  }
}
