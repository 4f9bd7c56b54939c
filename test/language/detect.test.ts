import { describe, expect, test } from "vitest";
import { detectLanguage } from "../../src/core/language/detect.ts";
import { KNOWN, UNSEEN } from "./phrases.ts";

type Phrases = typeof KNOWN;

/** How many phrases are decided rightly, wrongly and not at all. */
async function judged(phrases: Phrases) {
  const wrong: string[] = [];
  const silent: string[] = [];
  let right = 0;
  for (const [language, texts] of Object.entries(phrases))
    for (const text of texts) {
      const found = (await detectLanguage(text)) ?? "none";
      if (found === language) right += 1;
      else if (found === "none") silent.push(text);
      else wrong.push(`${text} (${language}) as ${found}`);
    }
  return { right, wrong, silent };
}

describe("short messages without a hint", () => {
  test("of the phrases by which the words were chosen none is wrong", async () => {
    const { right, wrong, silent } = await judged(KNOWN);
    console.info(`known phrases: ${right} right, ${wrong.length} wrong, ${silent.length} undecided`);
    expect(wrong).toEqual([]);
    expect(silent.length).toBeLessThan(12);
  });

  test("of other phrases one in fifty at most is wrong, and two thirds are right", async () => {
    const { right, wrong, silent } = await judged(UNSEEN);
    const all = right + wrong.length + silent.length;
    console.info(`unseen phrases: ${right} right, ${wrong.length} wrong, ${silent.length} undecided`);
    console.info([...wrong, "undecided:", ...silent].join("\n"));
    expect(all).toBeGreaterThanOrEqual(60);
    expect(wrong.length).toBeLessThanOrEqual(all / 50);
    expect(right).toBeGreaterThanOrEqual((all * 2) / 3);
  });
});

describe("the script decides first", () => {
  test.each([
    ["नमस्ते, मुझे टेबल चाहिए", "en", "hi"],
    ["नमस्कार, मला टेबल हवे आहे", "mr-IN", "mr-IN"],
    ["मुझे iPhone 15 Pro चाहिए", undefined, "hi"],
    ["أريد حجز طاولة", "en", "ar"],
    ["سلام، میز می‌خواهم", undefined, "fa"],
    ["کیا آج کھلا ہے؟", undefined, "ur"],
    ["שלום", undefined, "he"],
    ["Добрый день", "en", "ru"],
    ["Добър ден", "bg", "bg"],
    ["Доброго дня, чи є вільні місця?", undefined, "uk"],
    ["予約したいです", undefined, "ja"],
    ["我想订位", undefined, "zh"],
    ["예약하고 싶어요", undefined, "ko"],
    ["ขอจองโต๊ะ", undefined, "th"],
    ["আমি একটা টেবিল চাই", undefined, "bn"],
  ])("%s, hint %s: %s", async (text, hint, language) => {
    expect(await detectLanguage(text, hint)).toBe(language);
  });

  test("a name in another script is no language", async () => {
    expect(await detectLanguage("I would like to talk to Мария please")).toBe("en");
  });
});

describe("the hint decides next", () => {
  test.each([
    ["quiero reservar una mesa", "de", "de"],
    ["hello", "pt-BR", "pt-BR"],
  ])("%s, hint %s: %s", async (text, hint, language) => {
    expect(await detectLanguage(text, hint)).toBe(language);
  });

  test.each(["/start", "12345", "👍", "https://shop.example/mesa", "anna@example.com", "@shop #sale", ""])(
    "%s says nothing, whatever the hint",
    async (text) => {
      expect(await detectLanguage(text, "de")).toBeUndefined();
    },
  );
});

test("a very long text takes no longer than a long one", async () => {
  const text = "quiero reservar una mesa para dos ".repeat(20_000);
  const since = performance.now();
  expect(await detectLanguage(text)).toBe("es");
  expect(performance.now() - since).toBeLessThan(200);
});
