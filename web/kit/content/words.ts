import { type Text, type TextFile, translator } from "../i18n/texts.ts";
import en from "./texts/en.ts";

export type Words = Record<keyof typeof en, Text>;

/** The words around the contents of messages. The page calls `words.use(…)` with its language. */
export const words = translator(
  en as Words,
  import.meta.glob<TextFile<Words>>(["./texts/*.ts", "!./texts/en.ts"]),
);
