import { type Text, type TextFile, translator } from "../kit/i18n/texts.ts";
import en from "./texts/en.ts";

/** The names of the page's texts. */
export type Word = keyof typeof en;
/** The page's texts in one language. */
export type SimulatorTexts = Readonly<Record<Word, Text>>;

/** The words of the page. */
export const words = translator(
  en as SimulatorTexts,
  import.meta.glob<TextFile<SimulatorTexts>>(["./texts/*.ts", "!./texts/en.ts"]),
);
export const say = words.say;
