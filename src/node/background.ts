/** The work that goes on after answers. */
export interface Background {
  /** Adds work, as a Worker's `waitUntil` does. */
  readonly add: (work: Promise<unknown>) => void;
  /** Resolves with true once no work is left, and with false after `ms`. */
  readonly end: (ms: number) => Promise<boolean>;
}

/** Keeps track of background work, so that a stop can wait for it. */
export function background(): Background {
  const running = new Set<Promise<unknown>>();
  return {
    add(work) {
      const watched = work.then(
        () => void running.delete(watched),
        () => void running.delete(watched), // whoever started it has logged it
      );
      running.add(watched);
    },
    async end(ms) {
      const late = new Promise<void>((resolve) => setTimeout(resolve, ms).unref());
      const deadline = Date.now() + ms;
      // Work may add further work.
      while (running.size > 0 && Date.now() < deadline) await Promise.race([Promise.all(running), late]);
      return running.size === 0;
    },
  };
}
