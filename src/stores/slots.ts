/** A few of something to share, the first come first. */
export interface Slots {
  /** Waits for a slot and returns how to give it back. Rejects with the signal's reason when that comes before. */
  take(signal: AbortSignal): Promise<() => void>;
  /** Takes all slots back, for those who wait: what they stood for has been replaced. */
  renew(): void;
}

/** This many slots. */
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
