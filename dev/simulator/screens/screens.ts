import type { Bubble, DeviceName, Screen } from "../model.ts";

/** The most bubbles that a device keeps. */
const MOST = 300;

/** All devices that were used, by the address of their person. */
export interface Screens {
  /** The screen of that address; empty at first. */
  at(device: DeviceName, address: string): Screen;
  /** Changes a screen and tells those who watch. */
  change(device: DeviceName, address: string, change: (screen: Screen) => void): void;
}

export function createScreens(changed: (screen: Screen) => void): Screens {
  const screens = new Map<string, Screen>();

  function at(device: DeviceName, address: string): Screen {
    const key = `${device}:${address}`;
    const screen = screens.get(key) ?? { device, address, bubbles: [] };
    screens.set(key, screen);
    return screen;
  }

  return {
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
