/** A fixed number of slots, given out in the order of the calls. */
export interface Slots {
  /** Waits for a slot; returns a function that gives it back. An abort before that rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<() => void>;
  /** Makes all slots free again, because what they stand for has been replaced. Slots taken before count no more. */
  renew(): void;
}

/** Creates `count` free slots. */
export function slots(count: number): Slots {
  let free = count;
  let generation = 0;
  const waiting = new Set<() => void>();

  function serve(): void {
    for (const next of waiting) {
      if (free === 0) return;
      free--;
      waiting.delete(next);
      next();
    }
  }

  function giveBack(taken: number): void {
    if (taken !== generation) return;
    free++;
    serve();
  }

  return {
    take(signal) {
      return new Promise((resolve, reject) => {
        const next = () => {
          const taken = generation;
          resolve(() => giveBack(taken));
        };
        waiting.add(next);
        signal.addEventListener("abort", () => {
          if (waiting.delete(next)) reject(signal.reason);
        });
        serve();
      });
    },
    renew() {
      generation++;
      free = count;
      serve();
    },
  };
}
