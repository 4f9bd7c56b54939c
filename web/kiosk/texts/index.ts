import { type Text, type TextFile, translator } from "../../kit/i18n/texts.ts";
import en from "./en.ts";

export type KioskTexts = Record<keyof typeof en, Text>;

/** The kiosk's own words. */
export const texts = translator(
  en as KioskTexts,
  import.meta.glob<TextFile<KioskTexts>>(["./*.ts", "!./{en,index}.ts"]),
);
