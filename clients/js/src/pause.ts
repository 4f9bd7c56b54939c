/** The first and the longest pause between two tries, in ms. */
export type Pauses = readonly [first: number, longest: number];

/** How long to wait after this many failures: twice as long each time, and never the same on all devices. */
export function pauseAfter(failures: number, [first, longest]: Pauses): number {
  return Math.min(longest, first * 2 ** failures) * (0.5 + Math.random());
}

interface Page {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

/** Waits `ms`; less if a signal aborts, or if the browser says that it is online again. */
export function pause(ms: number, ...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    // Node has no such events.
    const page = globalThis as Partial<Page>;
    const done = () => {
      clearTimeout(timer);
      page.removeEventListener?.("online", done);
      for (const signal of signals) signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    page.addEventListener?.("online", done);
    for (const signal of signals) {
      signal?.addEventListener("abort", done);
      if (signal?.aborted) done();
    }
  });
}
