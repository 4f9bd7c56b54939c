import type { Language } from "../i18n/languages.ts";
import { type Text, translator } from "../i18n/texts.ts";
import en from "./texts/en.ts";

export type Words = Record<keyof typeof en, Text>;

const LOAD: Record<Exclude<Language, "en">, () => Promise<{ default: Words }>> = {
  hi: () => import("./texts/hi.ts"),
  es: () => import("./texts/es.ts"),
  ar: () => import("./texts/ar.ts"),
  pt: () => import("./texts/pt.ts"),
  fr: () => import("./texts/fr.ts"),
  id: () => import("./texts/id.ts"),
};

/** The words around the contents of messages. The page calls `words.use(…)` with its language. */
export const words = translator<typeof en>(en, async (language) => (await LOAD[language]()).default);
