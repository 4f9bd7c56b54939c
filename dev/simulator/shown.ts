import type { Bubble, DeviceName, Person, Screen } from "./model.ts";
import type { Shown } from "./scenario.ts";

/**
 * What a device got, as a scenario keeps it: the person's numbers and name for them, ids, codes, dates and times are replaced by
 * words, since they differ from run to run.
 */
export function shownOf(device: DeviceName, bubble: Bubble, person: Person): Shown {
  const text = [bubble.header, bubble.text].filter(Boolean).join("\n");
  return { device, kind: bubble.kind, ...(text && { text: steady(text, person) }) };
}

/** The hub's own bubbles on a screen that are not in `before`. */
export function newOn(screen: Screen, before: ReadonlySet<string>): Bubble[] {
  return screen.bubbles.filter(({ id, by, from }) => by === "hub" && !from && !before.has(id));
}

/** Whether a device showed what was expected. An expectation without text is met by any. */
export function saysSame(expected: Shown, shown: Shown): boolean {
  const { device, kind, text } = expected;
  return device === shown.device && kind === shown.kind && (text === undefined || text === shown.text);
}

function steady(text: string, { phone, whatsapp, telegram, customer_id }: Person): string {
  const own: [string, string][] = [
    [phone, "‹phone›"],
    [phone.slice(1), "‹phone›"],
    [whatsapp, "‹whatsapp›"],
    [String(telegram), "‹telegram›"],
    [customer_id, "‹customer›"],
  ];
  let steady = text;
  for (const [value, word] of own) steady = steady.replaceAll(value, word);
  return steady
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "‹id›")
    .replaceAll(/\d{4}-\d\d-\d\d(T[\d:.]+Z?)?/g, "‹date›")
    .replaceAll(/\b[\p{L}]+,? \d{1,2} [\p{L}]+( \d{4})?\b|\b\p{L}+ \d{1,2}, \d{4}\b/gu, "‹date›")
    .replaceAll(/\b\d{6}\b/g, "‹code›");
}
