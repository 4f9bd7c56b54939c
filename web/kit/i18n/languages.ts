/** The languages of all pages: those of the hub's own texts. */
export const LANGUAGES = ["en", "hi", "es", "ar", "pt", "fr", "id"] as const;
export type Language = (typeof LANGUAGES)[number];

/** The first of the wanted languages (BCP 47 tags) that the pages have; English if there is none. */
export function languageOf(...wanted: readonly (string | null | undefined)[]): Language {
  for (const tag of wanted) {
    const base = tag?.toLowerCase().split("-")[0];
    const found = LANGUAGES.find((one) => one === base);
    if (found) return found;
  }
  return "en";
}

export function directionOf(language: Language): "ltr" | "rtl" {
  return language === "ar" ? "rtl" : "ltr";
}
