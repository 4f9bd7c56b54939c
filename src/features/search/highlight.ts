import type { Term } from "./search.ts";

/** The most characters of a message that a snippet shows. */
const SNIPPET = 240;
/** How many of them stand before the first match, at most. */
const BEFORE = 60;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Scripts that put no spaces between words: there a term may begin anywhere. */
const UNSPACED =
  /[\p{Script=Thai}\p{Script=Lao}\p{Script=Myanmar}\p{Script=Khmer}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Han}ー々]/u;
const WORD = /[\p{L}\p{M}\p{N}]/u;
/** Marks that people leave out, and what cannot be seen; as `hub.left_out()` of migrations/functions/search_words.sql. */
const LEFT_OUT = new RegExp(
  "[\\u0300-\\u036F\\u0483-\\u0487\\u0591-\\u05BD\\u05BF\\u05C1\\u05C2\\u05C4\\u05C5\\u05C7\\u0610-\\u061A\\u0640\\u064B-\\u065F\\u0670" +
    "\\u06D6-\\u06ED\\u093C\\u09BC\\u0A3C\\u0ABC\\u0B3C\\u1DC0-\\u1DFF\\u20D0-\\u20FF\\u00AD\\u200B-\\u200F\\u202A-\\u202E\\u2060-\\u206F" +
    "\\uFE00-\\uFE0F\\uFEFF]",
  "gu",
);
const LETTERS = new Map<string, string>([
  ["ß", "ss"],
  ["æ", "ae"],
  ["œ", "oe"],
  ...pairs("łøđðıħŧςىةکی", "loddihtσيهكي"),
  ...["٠", "۰", "०", "๐", "০"].flatMap((zero) => digits(zero.codePointAt(0)!)),
]);
/** Controls that could reorder or hide what stands beside the snippet. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\u0000-\u001F\u007F-\u009F\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;

/**
 * The part of a text where the first match is, as HTML text: what is found stands in `<mark>`, everything else is escaped,
 * and controls are spaces. Matches nothing twice, in time proportional to the text and the terms.
 */
export function snippetOf(text: string, terms: readonly Term[]): string {
  const letters = [...text.replace(CONTROLS, " ")];
  const marked = marksIn(letters, terms);
  const first = marked.indexOf(true);
  const start = first > BEFORE ? beginning(letters, first - BEFORE, first) : 0;
  const end = Math.min(letters.length, start + SNIPPET);
  let html = start > 0 ? "…" : "";
  for (let i = start; i < end; i++) {
    if (marked[i] && (i === start || !marked[i - 1])) html += "<mark>";
    html += ENTITIES[letters[i]!] ?? letters[i];
    if (marked[i] && (i === end - 1 || !marked[i + 1])) html += "</mark>";
  }
  return end < letters.length ? `${html}…` : html;
}

/** Behind the first space, so that no word is cut, unless there is none before the match. */
function beginning(letters: readonly string[], from: number, match: number): number {
  const space = letters.indexOf(" ", from);
  return space === -1 || space >= match ? from : space + 1;
}

/** Which letters of a text belong to a match. */
function marksIn(letters: readonly string[], terms: readonly Term[]): boolean[] {
  const marked = new Array<boolean>(letters.length).fill(false);
  let folded = "";
  /** The letter from which each unit of the folded text comes. */
  const from: number[] = [];
  const forms = new Map<string, string>();
  for (const [i, letter] of letters.entries()) {
    let form = forms.get(letter);
    if (form === undefined) {
      form = WORD.test(letter) ? fold(letter) : " ";
      forms.set(letter, form);
    }
    folded += form;
    for (let k = 0; k < form.length; k++) from.push(i);
  }
  for (const { word, prefix } of wordsOf(terms)) {
    const anywhere = UNSPACED.test(word);
    for (let at = folded.indexOf(word); at !== -1; at = folded.indexOf(word, at + word.length)) {
      const end = at + word.length;
      if (!anywhere && isInWord(folded, at - 1)) continue;
      if (!anywhere && !prefix && isInWord(folded, end)) continue;
      // Marks that were left out belong to the letter before them.
      const stop = end < from.length ? from[end]! : letters.length;
      for (let i = from[at]!; i < stop; i++) marked[i] = WORD.test(letters[i]!);
    }
  }
  return marked;
}

/** Whether a place holds a letter of a script that puts spaces between words. */
function isInWord(folded: string, at: number): boolean {
  const letter = folded.codePointAt(at);
  if (at < 0 || letter === undefined) return false;
  const text = String.fromCodePoint(letter);
  return WORD.test(text) && !UNSPACED.test(text);
}

/** The single words of all terms. */
function wordsOf(terms: readonly Term[]): { word: string; prefix: boolean }[] {
  return terms.flatMap(({ text, prefix }) => {
    const words = text
      .split(" ")
      .flatMap((word) => word.split(BORDERS))
      .filter((word) => word !== "");
    return words.map((word, i) => ({ word, prefix: prefix && i === words.length - 1 }));
  });
}

/** Where a script with spaces and one without meet: each side is a word of its own. */
const BORDERS = new RegExp(
  `(?<=${UNSPACED.source})(?!${UNSPACED.source})|(?<!${UNSPACED.source})(?=${UNSPACED.source})`,
  "u",
);

/** A letter as the index compares it: `hub.fold` of migrations/functions/search_words.sql, a letter at a time. */
function fold(letter: string): string {
  const plain = letter.normalize("NFKD").toLowerCase().replace(LEFT_OUT, "");
  return [...plain]
    .map((one) => LETTERS.get(one) ?? one)
    .join("")
    .normalize("NFKC");
}

function pairs(from: string, to: string): (readonly [string, string])[] {
  const letters = [...to];
  return [...from].map((letter, i) => [letter, letters[i]!] as const);
}

function digits(zero: number): (readonly [string, string])[] {
  return Array.from({ length: 10 }, (_, n) => [String.fromCodePoint(zero + n), String(n)] as const);
}
