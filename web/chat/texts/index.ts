import { type Text, type TextFile, translator } from "../../kit/i18n/texts.ts";
import en from "./en.ts";

export type ChatTexts = Record<keyof typeof en, Text>;

/** The chat's own words, in the visitor's language. */
export const texts = translator(
  en as ChatTexts,
  import.meta.glob<TextFile<ChatTexts>>(["./*.ts", "!./{en,index}.ts"]),
);
