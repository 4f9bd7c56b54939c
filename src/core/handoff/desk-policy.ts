import type { Reply } from "../content/reply.ts";
import { textIn } from "../texts/text-in.ts";
import { isOpen, nextOpening, type OpeningHours } from "./opening-hours.ts";

/** How the people of the shop answer, beside the bot. */
export interface DeskPolicy {
  /** Whether a customer who asks for a person by a word gets one without the bot. */
  readonly words: boolean;
  /** When they are there. Absent: always. */
  readonly hours?: OpeningHours;
  /** The shop's own text to customers who ask for a person while nobody is there, in every language. */
  readonly awayMessage?: string;
  /** How long a customer may wait for a person before the conversation is marked and reported. Absent: no limit. */
  readonly waitLimitMs?: number;
}

/**
 * What the hub itself says when a conversation is handed over: while nobody is there, when that is over; else only to a customer who has
 * asked, that somebody will come.
 */
export function saidAtHandover(
  { hours, awayMessage }: DeskPolicy,
  by: "bot" | "customer",
  language: string | undefined,
  now: Date,
): Reply[] {
  if (hours && !isOpen(hours, now)) {
    if (awayMessage !== undefined) return [{ kind: "text", text: awayMessage }];
    const opens = nextOpening(hours, now);
    const text = opens
      ? textIn(language, "away_until", { time: timeIn(opens, language, hours.timeZone) })
      : textIn(language, "away");
    return [{ kind: "text", text }];
  }
  return by === "customer" ? [{ kind: "text", text: textIn(language, "person_asked") }] : [];
}

function timeIn(at: Date, language: string | undefined, timeZone: string): string {
  const format = { weekday: "long", hour: "numeric", minute: "2-digit", timeZone } as const;
  try {
    return new Intl.DateTimeFormat(language ?? "en", format).format(at);
  } catch {
    return new Intl.DateTimeFormat("en", format).format(at);
  }
}
