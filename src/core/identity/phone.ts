import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from "libphonenumber-js/max";
import { HubError } from "../errors.ts";

/** A phone in E.164 with one spelling per person, or the error code that says why there is none. */
export type PhoneReading =
  | { readonly phone: string }
  | { readonly phone?: undefined; readonly refused: "malformed" | "phone_ambiguous" };

const NONE: PhoneReading = { refused: "malformed" };
const AMBIGUOUS: PhoneReading = { refused: "phone_ambiguous" };

/** Longer than any spelling of a phone, and short enough to search. */
const LONGEST = 200;
const ARABIC_DIGITS = /[٠-٩۰-۹]/g;
/** Invisible characters, such as the direction marks around a number in copied contacts. */
const INVISIBLE = /\p{Cf}/gu;
/** An RFC 3966 number whose country prefix stands in `phone-context`. */
const WITH_CONTEXT = /^([\d().-]+)(?=;)(?:.*;|;)phone-context=(\+\d+)(?=;|$)/i;
/** Other parameters of RFC 3966 after a number, and the ways an extension is written. */
const PARAMETERS = /(?:;[a-z][\w-]*(?:=[^;\s]*)?)+$|\s*(?:ext?\.?|x|#)\s*\d{1,7}$/i;
/** A Brazilian trunk zero with a placeholder for the carrier's code: `0xx11`. */
const CARRIER_PLACEHOLDER = /^((?:\+\s*55)?[\s(]*0)[\s-]*xx/i;
/** Digits with the separators that people use. Text with a line break or a second plus is no phone. */
const WRITTEN = /^\+?[\d ().\-/‐-―−~[\]]*$/;

/** After 52: the old 1 of mobiles, and the prefixes dialled within Mexico before a mobile or a long-distance number. */
const MEXICAN_PREFIX = /^(?:0?1|04[45])(?=\d{10}$)/;
/**
 * After 54: the 9 of mobiles, which may stand beside a trunk zero, and beside the 15 that means the same; and the trunk zero
 * before ten digits, which the library keeps where the digits after the area code begin with 15.
 */
const ARGENTINE_PREFIX = /^(?:0?9(?=\d{10,14}$)|0(?=\d{10}$))/;

/**
 * Reads a phone as people write it. Never throws. `country`, as two capital letters, is for numbers without a prefix.
 *
 * A number with a plus or 00 must only be possible, not valid, because test numbers of platforms are only possible. A
 * number without a plus has two readings: dialled within `country`, or international with the plus left out. The valid
 * reading counts. If both are valid and differ, the groups of digits decide, when exactly one of the two is printed
 * with these groups: `(51) 98765-4321` is Brazilian, `51 987 654 321` Peruvian. Otherwise the result is
 * `phone_ambiguous`, because a guess could give one person the session of another. Without `country` the first reading
 * is unknown, so a valid number without its plus is `phone_ambiguous` too.
 *
 * Brazil gains the ninth digit of mobiles, Mexico loses the old 1 after 52, Argentina loses the 9 after 54.
 */
export function readPhone(input: string, country?: string): PhoneReading {
  const written = tidy(input);
  if (!WRITTEN.test(written)) return NONE;
  const digits = written.replaceAll(/\D/g, "");
  if (written.startsWith("+")) return found(abroad(digits));
  const home = within(digits, country);
  const hasPrefix = digits.startsWith("00");
  const foreign = abroad(hasPrefix ? digits.slice(2) : digits);
  if (home === foreign || foreign === undefined) return found(home);
  if (home === undefined) {
    if (hasPrefix) return found(foreign);
    if (!isValid(foreign)) return NONE;
    return isCountry(country) ? found(foreign) : AMBIGUOUS;
  }
  const homeIsValid = isValid(home);
  if (homeIsValid !== isValid(foreign)) return found(homeIsValid ? home : foreign);
  if (hasPrefix && !homeIsValid) return found(foreign);
  const asHome = isPrintedWithin(home, written);
  if (asHome === isPrintedAbroad(foreign, written)) return AMBIGUOUS;
  return found(asHome ? home : foreign);
}

/** The phone that `readPhone` reads, or `undefined` if the text is no phone or is ambiguous. */
export function normalisePhone(input: string, country?: string): string | undefined {
  return readPhone(input, country).phone;
}

/** The phone in a caller's field `phone`. Throws `malformed` if it is no phone, and `phone_ambiguous`. */
export function phoneOf(given: string, country: string | undefined): string {
  const read = readPhone(given, country);
  if (read.phone !== undefined) return read.phone;
  const what =
    read.refused === "malformed" ? "not a phone number" : "these digits may be the numbers of several people";
  throw new HubError(read.refused, `phone: ${what}; write it with + and the country's prefix`);
}

/** The phone in a platform's digits, with or without plus (`wa_id`, `from`). */
export function phoneFromDigits(digits: string): string | undefined {
  const international = /^\+?(\d{5,17})$/.exec(digits)?.[1];
  return international && abroad(international);
}

/** The phone in a contact card that its platform verified: international, with or without plus and separators. */
export function phoneFromCard(phone: string): string | undefined {
  return normalisePhone(tidy(phone).replace(/^(?=[\d(])/, "+"));
}

/** The text without the parts that are not the number. A plus inside brackets moves to the front. */
function tidy(input: string): string {
  if (input.length > LONGEST) return "";
  return input
    .normalize("NFKC")
    .replaceAll(ARABIC_DIGITS, (digit) => String(digit.charCodeAt(0) & 15))
    .replaceAll(INVISIBLE, "")
    .replaceAll("\t", " ")
    .trim()
    .replace(/^tel:\s*/i, "")
    .replace(WITH_CONTEXT, "$2$1")
    .replace(PARAMETERS, "")
    .replace(CARRIER_PLACEHOLDER, "$1")
    .replace(/^[\s([]*\+\s*/, "+");
}

function found(phone: string | undefined): PhoneReading {
  return phone === undefined ? NONE : { phone };
}

/** The phone with these digits after the plus, if it is possible. */
function abroad(digits: string): string | undefined {
  const [, code = "", rest = ""] = /^(52|54|)(.*)$/.exec(digits) ?? [];
  const prefix = code === "52" ? MEXICAN_PREFIX : ARGENTINE_PREFIX;
  const parsed = parsePhoneNumberFromString(`+${code}${code === "" ? rest : rest.replace(prefix, "")}`);
  if (!parsed?.isPossible()) return undefined;
  const phone = oneSpelling(parsed.number);
  // Each pass removes one trunk zero, so a doubled one needs two passes.
  return phone === `+${digits}` ? phone : abroad(phone.slice(1));
}

/** The phone that these digits reach when dialled within the country, if it is possible. */
function within(digits: string, country: string | undefined): string | undefined {
  if (!isCountry(country)) return undefined;
  if (country === "MX" && MEXICAN_PREFIX.test(digits)) return abroad(`52${digits}`);
  const plain = country === "AR" ? digits.replace(ARGENTINE_PREFIX, "") : digits;
  const parsed = parsePhoneNumberFromString(plain, { defaultCountry: country, extract: false });
  return parsed?.isPossible() ? abroad(parsed.number.slice(1)) : undefined;
}

function isCountry(country: string | undefined): country is CountryCode {
  return country !== undefined && isSupportedCountry(country);
}

/** Whether the number can belong to a person: its length and its prefix are in use in its country. */
function isValid(phone: string): boolean {
  return parsePhoneNumberFromString(phone)?.isValid() === true;
}

/** Whether the digits are grouped as the phone's own country prints them; a dialled prefix may stand before them. */
function isPrintedWithin(phone: string, written: string): boolean {
  const printed = groupsOf(parsePhoneNumberFromString(phone)?.formatNational() ?? "").replace(/^ 0/, " ");
  return groupsOf(written).endsWith(printed);
}

function isPrintedAbroad(phone: string, written: string): boolean {
  return groupsOf(parsePhoneNumberFromString(phone)?.formatInternational() ?? "") === groupsOf(written);
}

/** The groups of digits, each after a space. */
function groupsOf(written: string): string {
  return (written.match(/\d+/g) ?? []).map((group) => ` ${group}`).join("");
}

function oneSpelling(e164: string): string {
  const argentina = /^\+549(\d{10})$/.exec(e164);
  if (argentina) return `+54${argentina[1]}`;
  const brazil = /^\+55(\d{2})([6-9]\d{7})$/.exec(e164);
  if (brazil) return `+55${brazil[1]}9${brazil[2]}`;
  return e164;
}
