import type { Bubble, Choice } from "../model.ts";
import { Refused } from "../refused.ts";

/** All choices on a bubble: buttons, rows of a list, buttons of cards. */
export function choicesOn({ buttons = [], list, cards = [] }: Bubble): Choice[] {
  return [...buttons.flat(), ...(list?.rows ?? []), ...cards.flatMap((card) => card.buttons)];
}

/** The choice with this title on the bubble. Throws `Refused` without one, or for a link. */
export function tapped(bubble: Bubble | undefined, title: string): { choice: Choice; on: Bubble } {
  const choice = bubble && choicesOn(bubble).find((one) => one.title === title && one.tap !== undefined);
  if (!bubble || !choice) throw new Refused(`the device shows no "${title}" to tap`, "notShown");
  return { choice, on: bubble };
}
