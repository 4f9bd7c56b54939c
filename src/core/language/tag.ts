/** The canonical spelling of a language tag (BCP 47), such as `pt-BR`. Undefined for any other word. */
export function canonicalLanguage(tag: string): string | undefined {
  try {
    return tag.length <= 35 ? Intl.getCanonicalLocales(tag)[0] : undefined;
  } catch {
    return undefined;
  }
}

/** The language of a tag without its script and region: `pt` of `pt-BR`. */
export function baseOf(tag: string): string {
  return tag.split("-", 1)[0]!;
}

/** The scripts that are written from right to left: https://www.unicode.org/reports/tr35/ (likely subtags name them). */
const RIGHT_TO_LEFT = new Set(["Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm", "Rohg"]);

/** The direction in which a language is written, as the `dir` attribute of HTML names it. */
export function directionOf(tag: string | undefined): "ltr" | "rtl" {
  if (tag === undefined) return "ltr";
  const { script } = new Intl.Locale(tag).maximize();
  return script !== undefined && RIGHT_TO_LEFT.has(script) ? "rtl" : "ltr";
}
