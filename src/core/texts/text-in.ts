import { IntlMessageFormat } from "intl-messageformat";
import { baseOf } from "../language/tag.ts";
import { CATALOGUE, type Texts } from "./catalogue.ts";

const FALLBACK = "en";

/** The formatted message, by language and name: reading an ICU message takes much longer than using it. */
const read = new Map<string, IntlMessageFormat>();

/** One of the hub's texts in a language; in English if the hub has no texts in that language, or none is known. */
export function textIn(
  language: string | undefined,
  name: keyof Texts,
  values: Readonly<Record<string, string | number>> = {},
): string {
  const base = language === undefined ? FALLBACK : baseOf(language);
  const spoken = isSpoken(base) ? base : FALLBACK;
  const key = `${spoken}.${name}`;
  const message = read.get(key) ?? new IntlMessageFormat(CATALOGUE[spoken][name], spoken);
  read.set(key, message);
  return String(message.format(values));
}

function isSpoken(base: string): base is keyof typeof CATALOGUE {
  return Object.hasOwn(CATALOGUE, base);
}
