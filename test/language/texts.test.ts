import sqlDriver from "postgres";
import { describe, expect, test } from "vitest";
import { codeText, noticesIn } from "../../src/core/identity/notices.ts";
import { TEXT_LANGUAGES } from "../../src/core/language/policy.ts";
import { CATALOGUE, type Texts } from "../../src/core/texts/catalogue.ts";
import { textIn } from "../../src/core/texts/text-in.ts";
import { createDatabase } from "../support/stack.ts";

const NAMES = Object.keys(CATALOGUE.en) as (keyof Texts)[];
/** The arguments of an ICU message: `{name}` and `{name, plural, …}`. */
const argumentsOf = (message: string) =>
  [...new Set([...message.matchAll(/\{(\w+)[},]/g)].map(([, name]) => name))].sort();
const values = {
  name: "Anna",
  minutes: 10,
  code: "123456",
  identity: "…1002",
  channels: "web",
  sources: "Prices",
  language: "de",
  time: "24.12.2026, 19:00",
};

test("the catalogue has the languages that the hub names, and no other", () => {
  expect(Object.keys(CATALOGUE).sort()).toEqual([...TEXT_LANGUAGES].sort());
});

describe.each(TEXT_LANGUAGES)("the texts in %s", (language) => {
  const texts = CATALOGUE[language];

  test("are all there, with the arguments of the English ones", () => {
    expect(Object.keys(texts).sort()).toEqual([...NAMES].sort());
    for (const name of NAMES)
      expect([name, argumentsOf(texts[name])]).toEqual([name, argumentsOf(CATALOGUE.en[name])]);
  });

  test("are translated", () => {
    if (language === "en") return;
    for (const name of NAMES) expect(texts[name]).not.toBe(CATALOGUE.en[name]);
  });

  test("have a plural wherever a number stands, with every form of the language", () => {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    for (const name of NAMES) {
      if (!/\{(minutes|guests)/.test(texts[name])) continue;
      const plural = /\{(?:minutes|guests), plural, (.+?\})\}/.exec(texts[name])?.[1] ?? "";
      expect([...plural.matchAll(/(\w+) \{/g)].map(([, form]) => form).sort()).toEqual([...forms].sort());
    }
    for (const minutes of [0, 1, 2, 3, 11, 100, 1_000_000])
      for (const name of NAMES) {
        const text = textIn(language, name, { ...values, minutes, guests: minutes });
        expect(text).not.toMatch(/[{}#]|undefined/);
      }
  });
});

test.each([
  ["en", 1, "It is valid for 1 minute."],
  ["en", 5, "It is valid for 5 minutes."],
  ["ar", 2, "دقيقتين"],
  ["ar", 5, "دقائق"],
  ["ar", 11, "دقيقة"],
  ["pt-BR", 1, "1 minuto."],
  ["fr", 5, "5 minutes."],
  ["id", 1, "1 menit"],
])("in %s %i minutes are said as one says it", (language, minutes, words) => {
  expect(textIn(language, "code", { code: "123456", minutes })).toContain(words);
});

test("a code is told in the customer's language, and in English where there are no texts", () => {
  expect(codeText("123456", "es-MX")).toMatch(/^123456 es su código/);
  for (const language of ["de", "toString", undefined])
    expect(codeText("123456", language)).toMatch(/^123456 is your code/);
});

test("the database has the same texts", async () => {
  const { url } = await createDatabase();
  const sql = sqlDriver(url, { max: 1, onnotice: () => {} });
  const [row] = await sql`select hub.notice_texts() as texts`;
  await sql.end();
  const texts = Object.fromEntries(TEXT_LANGUAGES.map((language) => [language, noticesIn(language)]));
  // hub.notice_texts() in migrations/functions/notices.sql holds these:
  expect(row!.texts).toEqual(texts);
});
