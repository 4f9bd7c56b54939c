import type { Content } from "../messages/content.ts";
import type { Reply } from "./reply.ts";

/** One of the answers that a reply offers, with the bot's own id. */
export interface Choice {
  readonly id: string;
  readonly title: string;
  readonly description?: string | undefined;
}

/** The answers that a reply offers, in order. Their places, from 1, are what customers type. */
export function choicesOf(reply: Reply): Choice[] {
  switch (reply.kind) {
    case "buttons":
      return reply.buttons.flatMap((button) => ("id" in button ? [button] : []));
    case "list":
      return reply.sections.flatMap(({ rows }) => rows);
    case "carousel":
      return reply.cards.flatMap(({ buttons = [] }) => buttons.flatMap((one) => ("id" in one ? [one] : [])));
    default:
      return [];
  }
}

/** How an answer to a choice names it in `interaction`. */
export function interactionOf(kind: Reply["kind"]): "button" | "list" {
  return kind === "list" ? "list" : "button";
}

/**
 * What a platform gets in place of an id that is too long for it: the place of the choice, which the hub looks up in its
 * message at the tap. An id of the bot that looks like one is replaced too.
 */
export function idWithin(id: string, place: number, fits: (id: string) => boolean): string {
  return fits(id) && !HANDLE.test(id) ? id : `#${place}`;
}

const HANDLE = /^#(\d{1,3})$/;
/** The zeros of the scripts whose digits customers type: ASCII, Arabic, Persian, Devanagari, Bengali, full width. */
const ZEROS = [0x30, 0x660, 0x6f0, 0x966, 0x9e6, 0xff10];
const TYPED = /^\s*([0-9٠-٩۰-۹०-९০-৯０-９]{1,3})\s*[.)]?\s*$/;

/** An inbound content that may name a choice of an earlier reply: by its id, or by its place. */
export interface Chosen {
  readonly id?: string;
  readonly place?: number;
  /** The customer typed the place. It counts only for a reply with numbered choices. */
  readonly typed: boolean;
}

/** What a content may choose; undefined for nearly all contents. A forwarded text chooses nothing. */
export function chosenIn(content: Content): Chosen | undefined {
  if (content.kind === "interaction") {
    const { interaction, id } = content;
    if (id === undefined || (interaction !== "button" && interaction !== "list")) return undefined;
    const place = HANDLE.exec(id)?.[1];
    return place === undefined ? { id, typed: false } : { place: Number(place), typed: false };
  }
  if (content.kind !== "text" || content.context?.forwarded || content.text.length > 16) return undefined;
  const digits = TYPED.exec(content.text)?.[1];
  return digits === undefined ? undefined : { place: numberOf(digits), typed: true };
}

/** The number that the digits of one script mean. */
function numberOf(digits: string): number {
  return [...digits].reduce((number, digit) => {
    const code = digit.codePointAt(0)!;
    return number * 10 + code - ZEROS.findLast((zero) => zero <= code)!;
  }, 0);
}
