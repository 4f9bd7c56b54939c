import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { normalisePhone, phoneFromDigits } from "../../src/core/identity/phone.ts";

const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9]{${length}}$`));
/** A national number set apart as people do. */
const spaced = (national: string) =>
  fc
    .array(fc.constantFrom("", "", " ", "-", ".", " - "), {
      minLength: national.length,
      maxLength: national.length,
    })
    .map((gaps) => [...national].map((digit, i) => (i > 0 ? gaps[i] : "") + digit).join(""));

test.for<[string, string, string | undefined, string]>([
  ["a Brazilian mobile before the ninth digit", "+55 11 8765-4321", undefined, "+5511987654321"],
  ["a Brazilian mobile with the ninth digit", "+5511987654321", undefined, "+5511987654321"],
  ["a Brazilian mobile as dialled at home", "(011) 98765-4321", "BR", "+5511987654321"],
  ["a Brazilian landline, which has none", "+55 11 3765-4321", undefined, "+551137654321"],
  ["an old Mexican mobile", "+52 1 55 1234 5678", undefined, "+525512345678"],
  ["an old Mexican mobile in brackets", "+52 (1) 55 1234 5678", undefined, "+525512345678"],
  ["an old Mexican mobile with a bracketed area", "+521(55)12345678", undefined, "+525512345678"],
  ["an old Mexican mobile with 00", "00 52 1 55 1234 5678", undefined, "+525512345678"],
  ["an old Mexican mobile without a plus", "5215512345678", "MX", "+525512345678"],
  ["an old Mexican mobile as dialled at home", "1 55 1234 5678", "MX", "+525512345678"],
  ["a Mexican mobile", "55 1234 5678", "MX", "+525512345678"],
  ["an Argentine mobile", "+54 9 11 2345-6789", undefined, "+541123456789"],
  ["an Argentine mobile without the 9", "+54 11 2345-6789", undefined, "+541123456789"],
  ["an Argentine mobile as dialled at home", "011 15 2345-6789", "AR", "+541123456789"],
  ["an Argentine mobile with both 54 and 15", "+54 11 15 2345-6789", undefined, "+541123456789"],
  ["an American number from Mexico", "+1 (551) 234-5678", "MX", "+15512345678"],
  ["a test number that is possible only", "+447700900123", undefined, "+447700900123"],
  ["a number without a prefix", "07700 900123", "GB", "+447700900123"],
  ["a number with a prefix of another country", "+12025550123", "BR", "+12025550123"],
  ["a number in full-width digits", "＋１ ２０２ ５５５ ０１２３", undefined, "+12025550123"],
])("%s has one spelling", ([, input, country, expected]) => {
  expect(normalisePhone(input, country)).toBe(expected);
});

test.for<[string, string, string | undefined]>([
  ["nothing", "", "BR"],
  ["a plus", "+", undefined],
  ["words", "call me", "US"],
  ["a phone within a sentence", "call me at +1 202 555 0123, please", undefined],
  ["two phones", "+12025550123 +13035550123", undefined],
  ["a number without a prefix and no country", "202 555 0123", undefined],
  ["a number without a prefix and a country that is none", "202 555 0123", "XX"],
  ["too few digits", "+1202555", undefined],
  ["too many digits", "+1202555012345", undefined],
  ["a country code nobody has", "+999 123 456 789", undefined],
])("%s is no phone", ([, input, country]) => {
  expect(normalisePhone(input, country)).toBeUndefined();
});

describe("one person has one phone", () => {
  test("with and without Brazil's ninth digit", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("11", "21", "31", "47", "61", "71", "85"),
        fc.stringMatching(/^[6-9][0-9]{7}$/),
        (area, number) => {
          expect(phoneFromDigits(`55${area}${number}`)).toBe(`+55${area}9${number}`);
          expect(phoneFromDigits(`55${area}9${number}`)).toBe(`+55${area}9${number}`);
        },
      ),
    );
  });

  test("with and without Mexico's old 1, however it is set apart", () => {
    fc.assert(
      fc.property(
        fc
          .stringMatching(/^[2-9][0-9]{9}$/)
          .chain((national) => fc.tuple(fc.constant(national), spaced(national))),
        ([national, written]) => {
          const expected = `+52${national}`;
          expect(phoneFromDigits(`52${national}`)).toBe(expected);
          expect(phoneFromDigits(`521${national}`)).toBe(expected);
          expect(normalisePhone(`+52 1 ${written}`)).toBe(expected);
          expect(normalisePhone(`+52 ${written}`)).toBe(expected);
          expect(normalisePhone(written, "MX")).toBe(expected);
        },
      ),
    );
  });

  test("with and without Argentina's 9", () => {
    fc.assert(
      fc.property(fc.constantFrom("11", "221", "351", "341", "261"), digits(8), (area, rest) => {
        const national = `${area}${`4${rest}`.slice(0, 10 - area.length)}`;
        expect(phoneFromDigits(`549${national}`)).toBe(`+54${national}`);
        expect(phoneFromDigits(`54${national}`)).toBe(`+54${national}`);
      }),
    );
  });

  test("and a phone that has its spelling keeps it", () => {
    const prefix = fc.constantFrom("55", "52", "521", "54", "549", "1", "44", "49", "91", "");
    fc.assert(
      fc.property(
        prefix,
        fc.stringMatching(/^[0-9]{5,13}$/),
        fc.constantFrom(undefined, "MX", "BR", "AR", "US"),
        (start, rest, country) => {
          const once = normalisePhone(`+${start}${rest}`);
          fc.pre(once !== undefined);
          expect(normalisePhone(once!)).toBe(once);
          expect(normalisePhone(once!, country)).toBe(once);
          expect(phoneFromDigits(once!.slice(1))).toBe(once);
          expect(once).toMatch(/^\+[1-9]\d{4,16}$/);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

test("a platform's digits are read with and without a plus, and nothing else is", () => {
  expect(phoneFromDigits("12025550123")).toBe("+12025550123");
  expect(phoneFromDigits("+12025550123")).toBe("+12025550123");
  for (const wrong of [
    "",
    "1202",
    "1 202 555 0123",
    "IN.ab12",
    "12025550123x",
    "0".repeat(10),
    "9".repeat(18),
  ])
    expect(phoneFromDigits(wrong)).toBeUndefined();
});

test("whatever is given, no phone is ever thrown at", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.option(fc.string(), { nil: undefined }),
      (input, country) => {
        const phone = normalisePhone(input, country);
        expect(phone === undefined || /^\+\d+$/.test(phone)).toBe(true);
      },
    ),
  );
});
