import type { Term } from "./search.ts";

/** The most characters of a message in a snippet. */
const SNIPPET = 240;
/** The most of them before the first match. */
const BEFORE = 60;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Scripts that are indexed by pairs of letters: there a match may begin anywhere. */
const UNSPACED =
  /[\p{Script=Thai}\p{Script=Lao}\p{Script=Myanmar}\p{Script=Khmer}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Han}ー々]/u;
const WORD = /[\p{L}\p{M}\p{N}]/u;
/** Characters that folding removes: the same as in `hub.left_out()` of migrations/functions/search_words.sql. */
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
/** Control characters that could reorder or hide text beside the snippet. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the expression is there to find them
const CONTROLS = /[\u0000-\u001F\u007F-\u009F\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;

/**
 * The part of a text around the first match, as HTML text. Matches are in `<mark>`, everything else is escaped, and control
 * characters become spaces. Its time grows with the length of the text and the terms only linearly.
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

/** The start of a snippet: after the first space, so that no word is cut, or `from` if there is none before the match. */
function beginning(letters: readonly string[], from: number, match: number): number {
  const space = letters.indexOf(" ", from);
  return space === -1 || space >= match ? from : space + 1;
}

/** For each letter of a text, whether it belongs to a match. */
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
  for (const { word, prefix, within } of wordsOf(terms)) {
    const anywhere = within || UNSPACED.test(word);
    for (let at = folded.indexOf(word); at !== -1; at = folded.indexOf(word, at + word.length)) {
      const end = at + word.length;
      if (!anywhere && isInWord(folded, at - 1)) continue;
      if (!anywhere && !prefix && isInWord(folded, end)) continue;
      // Accents that folding has removed belong to the letter before them.
      const stop = end < from.length ? from[end]! : letters.length;
      for (let i = from[at]!; i < stop; i++) marked[i] = WORD.test(letters[i]!);
    }
  }
  return marked;
}

/** Whether there is a letter, digit or mark of a script with spaces at this position. */
function isInWord(folded: string, at: number): boolean {
  const letter = folded.codePointAt(at);
  if (at < 0 || letter === undefined) return false;
  const text = String.fromCodePoint(letter);
  return WORD.test(text) && !UNSPACED.test(text);
}

/** The single words of all terms. */
function wordsOf(terms: readonly Term[]): { word: string; prefix: boolean; within: boolean }[] {
  return terms.flatMap(({ text, prefix, within = false }) => {
    const words = text
      .split(" ")
      .flatMap((word) => word.split(BORDERS))
      .filter((word) => word !== "");
    return words.map((word, i) => ({ word, prefix: prefix && i === words.length - 1, within }));
  });
}

/** The borders between scripts with and without spaces: each side is a word of its own. */
const BORDERS = new RegExp(
  `(?<=${UNSPACED.source})(?!${UNSPACED.source})|(?<!${UNSPACED.source})(?=${UNSPACED.source})`,
  "u",
);

/** A letter in the form that the index compares: as `hub.fold` in migrations/functions/search_words.sql. */
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
