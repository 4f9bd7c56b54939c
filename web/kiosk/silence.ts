import { type Signal, signal } from "@preact/signals";

/** A visit ends after this long without a touch; the countdown begins before. */
const SILENCE_MS = 60_000;
const COUNTDOWN_S = 15;

export interface Silence {
  /** The seconds that are left while the countdown runs; undefined: somebody is there. */
  readonly left: Signal<number | undefined>;
  /** Somebody is there. */
  touch(): void;
}

/** Watches for silence: no touch, no key, for a minute. Then it calls `end`, once, after a countdown. */
export function silenceOf(end: () => void): Silence {
  const left = signal<number | undefined>(undefined);
  let since = Date.now();
  let isOver = false;
  setInterval(() => {
    if (isOver) return;
    const rest = Math.ceil((SILENCE_MS - (Date.now() - since)) / 1_000);
    left.value = rest <= COUNTDOWN_S ? Math.max(0, rest) : undefined;
    if (rest > 0) return;
    isOver = true;
    end();
  }, 250);
  const touch = () => {
    since = Date.now();
    left.value = undefined;
  };
  for (const name of ["pointerdown", "keydown", "wheel", "input"])
    addEventListener(name, touch, { capture: true, passive: true });
  return { left, touch };
}
