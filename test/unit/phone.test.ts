import fc from "fast-check";
import { type CountryCode, parsePhoneNumberFromString } from "libphonenumber-js/max";
import { describe, expect, test } from "vitest";
import {
  normalisePhone,
  phoneFromCard,
  phoneFromDigits,
  phoneOf,
  readPhone,
} from "../../src/core/identity/phone.ts";

const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9]{${length}}$`));
/** A national number set apart as people do. */
const spaced = (national: string) =>
  fc
    .array(fc.constantFrom("", "", " ", "-", ".", "\t", " - "), {
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
          expect(normalisePhone(`01 ${written}`, "MX")).toBe(expected);
          expect(normalisePhone(`044${written}`, "MX")).toBe(expected);
          fc.pre(parsePhoneNumberFromString(expected)?.isValid() === true);
          expect([expected, undefined]).toContain(normalisePhone(national, "MX"));
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

const ambiguous = "phone_ambiguous";
/** The phone, or the code of its refusal. */
const read = (input: string, country?: string) => {
  const reading = readPhone(input, country);
  return reading.phone ?? reading.refused;
};

test.for<[country: CountryCode | undefined, input: string, expected: string]>([
  ["DE", "0551 1987654", "+495511987654"],
  ["DE", "(0176) 123 456 78", "+4917612345678"],
  ["DE", "+49 (0) 176 12345678", "+4917612345678"],
  ["DE", "tel:+49-176-12345678", "+4917612345678"],
  ["DE", "tel:11-98765-4321;phone-context=+55", "+5511987654321"],
  ["DE", "5511987654321", ambiguous],
  ["DE", "55 11 98765 4321", "+5511987654321"],
  ["DE", "0551 1987654321", "+495511987654321"],
  ["DE", "201012345678", ambiguous],
  ["DE", "160 12345678", "+4916012345678"],
  ["DE", "16012345678", ambiguous],
  ["BR", "0xx11 98765-4321", "+5511987654321"],
  ["BR", "(0XX11) 98765-4321", "+5511987654321"],
  ["BR", "0 xx 11 8765-4321", "+5511987654321"],
  ["BR", "0 15 11 98765-4321", "+5511987654321"],
  ["BR", "0 21 (11) 98765-4321", "+5511987654321"],
  ["BR", "0xx11 3765-4321", "+551137654321"],
  [undefined, "+55 (0xx11) 98765-4321", "+5511987654321"],
  [undefined, "+55 0 11 98765-4321", "+5511987654321"],
  [undefined, "(+55) 11 98765-4321", "+5511987654321"],
  [undefined, "(+55)(11)98765-4321", "+5511987654321"],
  [undefined, "(0055) 11 98765-4321", "+5511987654321"],
  [undefined, "\u202a+55\u00a011\u00a098765\u20114321\u202c", "+5511987654321"],
  [undefined, "\u2066+55 11 98765-4321\u2069", "+5511987654321"],
  [undefined, "\ufeff+55\t11\t98765\u200b4321\u200e", "+5511987654321"],
  [undefined, "\t\u200f tel: (+55) 11 98765-4321\n", "+5511987654321"],
  ["BR", "5511987654321", "+5511987654321"],
  ["BR", "551187654321", "+5511987654321"],
  ["BR", "11987654321", "+5511987654321"],
  ["BR", "51987654321", ambiguous],
  ["BR", "051987654321", "+5551987654321"],
  ["BR", "(51) 98765-4321", "+5551987654321"],
  ["BR", "51 987 654 321", "+51987654321"],
  ["BR", "12025550123", "+12025550123"],
  ["MX", "044 55 1234 5678", "+525512345678"],
  ["MX", "045 55 1234 5678", "+525512345678"],
  ["MX", "01 55 1234 5678", "+525512345678"],
  ["MX", "01-477-123-4567", "+524771234567"],
  ["MX", "4771234567", ambiguous],
  ["MX", "477 123 4567", "+524771234567"],
  ["MX", "15512345678", ambiguous],
  ["MX", "1 551 234 5678", "+15512345678"],
  ["MX", "5215512345678", "+525512345678"],
  [undefined, "+52 044 55 1234 5678", "+525512345678"],
  [undefined, "+52 01 55 1234 5678", "+525512345678"],
  [undefined, "+52 (045) 55 1234 5678", "+525512345678"],
  ["AR", "011 15 2345-6789", "+541123456789"],
  ["AR", "11 15 2345-6789", "+541123456789"],
  ["AR", "9 11 2345-6789", "+541123456789"],
  ["AR", "9 11 15 2345-6789", "+541123456789"],
  ["AR", "0 9 11 2345-6789", "+541123456789"],
  ["AR", "0351 15 412-3456", "+543514123456"],
  [undefined, "+54 9 11 15 2345-6789", "+541123456789"],
  [undefined, "+54 9 011 2345-6789", "+541123456789"],
  [undefined, "+54 9 011 15 2345-6789", "+541123456789"],
  [undefined, "+54 0 9 11 2345-6789", "+541123456789"],
  [undefined, "+54 9 0351 15 412-3456", "+543514123456"],
  ["DE", "5491123456789", ambiguous],
  ["GB", "07911 123456", "+447911123456"],
  ["GB", "+44 (0)7911 123456", "+447911123456"],
  ["GB", "7911 123456", "+447911123456"],
  ["GB", "447911123456", "+447911123456"],
  ["GB", "5511987654321", "+5511987654321"],
  ["IN", "098765 43210", "+919876543210"],
  ["IN", "9876543210", "+919876543210"],
  ["IN", "919876543210", "+919876543210"],
  ["IN", "6581234567", ambiguous],
  ["US", "(202) 555-0123", "+12025550123"],
  ["US", "1-202-555-0123", "+12025550123"],
  ["US", "2025550123", "+12025550123"],
  ["US", "011 55 11 98765 4321", "+5511987654321"],
  ["US", "5215512345678", "+525512345678"],
  ["US", "5511987654321", "+5511987654321"],
  ["US", "551187654321", "+5511987654321"],
  ["US", "202 555 0123 ext. 5", "+12025550123"],
  ["ES", "612 34 56 78", "+34612345678"],
  ["ES", "34612345678", "+34612345678"],
  ["ES", "687123456", "+34687123456"],
  ["ID", "0812-3456-7890", "+6281234567890"],
  ["ID", "6281234567890", "+6281234567890"],
  ["ID", "+62 0812 3456 7890", "+6281234567890"],
  ["FR", "06 12 34 56 78", "+33612345678"],
  ["FR", "+33 (0)6 12 34 56 78", "+33612345678"],
  ["FR", "33612345678", "+33612345678"],
  ["EG", "٠١٠ ١٢٣٤ ٥٦٧٨", "+201012345678"],
  ["EG", "+۲۰ ۱۰ ۱۲۳۴ ۵۶۷۸", "+201012345678"],
  ["EG", "010 1234 5678", "+201012345678"],
  ["EG", "201012345678", "+201012345678"],
  [undefined, "5511987654321", ambiguous],
  ["BR", "0047 12 34 56 78", "+4712345678"],
  ["US", "+12025550123; +13035550123", "malformed"],
  ["US", "2025550123\n3035550123", "malformed"],
  ["US", "447700900123", "malformed"],
])("in %s, %j is %s", ([country, input, expected]) => {
  expect(read(input, country)).toBe(expected);
});

test("a contact card's phone is international, with or without plus, and set apart or not", () => {
  for (const written of [
    "5511987654321",
    "55 11 98765-4321",
    "+55 (11) 98765-4321",
    "\u200e55-11-98765-4321",
  ])
    expect(phoneFromCard(written)).toBe("+5511987654321");
  for (const wrong of ["", "011 98765-4321", "call me", "+"]) expect(phoneFromCard(wrong)).toBeUndefined();
});

test("a caller is refused with the reason, and without the number", () => {
  expect(phoneOf("030 12345678", "DE")).toBe("+493012345678");
  for (const [given, code] of [
    ["5511987654321", ambiguous],
    ["12", "malformed"],
  ] as const) {
    const refused = expect.objectContaining({ code, message: expect.stringMatching(/^phone: \D+$/) });
    expect(() => phoneOf(given, "DE")).toThrow(refused);
  }
});

describe("no spelling is another person's", () => {
  /** Starts of numbers that people have, and how long those are. */
  const PEOPLE: readonly [CountryCode, starts: readonly string[], length: number][] = [
    ["DE", ["151", "160", "176", "30", "551"], 11],
    ["BR", ["119", "219", "519", "819", "859"], 11],
    ["BR", ["113", "214", "513"], 10],
    ["MX", ["55", "477", "33", "452", "664"], 10],
    ["AR", ["11", "351", "221", "261"], 10],
    ["GB", ["79", "20", "161"], 10],
    ["IN", ["98", "70", "65", "91"], 10],
    ["US", ["202", "434", "551", "323"], 10],
    ["ES", ["61", "687", "91"], 9],
    ["ID", ["812", "857", "21"], 11],
    ["FR", ["61", "68", "14"], 9],
    ["EG", ["10", "12"], 10],
    ["PE", ["98"], 9],
    ["JP", ["90", "98"], 10],
    ["NO", ["71", "9"], 8],
  ];
  const DEFAULTS = [...new Set(PEOPLE.map(([country]) => country)), "AU", "RU", "ZA"] as CountryCode[];

  const person = fc
    .constantFrom(...PEOPLE)
    .chain(([country, starts, length]) =>
      fc
        .tuple(fc.constantFrom(...starts), digits(length))
        .map(([start, rest]) => parsePhoneNumberFromString((start + rest).slice(0, length), country)!),
    )
    .filter((parsed) => parsed.isValid());
  const place = fc.constantFrom(undefined, ...DEFAULTS);
  const mark = fc.constantFrom(
    "\u200e",
    "\u200f",
    "\u202a",
    "\u202e",
    "\u2066",
    "\u2069",
    "\ufeff",
    "\u200b",
  );
  const marks = fc.array(fc.tuple(fc.nat(30), mark), { maxLength: 6 });
  const marked = (text: string, inserts: readonly (readonly [number, string])[]) =>
    inserts.reduce((all, [at, char]) => all.slice(0, at) + char + all.slice(at), text);

  test("with a plus, a number is itself however it is set apart, wherever it is read", () => {
    fc.assert(
      fc.property(
        person.chain((parsed) => fc.tuple(fc.constant(parsed), spaced(parsed.number.slice(1)))),
        place,
        marks,
        ([parsed, apart], country, inserts) => {
          const phone = normalisePhone(parsed.number);
          expect(phone).toMatch(/^\+\d+$/);
          expect(phoneFromDigits(parsed.number.slice(1))).toBe(phone);
          expect(phoneFromCard(marked(apart, inserts))).toBe(phone);
          expect(normalisePhone(parsed.format("RFC3966"), country)).toBe(phone);
          for (const written of [parsed.number, parsed.formatInternational(), `+${apart}`, `(+${apart}`])
            expect(normalisePhone(marked(written, inserts), country)).toBe(phone);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("an Argentine number that begins with 15 after its area code keeps those digits and loses the zero", () => {
    for (const written of ["01115000000", "011 1500-0000", "1115000000", "+54 0 11 1500 0000"])
      expect(read(written, "AR")).toBe("+541115000000");
  });

  test("at home, a number as its country prints it is itself, and bare it is itself or refused", () => {
    fc.assert(
      fc.property(
        person.chain((parsed) =>
          fc.tuple(fc.constant(parsed), spaced(parsed.formatNational().replace(/\D/g, ""))),
        ),
        marks,
        ([parsed, apart], inserts) => {
          const phone = normalisePhone(parsed.number)!;
          const printed = marked(parsed.formatNational(), inserts);
          expect([phone, ambiguous]).toContain(read(printed, parsed.country));
          expect([phone, ambiguous]).toContain(read(parsed.nationalNumber, parsed.country));
          if (apart.startsWith("0")) expect(read(marked(apart, inserts), parsed.country)).toBe(phone);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("without its plus, a number is itself or refused, wherever it is read", () => {
    fc.assert(
      fc.property(person, place, (parsed, country) => {
        const phone = normalisePhone(parsed.number)!;
        for (const written of [parsed.number.slice(1), parsed.formatInternational().slice(1)])
          expect([phone, ambiguous]).toContain(read(written, country));
      }),
      { numRuns: 2000 },
    );
  });

  test("and a number that was read is read the same again in any country", () => {
    const odd = fc.string({
      unit: fc.constantFrom(..."00112345678999+-() .xX;#\t\u200e٣tel:", "55", "52", "54", "15", "044"),
      maxLength: 24,
    });
    fc.assert(
      fc.property(odd, place, place, (input, country, elsewhere) => {
        const { phone } = readPhone(input, country);
        if (phone !== undefined) expect(normalisePhone(phone, elsewhere)).toBe(phone);
      }),
      { numRuns: 3000 },
    );
  });
});

test("reading a phone never throws", () => {
  const text = fc.oneof(fc.string({ unit: "binary", maxLength: 400 }), fc.string({ unit: "grapheme" }));
  fc.assert(
    fc.property(text, fc.option(fc.string(), { nil: undefined }), (input, country) => {
      expect(read(input, country)).toMatch(/^(\+\d+|malformed|phone_ambiguous)$/);
      expect(phoneFromCard(input) ?? "+1").toMatch(/^\+\d+$/);
    }),
  );
});

test("a text built to be slow is read quickly", () => {
  const started = performance.now();
  for (const unit of [" ", "\t", "(", ";a", ";phone-context=", "0xx", "\u200e", "1"])
    expect(read(`1${unit.repeat(100_000 / unit.length)}1y`, "BR")).toBe("malformed");
  expect(performance.now() - started).toBeLessThan(500);
});
