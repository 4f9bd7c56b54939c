import { baseOf } from "./tag.ts";

/** A script, and the languages that it may be. The first one is meant unless the hint names another. */
interface Script {
  readonly letters: RegExp;
  readonly languages: readonly [string, ...string[]];
}

/** From the most telling to the least: Japanese has Han characters too, and Urdu and Persian have all Arabic letters. */
const SCRIPTS: readonly Script[] = [
  { letters: /[\p{sc=Hira}\p{sc=Kana}]/u, languages: ["ja"] },
  { letters: /\p{sc=Hang}/u, languages: ["ko"] },
  { letters: /\p{sc=Han}/u, languages: ["zh", "ja"] },
  { letters: /\p{sc=Deva}/u, languages: ["hi", "mr", "ne", "sa", "kok", "mai"] },
  { letters: /[ٹڈڑںےہھ]/u, languages: ["ur", "pa", "sd", "fa"] },
  { letters: /[پچژگکی]/u, languages: ["fa", "ur", "ps", "ckb", "sd", "ug"] },
  { letters: /\p{sc=Arab}/u, languages: ["ar", "fa", "ur", "ps", "ckb", "sd", "ug"] },
  { letters: /\p{sc=Hebr}/u, languages: ["he", "yi"] },
  { letters: /[ґєії]/iu, languages: ["uk", "be", "ru"] },
  { letters: /\p{sc=Cyrl}/u, languages: ["ru", "uk", "bg", "sr", "mk", "be", "kk", "ky", "mn", "tg", "tt"] },
  { letters: /\p{sc=Grek}/u, languages: ["el"] },
  { letters: /\p{sc=Thai}/u, languages: ["th"] },
  { letters: /\p{sc=Beng}/u, languages: ["bn", "as"] },
  { letters: /\p{sc=Taml}/u, languages: ["ta"] },
  { letters: /\p{sc=Telu}/u, languages: ["te"] },
  { letters: /\p{sc=Gujr}/u, languages: ["gu"] },
  { letters: /\p{sc=Guru}/u, languages: ["pa"] },
  { letters: /\p{sc=Knda}/u, languages: ["kn"] },
  { letters: /\p{sc=Mlym}/u, languages: ["ml"] },
  { letters: /\p{sc=Orya}/u, languages: ["or"] },
  { letters: /\p{sc=Sinh}/u, languages: ["si"] },
  { letters: /\p{sc=Geor}/u, languages: ["ka"] },
  { letters: /\p{sc=Armn}/u, languages: ["hy"] },
  { letters: /\p{sc=Khmr}/u, languages: ["km"] },
  { letters: /\p{sc=Laoo}/u, languages: ["lo"] },
  { letters: /\p{sc=Mymr}/u, languages: ["my"] },
  { letters: /\p{sc=Ethi}/u, languages: ["am", "ti"] },
  { letters: /\p{sc=Tibt}/u, languages: ["bo", "dz"] },
];

/** Latin letters say little of the language, and are in names of products everywhere. */
const LATIN = /\p{sc=Latn}/gu;
const LETTERS = /[\p{L}\p{M}]/gu;

/**
 * The language of a text that is not in Latin letters, by its script. Other letters must be a third of all, because a name
 * in another script is no language. `hint` decides among languages of one script.
 */
export function languageOfScript(text: string, hint: string | undefined): string | undefined {
  const letters = countOf(text, LETTERS);
  if (letters === 0 || (letters - countOf(text, LATIN)) * 3 < letters) return undefined;
  const found = SCRIPTS.find(({ letters }) => letters.test(text));
  if (!found) return undefined;
  return hint !== undefined && found.languages.includes(baseOf(hint)) ? hint : found.languages[0];
}

function countOf(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
