import fc from "fast-check";
import { expect, test } from "vitest";
import { HubError } from "../../src/core/errors.ts";
import { cleanDeep, cleanText, parseJson } from "../../src/core/json.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
/** Text with NUL and halves of surrogate pairs in it, as a hostile or broken client sends. */
const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 3 }),
      fc.constantFrom("\0", "\ud800", "\udfff", "😀", "\\u0000"),
    ),
  )
  .map((parts) => parts.join(""));
const keepable = (text: string) => text.isWellFormed() && !text.includes("\0");

function refusal(body: Uint8Array): string {
  try {
    parseJson(body);
  } catch (error) {
    if (error instanceof HubError) return error.code;
  }
  return "none";
}

test("cleaned text holds no NUL and no lone surrogate, keeps its length, and stays clean", () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const clean = cleanText(text);
      expect(keepable(clean)).toBe(true);
      expect(clean).toHaveLength(text.length);
      expect(cleanText(clean)).toBe(clean);
      if (keepable(text)) expect(clean).toBe(text);
    }),
  );
});

test("every string and key of parsed JSON can be stored in Postgres", () => {
  const strings = (value: unknown): string[] => {
    if (typeof value === "string") return [value];
    if (value === null || typeof value !== "object") return [];
    return Object.entries(value).flatMap(([key, item]) => [key, ...strings(item)]);
  };
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: "binary" }), hostile, hostile, (value, key, text) => {
      const parsed = parseJson(bytes(JSON.stringify({ value, [key]: text, list: [text] })));
      expect(strings(parsed).filter((found) => !keepable(found))).toEqual([]);
    }),
  );
});

test("JSON without invalid text is returned unchanged", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      expect(parseJson(bytes(JSON.stringify(value)))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("a text that contains an escape as plain characters is not changed", () => {
  expect(parseJson(bytes(JSON.stringify({ text: "\\u0000 \\ud800" })))).toEqual({ text: "\\u0000 \\ud800" });
});

test("bytes that are not UTF-8 become the replacement character", () => {
  const body = new Uint8Array([0x22, 0x61, 0xed, 0xa0, 0x80, 0xff, 0x22]);
  const parsed = parseJson(body);
  expect(parsed).toMatch(/^a\ufffd+$/);
});

test("a byte order mark is not part of the JSON", () => {
  expect(parseJson(new Uint8Array([0xef, 0xbb, 0xbf, 0x31]))).toBe(1);
});

test.for<[string, string]>([
  ["nothing", ""],
  ["half an object", '{"a":'],
  ["a raw NUL", '"\0"'],
  ["a form", "a=1&b=2"],
  ["two values", "{}{}"],
])("%s is malformed", ([, text]) => {
  expect(refusal(bytes(text))).toBe("malformed");
});

test("nesting is read up to 64 levels and refused past them", () => {
  const nested = (levels: number) => bytes("[".repeat(levels) + "]".repeat(levels));
  expect(refusal(nested(64))).toBe("none");
  expect(refusal(nested(65))).toBe("malformed");
  expect(refusal(nested(2_000_000))).toBe("malformed");
});

test("a key such as __proto__ is data like any other", () => {
  const parsed = parseJson(bytes('{"__proto__":{"polluted":"\\u0000"},"constructor":{"prototype":1}}'));
  expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
  expect(Object.keys(parsed as object)).toEqual(["__proto__", "constructor"]);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test("cleaning changes only text", () => {
  expect(cleanDeep({ a: [1, true, null, "x\0"], "k\ud800": { b: "y" } })).toEqual({
    a: [1, true, null, "x\ufffd"],
    "k\ufffd": { b: "y" },
  });
});
