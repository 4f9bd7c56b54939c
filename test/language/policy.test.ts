import sqlDriver from "postgres";
import { expect, test } from "vitest";
import {
  type LanguagePolicy,
  languagesFor,
  type Plan,
  permittedLanguage,
  TEXT_LANGUAGES,
} from "../../src/core/language/policy.ts";
import { directionOf } from "../../src/core/language/tag.ts";
import { createDatabase } from "../support/stack.ts";

type Mode = LanguagePolicy["mode"] | "none";
const LISTED: LanguagePolicy["languages"] = ["en", "hi", "pt-BR", "zh-Hant"];

/** The table of docs/languages.md: what a session gets if it is asked for a language. */
const TABLE: [Mode, Plan, asked: string, gets: string | undefined][] = [
  ["none", "basic", "de", "de"],
  ["none", "premium", "pt-PT", "pt-PT"],
  ["single", "basic", "en", "en"],
  ["single", "basic", "en-GB", "en"],
  ["single", "basic", "hi", undefined],
  ["single", "premium", "en", "en"],
  ["single", "premium", "hi", undefined],
  ["allowed", "basic", "en", "en"],
  ["allowed", "basic", "hi", undefined],
  ["allowed", "premium", "en", "en"],
  ["allowed", "premium", "hi", "hi"],
  ["allowed", "premium", "hi-IN", "hi"],
  ["allowed", "premium", "pt", "pt-BR"],
  ["allowed", "premium", "pt-PT", "pt-BR"],
  ["allowed", "premium", "zh", "zh-Hant"],
  ["allowed", "premium", "de", undefined],
  ["auto", "basic", "en", "en"],
  ["auto", "basic", "de", undefined],
  ["auto", "premium", "hi", "hi"],
  ["auto", "premium", "pt", "pt-BR"],
  ["auto", "premium", "pt-PT", "pt-PT"],
  ["auto", "premium", "de", "de"],
  ["auto", "premium", "de-AT", "de-AT"],
];
const policyOf = (mode: Mode): LanguagePolicy | undefined =>
  mode === "none" ? undefined : { mode, languages: LISTED };

test.each(TABLE)("mode %s, plan %s: %s gives %s", (mode, plan, asked, gets) => {
  expect(permittedLanguage(policyOf(mode), plan, asked)).toBe(gets);
});

test.each<[Mode, Plan, readonly string[]]>([
  ["none", "basic", TEXT_LANGUAGES],
  ["single", "premium", ["en"]],
  ["allowed", "basic", ["en"]],
  ["allowed", "premium", LISTED],
  ["auto", "basic", ["en"]],
  ["auto", "premium", [...LISTED, "es", "ar", "pt", "fr", "id"]],
])("mode %s, plan %s offers %j", (mode, plan, languages) => {
  expect(languagesFor(policyOf(mode), plan)).toEqual(languages);
});

test("the database decides as TypeScript does", async () => {
  const { url } = await createDatabase();
  const sql = sqlDriver(url, { max: 1, onnotice: () => {} });
  try {
    for (const [mode, plan, asked, gets] of TABLE) {
      const p = { now: new Date(), language: "en", languages: policyOf(mode) };
      const [row] = await sql`
        select hub.permitted_language(${asked}, ${plan}, hub.context_of(${sql.json(p as never)})) as gets`;
      expect([mode, plan, asked, row!.gets]).toEqual([mode, plan, asked, gets ?? null]);
    }
  } finally {
    await sql.end();
  }
});

test("right-to-left languages are marked as such", () => {
  for (const tag of ["ar", "ar-EG", "he", "fa", "ur", "pa-Arab", "yi", "ckb"])
    expect([tag, directionOf(tag)]).toEqual([tag, "rtl"]);
  for (const tag of ["en", "hi", "es", "pt-BR", "fr", "id", "az", "pa", undefined])
    expect([tag, directionOf(tag)]).toEqual([tag, "ltr"]);
});
