/** A fixed number of slots, given out in the order of the calls. */
export interface Slots {
  /** Takes a slot if one is free. Returns the function that gives it back, or undefined. */
  takeFree(): (() => void) | undefined;
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

  function slot(): () => void {
    const taken = generation;
    return () => giveBack(taken);
  }

  return {
    takeFree() {
      if (free === 0) return undefined; // While others wait, no slot is free.
      free--;
      return slot();
    },
    take(signal) {
      return new Promise((resolve, reject) => {
        const next = () => resolve(slot());
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
