import fc from "fast-check";
import { expect, test } from "vitest";
import { splitText } from "../../src/core/messages/split.ts";

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const characters = (text: string) =>
  [...segmenter.segment(text)].map(({ segment }) => segment.trimEnd()).filter((segment) => segment !== "");
const withoutSpace = (text: string) => text.replace(/\s+/g, "");

const FAMILY = "👨‍👩‍👧‍👦";
/** Texts that are hard to cut: words, all kinds of white space, and characters of many code units. */
const piece = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[a-z]{1,12}$/) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(" ", "  ", "\n", "\n\n", "\r\n", ". ", ".", "\t", "\u00a0", "\u2028"),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(FAMILY, "🇧🇷", "🇲🇽🇦🇷", "👍🏽", "é", "e\u0301", "नमस्ते", "ำ", "각", "❤️", "1️⃣"),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "\u0301",
      "\u200d",
      " \u0301",
      "  \u0301",
      ". \u0e33",
      "\ufeff",
      "\ud83d",
      "\udc7d",
    ),
  },
);
const texts = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(""));
/** No character of these texts is longer than a limit. */
const limits = fc.integer({ min: 40, max: 80 });
const fits = (text: string, limit: number) =>
  characters(text).every((character) => character.length <= limit);

test("no piece is longer than the limit, and none is empty", () => {
  fc.assert(
    fc.property(
      fc.oneof(texts, fc.string({ unit: "binary", maxLength: 200 })),
      fc.integer({ min: 2, max: 60 }),
      (text, limit) => {
        for (const part of splitText(text, limit)) {
          expect(part.length).toBeLessThanOrEqual(limit);
          expect(part).not.toBe("");
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("a text without lone surrogates is cut into pieces without lone surrogates", () => {
  fc.assert(
    fc.property(
      fc.oneof(texts, fc.string({ unit: "binary" })),
      fc.integer({ min: 2, max: 40 }),
      (text, limit) => {
        for (const part of splitText(text.toWellFormed(), limit)) expect(part.isWellFormed()).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

test("only white space is lost, and the order is kept", () => {
  fc.assert(
    fc.property(
      fc.oneof(texts, fc.string({ unit: "binary", maxLength: 200 })),
      fc.integer({ min: 2, max: 60 }),
      (text, limit) => {
        expect(withoutSpace(splitText(text, limit).join(""))).toBe(withoutSpace(text));
      },
    ),
    { numRuns: 500 },
  );
});

test("no grapheme is cut if it fits the limit", () => {
  fc.assert(
    fc.property(texts, limits, (text, limit) => {
      fc.pre(fits(text, limit));
      expect(splitText(text, limit).flatMap(characters)).toEqual(characters(text));
    }),
    { numRuns: 2000 },
  );
});

test("a text that fits is one piece, trimmed", () => {
  expect(splitText("  hello\n", 5)).toEqual(["hello"]);
  expect(splitText("hello", 5)).toEqual(["hello"]);
});

test("a text of white space gives no piece", () => {
  expect(splitText(" \n\t\u00a0", 10)).toEqual([]);
  expect(splitText("", 10)).toEqual([]);
});

test.for<[string, string, number, string[]]>([
  ["a paragraph before a line", "one two\n\nsix\nfour five", 13, ["one two", "six\nfour five"]],
  ["a line before a sentence", "one. two\nsix. four five", 15, ["one. two", "six. four five"]],
  ["a sentence before a word", "one two. six four five", 13, ["one two.", "six four five"]],
  ["a word where there is no sentence", "one two three four", 10, ["one two", "three four"]],
  ["a character where there is no word", "abcdefghij", 4, ["abcd", "efgh", "ij"]],
])("it is cut at %s", ([, text, limit, pieces]) => {
  expect(splitText(text, limit)).toEqual(pieces);
});

test("a white space far from the limit does not make a tiny piece", () => {
  expect(splitText(`a ${"b".repeat(20)}`, 10)).toEqual(["a bbbbbbbb", "bbbbbbbbbb", "bb"]);
});

test("an emoji of many code points moves to the next piece as a whole", () => {
  expect(splitText(`${"x".repeat(10)}${FAMILY}`, 12)).toEqual(["x".repeat(10), FAMILY]);
});

test("a space that carries a combining mark is not a place to cut", () => {
  expect(splitText("aaaaaa bb \u0301cc ddd", 10)).toEqual(["aaaaaa", "bb \u0301cc ddd"]);
  expect(splitText(" \u0301abc", 10)).toEqual([" \u0301abc"]);
});

test("a single character longer than the limit is cut between its code points", () => {
  const parts = splitText(`a${"\u{1F3FB}".repeat(20)}`, 8);
  expect(parts.join("")).toBe(`a${"\u{1F3FB}".repeat(20)}`);
  for (const part of parts) expect(part.isWellFormed()).toBe(true);
});

test("a long text of one word or of spaces is split quickly", () => {
  const started = performance.now();
  expect(splitText("x".repeat(500_000), 4096)).toHaveLength(123);
  expect(splitText(`${" ".repeat(500_000)}x`, 4096)).toEqual(["x"]);
  expect(splitText(`a${" ".repeat(500_000)}x`, 4096)).toEqual(["a", "x"]);
  expect(performance.now() - started).toBeLessThan(2_000);
});
