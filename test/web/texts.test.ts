import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TEXT_LANGUAGES } from "../../src/core/language/policy.ts";

type Text = string | Record<string, string>;
const web = join(import.meta.dirname, "../../web");
const folders = readdirSync(web, { recursive: true, encoding: "utf8" }).filter(
  (path) => path.endsWith("texts") && !path.startsWith("dist"),
);
const formsOf = (text: Text) => (typeof text === "string" ? [text] : Object.values(text));
const valuesIn = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test.for(folders)(
  "web/%s has each text in each language, with its values and its plurals",
  async (folder) => {
    const files = readdirSync(join(web, folder)).filter((name) => name !== "index.ts");
    expect(files.sort()).toEqual(TEXT_LANGUAGES.map((language) => `${language}.ts`).sort());
    const load = async (language: string) =>
      (await import(join(web, folder, `${language}.ts`))).default as Record<string, Text>;
    const english = await load("en");
    for (const language of TEXT_LANGUAGES) {
      const texts = await load(language);
      expect([language, Object.keys(texts).sort()]).toEqual([language, Object.keys(english).sort()]);
      for (const [name, text] of Object.entries(texts)) {
        const known = new Set(formsOf(english[name]!).flatMap(valuesIn));
        for (const form of formsOf(text)) {
          expect([language, name, form.trim()]).not.toEqual([language, name, ""]);
          for (const value of valuesIn(form))
            expect([language, name, known.has(value)]).toEqual([language, name, true]);
        }
        // A text without forms has all of its values; a form such as "one star" may say its number in a word.
        if (typeof text === "string")
          expect([language, name, valuesIn(text)]).toEqual([language, name, [...known].sort()]);
        else expect([language, name, missing(language, text)]).toEqual([language, name, []]);
      }
    }
    expect(Object.keys(english).length).toBeGreaterThan(0);
  },
);

/** The forms that a text lacks. `many` of Spanish, Portuguese and French is for millions, and reads as `other`. */
function missing(language: string, forms: Record<string, string>): string[] {
  const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
  return pluralCategories.filter((form) => !(form in forms) && (form !== "many" || language === "ar"));
}
