import { type Text, translator } from "../kit/i18n/texts.ts";
import en from "./texts/en.ts";

/** The names of the page's texts. */
export type Word = keyof typeof en;
/** The page's texts in one language. */
export type SimulatorTexts = Readonly<Record<Word, Text>>;

const load = {
  hi: () => import("./texts/hi.ts"),
  es: () => import("./texts/es.ts"),
  ar: () => import("./texts/ar.ts"),
  pt: () => import("./texts/pt.ts"),
  fr: () => import("./texts/fr.ts"),
  id: () => import("./texts/id.ts"),
};

/** The words of the page. */
export const words = translator<SimulatorTexts>(en, async (language) => (await load[language]()).default);
export const say = words.say;
