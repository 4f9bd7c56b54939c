import type { Bubble, DeviceName, Screen } from "../model.ts";

/** The most bubbles that a device keeps. */
const MOST = 300;

/** All devices that were used, by the address of their person. */
export interface Screens {
  /** The time at the platforms, in ms since 1970. */
  now(): number;
  /** Where a browser finds the file with this id of a platform, if it is one of the simulator's. */
  urlOf(id: unknown): string | undefined;
  /** How long the recording with this id lasts, if it is one of the simulator's. */
  secondsOf(id: unknown): number | undefined;
  /** The screen of that address; empty at first. */
  at(device: DeviceName, address: string): Screen;
  /** Changes a screen and tells those who watch. */
  change(device: DeviceName, address: string, change: (screen: Screen) => void): void;
}

export function createScreens(
  { urlOf, secondsOf }: Pick<Screens, "urlOf" | "secondsOf">,
  changed: (screen: Screen) => void,
  now: () => number,
): Screens {
  const screens = new Map<string, Screen>();

  function at(device: DeviceName, address: string): Screen {
    const key = `${device}:${address}`;
    const screen = screens.get(key) ?? { device, address, bubbles: [] };
    screens.set(key, screen);
    return screen;
  }

  return {
    now,
    urlOf,
    secondsOf,
    at,
    change(device, address, change) {
      const screen = at(device, address);
      change(screen);
      changed(screen);
    },
  };
}

/** Adds a bubble, or replaces what is known of it. */
export function put(screen: Screen, bubble: Bubble): void {
  const at = screen.bubbles.findIndex(({ id, by }) => id === bubble.id && by === bubble.by);
  if (at >= 0) {
    const { reactions, tick, at: since } = screen.bubbles[at]!;
    screen.bubbles[at] = { ...(reactions && { reactions }), ...(tick && { tick }), ...bubble, at: since };
    return;
  }
  screen.bubbles.push(bubble);
  if (screen.bubbles.length > MOST) screen.bubbles.shift();
}

/** Changes the bubble with this id, whoever wrote it, if the screen has it. */
export function amend(screen: Screen, id: string, change: Partial<Bubble>): void {
  const at = screen.bubbles.findIndex((bubble) => bubble.id === id);
  if (at >= 0) screen.bubbles[at] = { ...screen.bubbles[at]!, ...change };
}

/** Sets what one side reacted with; null takes it back. */
export function react(screen: Screen, id: string, by: "customer" | "hub", emoji: string | null): void {
  const before = screen.bubbles.find((bubble) => bubble.id === id)?.reactions ?? {};
  const { [by]: _, ...others } = before;
  amend(screen, id, { reactions: { ...others, ...(emoji && { [by]: emoji }) } });
}

const DRAFT = "draft";

/** Shows an answer that is still being written; without text it is gone. */
export function showDraft(screen: Screen, content: Partial<Bubble>, at: number): void {
  dropDraft(screen);
  if (content.text) screen.bubbles.push({ ...content, id: DRAFT, by: "hub", kind: DRAFT, at });
}

/** Takes the draft away: the answer itself has come. */
export function dropDraft(screen: Screen): void {
  screen.bubbles = screen.bubbles.filter(({ kind }) => kind !== DRAFT);
}
