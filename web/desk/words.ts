import { type Text, type TextFile, translator } from "../kit/i18n/texts.ts";
import english from "./texts/en.ts";

type DeskTexts = Record<keyof typeof english, Text>;

/** The desk's words, in the language that is shown. */
export const words = translator(
  english as DeskTexts,
  import.meta.glob<TextFile<DeskTexts>>(["./texts/*.ts", "!./texts/en.ts"]),
);
