import { languageOfScript } from "./scripts.ts";
import { languageOfWords } from "./words.ts";

/** More than this says no more about the language. */
const LONGEST = 500;
/** What is no word of a language: addresses, commands, mentions and tags. */
const NO_WORDS = /https?:\/\/\S+|\S+@\S+|(?<!\S)[@#/]\S+/giu;
const WORD = /\p{L}[\p{L}\p{M}'’]*/gu;

/**
 * The language that a customer's message shows, as a tag; undefined if it says too little. First the script decides, then
 * `hint` (the language of the sender's app), then the words, if they are sure. docs/languages.md has the figures.
 */
export async function detectLanguage(text: string, hint?: string): Promise<string | undefined> {
  const said = text.slice(0, LONGEST).normalize("NFC").replace(NO_WORDS, " ");
  const words = said.match(WORD);
  if (!words) return undefined;
  return languageOfScript(said, hint) ?? hint ?? (await languageOfWords(words));
}
