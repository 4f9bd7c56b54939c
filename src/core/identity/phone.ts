import { type CountryCode, parsePhoneNumberFromString } from "libphonenumber-js/min";

/** 52 1 and ten digits however they are set apart, or 1 and ten digits as dialled within Mexico. */
const OLD_MEXICAN_MOBILE = /^(?:\+?52\D{0,3})?1(?=(?:\D{0,3}\d){10}$)/;

/**
 * A phone in E.164 with one spelling per person, or `undefined` when it is anything but one phone.
 * `possible` is asked, not `valid`: platforms' test numbers are possible only.
 * Brazil gains the ninth digit of mobiles, Mexico loses the old 1 after 52, Argentina loses the 9 after 54.
 * `country`, as two capital letters, is for numbers without a prefix.
 */
export function normalisePhone(input: string, country?: string): string | undefined {
  const dialled = input
    .normalize("NFKC")
    .trim()
    .replace(/^00\s*/, "+");
  const mexican = dialled.startsWith("+52") || country === "MX";
  const parsed = parsePhoneNumberFromString(mexican ? dialled.replace(OLD_MEXICAN_MOBILE, "+52") : dialled, {
    ...(country !== undefined && { defaultCountry: country as CountryCode }),
    extract: false,
  });
  if (!parsed?.isPossible()) return undefined;
  const phone = oneSpelling(parsed.number);
  // A doubled trunk zero comes off one at a time.
  return phone === input ? phone : normalisePhone(phone);
}

/** The phone in a platform's digits without plus (`wa_id`, `from`, a Telegram contact card). */
export function phoneFromDigits(digits: string): string | undefined {
  return /^\+?\d{5,17}$/.test(digits)
    ? normalisePhone(digits.startsWith("+") ? digits : `+${digits}`)
    : undefined;
}

function oneSpelling(e164: string): string {
  const argentina = /^\+549(\d{10})$/.exec(e164);
  if (argentina) return `+54${argentina[1]}`;
  const brazil = /^\+55(\d{2})([6-9]\d{7})$/.exec(e164);
  if (brazil) return `+55${brazil[1]}9${brazil[2]}`;
  return e164;
}
