import { COMMON_WORDS, GREETINGS } from "./common-words.ts";

/** What a common word of one language alone counts. One of two languages counts half of it, and one of more still less. */
const ONLY = 2;
const GREETING = 4;
/** The least sum that decides, and how many times the next language's sum it must be. */
const ENOUGH = 3;
const LEAD = 2;

/** The library is asked only about texts of this many words, and about languages of which there are common words. */
const LEAST_WORDS = 3;
const ASKED = ["en", "es", "pt", "fr", "de", "it", "nl"];
/** How far the library's first guess must be ahead of its second. */
const SURE = 0.15;

const languagesOf = new Map<string, string[]>();
for (const [language, words] of Object.entries(COMMON_WORDS))
  for (const word of new Set(words.split(" ")))
    languagesOf.set(word, [...(languagesOf.get(word) ?? []), language]);

/**
 * The language of words in Latin letters, if they are sure. Common words of a language decide. If they are too few, the
 * library decides, unless common words are of another language.
 */
export async function languageOfWords(words: readonly string[]): Promise<string | undefined> {
  const plain = words.map(plainly);
  const scores = scoresOf(new Set(plain));
  const [best, next = 0] = Object.values(scores).sort((a, b) => b - a);
  if (best === undefined) return undefined;
  const firsts = Object.keys(scores).filter((language) => scores[language] === best);
  if (firsts.length === 1 && best >= ENOUGH && best >= LEAD * next) return firsts[0];
  const guess = words.length < LEAST_WORDS ? undefined : await libraryGuess(words);
  return guess !== undefined && firsts.includes(guess) ? guess : undefined;
}

function scoresOf(words: ReadonlySet<string>): Record<string, number> {
  const scores: Record<string, number> = {};
  const add = (language: string, count: number) => {
    scores[language] = (scores[language] ?? 0) + count;
  };
  for (const word of words) {
    const greeting = GREETINGS[word];
    const languages = languagesOf.get(word) ?? [];
    if (greeting) add(greeting, GREETING);
    else
      for (const language of languages)
        add(language, languages.length === 1 ? ONLY : 1 / (languages.length - 1));
  }
  return scores;
}

/** In lower case and without accents, which customers leave out. */
function plainly(word: string): string {
  return word
    .toLowerCase()
    .normalize("NFD")
    .replace(/\p{Mn}/gu, "")
    .replace(/’/g, "'");
}

/** Loaded when the first text needs it, because it takes 10 MB of memory and its start some milliseconds. */
async function libraryGuess(words: readonly string[]): Promise<string | undefined> {
  const { detectAll } = await import("tinyld/light");
  const [first, second] = detectAll(words.join(" "), { only: ASKED });
  return first && first.accuracy - (second?.accuracy ?? 0) > SURE ? first.lang : undefined;
}
