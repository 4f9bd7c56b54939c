import {
  AsYouType,
  type CountryCode,
  getCountries,
  getCountryCallingCode,
  isPossiblePhoneNumber,
  parsePhoneNumberFromString,
} from "libphonenumber-js/min";

export interface Country {
  readonly code: string;
  readonly prefix: string;
  readonly name: string;
}

/** All countries with their prefixes, by their names in the language. */
export function countriesIn(language: string): readonly Country[] {
  const names = new Intl.DisplayNames([language], { type: "region" });
  return getCountries()
    .map((code) => ({ code, prefix: `+${getCountryCallingCode(code)}`, name: names.of(code) ?? code }))
    .sort((a, b) => a.name.localeCompare(b.name, language));
}

/** Digits as they are written in the country, with its prefix. */
export function shownPhone(digits: string, country: string): string {
  return new AsYouType(countryOf(country)).input(digits);
}

/** The number in E.164; undefined while it is not complete. */
export function phoneIn(digits: string, country: string): string | undefined {
  if (!isPossiblePhoneNumber(digits, countryOf(country))) return undefined;
  return parsePhoneNumberFromString(digits, countryOf(country))?.number;
}

function countryOf(code: string): CountryCode {
  return getCountries().includes(code as CountryCode) ? (code as CountryCode) : "DE";
}
