import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from "libphonenumber-js/max";
import { HubError } from "../errors.ts";

/** A phone in E.164 with one spelling per person, or the code of why there is none. */
export type PhoneReading =
  | { readonly phone: string }
  | { readonly phone?: undefined; readonly refused: "malformed" | "phone_ambiguous" };

const NONE: PhoneReading = { refused: "malformed" };
const AMBIGUOUS: PhoneReading = { refused: "phone_ambiguous" };

/** Longer than any spelling of a phone, and short enough to search. */
const LONGEST = 200;
const ARABIC_DIGITS = /[٠-٩۰-۹]/g;
/** Marks that nobody sees, such as the direction marks around a number in copied contacts. */
const INVISIBLE = /\p{Cf}/gu;
/** A number as RFC 3966 has it that names its country apart. */
const WITH_CONTEXT = /^([\d().-]+)(?=;)(?:.*;|;)phone-context=(\+\d+)(?=;|$)/i;
/** What else follows a number in RFC 3966, and the ways an extension is written. */
const PARAMETERS = /(?:;[a-z][\w-]*(?:=[^;\s]*)?)+$|\s*(?:ext?\.?|x|#)\s*\d{1,7}$/i;
/** A Brazilian trunk zero with a placeholder for the carrier's code: `0xx11`. */
const CARRIER_PLACEHOLDER = /^((?:\+\s*55)?[\s(]*0)[\s-]*xx/i;
/** Digits set apart in the ways that people set them apart; a line break or a second plus ends a phone. */
const WRITTEN = /^\+?[\d ().\-/‐-―−~[\]]*$/;

/** After 52: the old 1 of mobiles, and what was dialled within Mexico before a mobile or a distant number. */
const MEXICAN_PREFIX = /^(?:0?1|04[45])(?=\d{10}$)/;
/** After 54: the 9 of mobiles, which may stand beside a trunk zero, and beside the 15 that means the same. */
const ARGENTINE_PREFIX = /^0?9(?=\d{10,14}$)/;

/**
 * Reads a phone as people write it. Never throws. `country`, as two capital letters, is for numbers without a prefix.
 *
 * With a plus or 00 a number need only be possible, because platforms' test numbers are no more than that. Without one
 * it has two readings: dialled within `country`, and international with the plus left out. The valid one counts. Where
 * both are valid, and are different phones, the groups of digits decide if they stand as exactly one of the two is
 * printed: `(51) 98765-4321` is Brazilian, `51 987 654 321` Peruvian. Else it is `phone_ambiguous`, because a guess would
 * hand one person the other's session. Without `country` nobody knows whose reading is missing, so a valid number
 * without its plus is `phone_ambiguous` as well.
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

/** The phone that `readPhone` reads, or `undefined` for what is no phone or may be several people's. */
export function normalisePhone(input: string, country?: string): string | undefined {
  return readPhone(input, country).phone;
}

/** The phone that a caller gave in the field `phone`. Throws `malformed` for what is none, and `phone_ambiguous`. */
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

/** The phone in a contact card that its platform vouches for: international, with or without plus, and set apart or not. */
export function phoneFromCard(phone: string): string | undefined {
  return normalisePhone(tidy(phone).replace(/^(?=[\d(])/, "+"));
}

/** What was written, without what says nothing about the number; a plus in brackets leads. */
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

/** The phone with these digits after the plus, when it is possible. */
function abroad(digits: string): string | undefined {
  const [, code = "", rest = ""] = /^(52|54|)(.*)$/.exec(digits) ?? [];
  const prefix = code === "52" ? MEXICAN_PREFIX : ARGENTINE_PREFIX;
  const parsed = parsePhoneNumberFromString(`+${code}${code === "" ? rest : rest.replace(prefix, "")}`);
  if (!parsed?.isPossible()) return undefined;
  const phone = oneSpelling(parsed.number);
  // A doubled trunk zero comes off one at a time.
  return phone === `+${digits}` ? phone : abroad(phone.slice(1));
}

/** The phone that these digits reach when dialled within the country, when it is possible. */
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

/** Whether somebody may have this number. */
function isValid(phone: string): boolean {
  return parsePhoneNumberFromString(phone)?.isValid() === true;
}

/** Whether the groups are those that the phone's country prints; a prefix as dialled may lead. */
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
