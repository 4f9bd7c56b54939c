const LOCAL = /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?$/i;
const OFFSET = /^([+-])(0\d|1[0-4]):([0-5]\d)$/;
const formats = new Map<string, Intl.DateTimeFormat>();
const MOST_FORMATS = 100;

/** An instant as ISO text in UTC, and the zone in which it was written. */
interface Zoned {
  readonly datetime: string;
  readonly timezone: string;
}

/**
 * Reads a date with its time, to the second: with an offset (`2026-12-01T19:00:00+01:00`), or local in a zone (`timezone`: a name
 * such as `Europe/Berlin`), or both if they agree. A time in UTC (`Z`) may have any timezone, in which it is then shown. A local
 * time that occurs twice is the earlier one. Returns the error's text for anything else.
 */
export function zonedIn(text: string, timezone?: string): Zoned | string {
  const [, minutes, seconds = "00", zone] = LOCAL.exec(text) ?? [];
  const local = Date.parse(`${minutes}:${seconds}Z`);
  if (minutes === undefined || Number.isNaN(local) || !isReal(minutes, local))
    return "must be a date and a time such as 2026-12-01T19:00:00+01:00";
  if (local < 0) return "must be 1970 or later";
  if (zone === undefined && timezone === undefined) return "needs an offset such as +01:00, or a timezone";
  if (timezone !== undefined && !isZone(timezone))
    return "timezone must be a name such as Europe/Berlin, or an offset";
  if (zone === undefined) return localIn(local, timezone!);
  const offset = offsetIn(zone);
  if (offset === undefined) return "must have an offset of at most 14 hours";
  const at = local - offset;
  if (timezone !== undefined && !/^z$/i.test(zone) && offsetAt(timezone, at) !== offset)
    return "has another offset than its timezone then";
  return { datetime: new Date(at).toISOString(), timezone: timezone ?? (offset === 0 ? "UTC" : zone) };
}

/** An instant with the offset of a zone: `2026-12-01T19:00:00+01:00`. */
export function zonedText(at: Date, timezone: string): string {
  const offset = offsetAt(timezone, at.getTime());
  const local = new Date(at.getTime() + offset).toISOString().slice(0, 19);
  const minutes = Math.abs(offset) / 60_000;
  const two = (count: number) => String(Math.floor(count)).padStart(2, "0");
  return `${local}${offset < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/** `Date.parse` turns the 30th of February into a day of March. */
function isReal(minutes: string, local: number): boolean {
  return new Date(local).toISOString().startsWith(minutes);
}

function localIn(local: number, timezone: string): Zoned | string {
  // A zone's offset changes by a few hours at most, so one of these two is the offset then.
  const offsets = [offsetAt(timezone, local - 86_400_000), offsetAt(timezone, local + 86_400_000)];
  const at = offsets
    .map((offset) => local - offset)
    .filter((instant) => instant + offsetAt(timezone, instant) === local);
  if (at.length === 0) return "does not exist in its timezone: the clocks go forward";
  return { datetime: new Date(Math.min(...at)).toISOString(), timezone };
}

function isZone(timezone: string): boolean {
  if (OFFSET.test(timezone)) return true;
  try {
    return /^[A-Za-z]/.test(timezone) && formatOf(timezone) !== undefined;
  } catch {
    return false;
  }
}

function offsetIn(zone: string): number | undefined {
  if (/^z$/i.test(zone)) return 0;
  const [, sign, hours, minutes] = OFFSET.exec(zone) ?? [];
  if (hours === undefined) return undefined;
  const offset = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return sign === "-" ? -offset : offset;
}

/** A zone's offset at an instant, in ms. */
function offsetAt(timezone: string, at: number): number {
  const fixed = offsetIn(timezone);
  if (fixed !== undefined) return fixed;
  const parts: Record<string, number> = {};
  for (const { type, value } of formatOf(timezone).formatToParts(at)) parts[type] = Number(value);
  const { year, month, day, hour, minute, second } = parts as Record<
    "year" | "month" | "day" | "hour" | "minute" | "second",
    number
  >;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1_000) * 1_000;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "iso8601",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  if (formats.size >= MOST_FORMATS) formats.clear();
  formats.set(timeZone, format);
  return format;
}
