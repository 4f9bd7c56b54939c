import { describe, expect, test } from "vitest";
import { amountIn, CURRENCIES, decimalsOf } from "../../src/features/orders/currency.ts";
import { zonedIn, zonedText } from "../../src/features/reservations/zoned.ts";

describe("an amount", () => {
  test.for<[string | number, string, string | undefined]>([
    ["12.5", "EUR", "12.50"],
    ["12", "EUR", "12.00"],
    [12.5, "EUR", "12.50"],
    [0.1, "USD", "0.10"],
    [49.99, "USD", "49.99"],
    ["0", "EUR", "0.00"],
    ["500", "JPY", "500"],
    ["500.0", "JPY", undefined],
    [500, "JPY", "500"],
    ["1.234", "KWD", "1.234"],
    ["1.2345", "KWD", undefined],
    ["1.234", "EUR", undefined],
    ["999999999999999.99", "EUR", "999999999999999.99"],
    ["1000000000000000", "EUR", undefined],
    // 17 digits, which a number does not hold exactly.
    [123456789012345.67, "EUR", undefined],
    [0.1 + 0.2, "EUR", undefined],
    ["-1", "EUR", undefined],
    [-1, "EUR", undefined],
    [1e21, "EUR", undefined],
    [Number.NaN, "EUR", undefined],
    ["1e3", "EUR", undefined],
    ["01", "EUR", undefined],
    ["1.", "EUR", undefined],
    [".5", "EUR", undefined],
    ["1,50", "EUR", undefined],
    [" 1", "EUR", undefined],
    ["", "EUR", undefined],
  ])("%j %s is %j", ([given, currency, exact]) => {
    expect(amountIn(given, currency)).toBe(exact);
  });

  test("has the decimals of ISO 4217, where CLDR has others", () => {
    const decimals = (codes: string) => codes.split(" ").map(decimalsOf);
    expect(decimals("JPY KRW CLP ISK VND UGX")).toEqual([0, 0, 0, 0, 0, 0]);
    expect(decimals("KWD BHD TND IQD")).toEqual([3, 3, 3, 3]);
    expect(decimals("EUR USD HUF IDR ALL")).toEqual([2, 2, 2, 2, 2]);
  });

  test("is in a currency that the runtime knows too", () => {
    const known = new Set(Intl.supportedValuesOf("currency"));
    expect(CURRENCIES.size).toBeGreaterThan(150);
    // Venezuela has two codes of ISO 4217; CLDR lists one.
    expect([...CURRENCIES].filter((code) => !known.has(code))).toEqual(["VED"]);
  });
});

describe("the time of a reservation", () => {
  test.for<[string, string | undefined, string, string]>([
    ["2026-12-01T19:00:00+01:00", undefined, "2026-12-01T18:00:00.000Z", "+01:00"],
    ["2026-12-01T19:00+05:30", undefined, "2026-12-01T13:30:00.000Z", "+05:30"],
    ["2026-12-01T19:00:00.999Z", undefined, "2026-12-01T19:00:00.000Z", "UTC"],
    ["2026-12-01T19:00:00", "Europe/Berlin", "2026-12-01T18:00:00.000Z", "Europe/Berlin"],
    ["2026-07-01T19:00:00", "Europe/Berlin", "2026-07-01T17:00:00.000Z", "Europe/Berlin"],
    ["2026-07-01T19:00:00+02:00", "Europe/Berlin", "2026-07-01T17:00:00.000Z", "Europe/Berlin"],
    ["2026-07-01T17:00:00.000Z", "Europe/Berlin", "2026-07-01T17:00:00.000Z", "Europe/Berlin"],
    ["2026-12-01T19:00:00", "Asia/Kolkata", "2026-12-01T13:30:00.000Z", "Asia/Kolkata"],
    ["2026-12-01T19:00", "-03:00", "2026-12-01T22:00:00.000Z", "-03:00"],
    // 02:30 comes twice on this day: the earlier one.
    ["2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T00:30:00.000Z", "Europe/Berlin"],
    ["2026-10-25T02:30:00+01:00", "Europe/Berlin", "2026-10-25T01:30:00.000Z", "Europe/Berlin"],
    ["2026-12-31T23:30:00", "Pacific/Kiritimati", "2026-12-31T09:30:00.000Z", "Pacific/Kiritimati"],
  ])("%s in %s is %s", ([text, timezone, datetime, zone]) => {
    expect(zonedIn(text, timezone)).toEqual({ datetime, timezone: zone });
  });

  test.for<[string, string | undefined]>([
    ["2026-12-01T19:00:00", undefined],
    ["2026-12-01", "Europe/Berlin"],
    ["2026-02-30T19:00:00Z", undefined],
    ["2026-12-01T24:00:00Z", undefined],
    ["2026-12-01T25:00:00Z", undefined],
    ["2026-12-01T19:60:00Z", undefined],
    ["2026-12-01T19:00:00+25:00", undefined],
    ["2026-12-01T19:00:00+01:00", "Asia/Kolkata"],
    ["2026-12-01T19:00:00", "Europe/Nowhere"],
    ["2026-12-01T19:00:00", "'; drop table"],
    ["2026-03-29T02:30:00", "Europe/Berlin"],
    ["0001-01-01T00:00:00Z", undefined],
    ["tomorrow at eight", "Europe/Berlin"],
    ["", undefined],
  ])("%s in %s is refused, with the reason", ([text, timezone]) => {
    expect(zonedIn(text, timezone)).toEqual(expect.stringMatching(/^[a-z].{10,}/));
  });

  test("is shown in its zone again, summer and winter", () => {
    const shown = (instant: string, zone: string) => zonedText(new Date(instant), zone);
    expect(shown("2026-12-01T18:00:00Z", "Europe/Berlin")).toBe("2026-12-01T19:00:00+01:00");
    expect(shown("2026-07-01T17:00:00Z", "Europe/Berlin")).toBe("2026-07-01T19:00:00+02:00");
    expect(shown("2026-12-01T22:00:00Z", "-03:30")).toBe("2026-12-01T18:30:00-03:30");
    expect(shown("2026-12-01T22:00:00Z", "UTC")).toBe("2026-12-01T22:00:00+00:00");
  });
});
