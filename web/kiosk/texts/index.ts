import type { Language } from "../../kit/i18n/languages.ts";
import { type Text, translator } from "../../kit/i18n/texts.ts";
import en from "./en.ts";

export type KioskTexts = Record<keyof typeof en, Text>;

const LOAD: Record<Exclude<Language, "en">, () => Promise<{ default: KioskTexts }>> = {
  hi: () => import("./hi.ts"),
  es: () => import("./es.ts"),
  ar: () => import("./ar.ts"),
  pt: () => import("./pt.ts"),
  fr: () => import("./fr.ts"),
  id: () => import("./id.ts"),
};

/** The kiosk's own words. */
export const texts = translator<Record<keyof typeof en, Text>>(
  en,
  async (language) => (await LOAD[language]()).default,
);
