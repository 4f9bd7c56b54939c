import { HubError } from "../errors.ts";

const DAYS = ["mo", "tu", "we", "th", "fr", "sa", "su"];
const DAY_MINUTES = 24 * 60;
const MINUTE_MS = 60_000;

/** When the people of the shop answer: minutes of each weekday, from Monday, as `[from, to)`; and the zone of the clock. */
export interface OpeningHours {
  readonly days: readonly (readonly (readonly [from: number, to: number])[])[];
  readonly timeZone: string;
}

/**
 * Reads hours such as `Mo-Fr 09:00-18:00, Sa 10:00-14:00`. Days that are not named are closed; a day may be named twice. Throws
 * `misconfigured`.
 */
export function openingHours(text: string, timeZone: string): OpeningHours {
  const days: [number, number][][] = DAYS.map(() => []);
  for (const item of text.split(",").map((one) => one.trim().toLowerCase())) {
    const [, first, last, from, to] =
      /^([a-z]{2})[a-z]*(?: ?- ?([a-z]{2})[a-z]*)? (\d{2}:\d{2}) ?- ?(\d{2}:\d{2})$/.exec(item) ?? [];
    const begins = DAYS.indexOf(first ?? "");
    const ends = last === undefined ? begins : DAYS.indexOf(last);
    const [opens, closes] = [minutesOf(from), minutesOf(to)];
    if (begins < 0 || ends < 0 || !(opens < closes))
      throw new HubError(
        "misconfigured",
        "OPENING_HOURS must be hours such as Mo-Fr 09:00-18:00, Sa 10:00-14:00",
      );
    for (let day = begins; ; day = (day + 1) % DAYS.length) {
      days[day]!.push([opens, closes]);
      if (day === ends) break;
    }
  }
  try {
    new Intl.DateTimeFormat("en", { timeZone });
  } catch {
    throw new HubError("misconfigured", "OPENING_TIME_ZONE must be a time zone such as Europe/Berlin");
  }
  return { days, timeZone };
}

/** Whether somebody is there at an instant. */
export function isOpen(hours: OpeningHours, at: Date): boolean {
  const { day, minute } = clockIn(hours.timeZone, at);
  return hours.days[day]!.some(([from, to]) => from <= minute && minute < to);
}

/** When somebody is there next, exact to a minute; undefined if never within eight days. */
export function nextOpening(hours: OpeningHours, at: Date): Date | undefined {
  const start = Math.floor(at.getTime() / MINUTE_MS) * MINUTE_MS;
  // Quarter hours would do for most; each minute is right in every zone, and at most a few thousand steps.
  for (let minute = 1; minute <= 8 * DAY_MINUTES; minute++) {
    const then = new Date(start + minute * MINUTE_MS);
    if (isOpen(hours, then)) return then;
  }
  return undefined;
}

function minutesOf(time: string | undefined): number {
  const [hours = Number.NaN, minutes = Number.NaN] = time?.split(":").map(Number) ?? [];
  return hours <= 24 && minutes < 60 && hours * 60 + minutes <= DAY_MINUTES
    ? hours * 60 + minutes
    : Number.NaN;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function clockIn(timeZone: string, at: Date): { day: number; minute: number } {
  const clock =
    clocks.get(timeZone) ??
    new Intl.DateTimeFormat("en-GB", {
      timeZone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
  clocks.set(timeZone, clock);
  const parts = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, value]));
  const day = DAYS.indexOf(parts.weekday!.slice(0, 2).toLowerCase());
  return { day, minute: Number(parts.hour) * 60 + Number(parts.minute) };
}
