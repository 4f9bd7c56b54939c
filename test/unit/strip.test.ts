import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withoutPosition } from "../../src/features/media/strip.ts";
import { heicWith, jpegWith, PNG, pngWith, webpWith } from "../support/pictures.ts";

const SECRET = "GPS-52.5200N-13.4050E";
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
const copy = (bytes: Uint8Array) => new Uint8Array(bytes);
const PICTURES: [string, Buffer][] = [
  ["image/jpeg", jpegWith({ orientation: 6, secret: SECRET })],
  ["image/png", pngWith(SECRET)],
  ["image/webp", webpWith(SECRET)],
  ["image/heic", heicWith(SECRET)],
  ["image/avif", heicWith(SECRET)],
];

describe.each(PICTURES)("%s", (type, given) => {
  test("loses what its camera says, and twice is as once", () => {
    expect(text(given)).toContain(SECRET);
    const clean = withoutPosition(copy(given), type);
    expect(text(clean)).not.toContain(SECRET);
    expect(withoutPosition(copy(clean), type)).toEqual(clean);
  });

  test("that breaks off anywhere either loses it or is refused", () => {
    for (let length = 12; length < given.byteLength; length++) {
      let clean: Uint8Array;
      try {
        clean = withoutPosition(copy(given.subarray(0, length)), type);
      } catch (error) {
        expect(error).toMatchObject({ code: "media_type_refused" });
        continue;
      }
      expect(text(clean)).not.toContain(SECRET);
    }
  });

  test("with any bytes changed ends, and throws nothing but a refusal", () => {
    const changes = fc.array(fc.tuple(fc.nat(given.byteLength - 1), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(changes, (list) => {
        const bytes = copy(given);
        for (const [at, value] of list) bytes[at] = value;
        try {
          expect(withoutPosition(bytes, type).byteLength).toBeLessThanOrEqual(given.byteLength);
        } catch (error) {
          expect(error).toMatchObject({ code: "media_type_refused" });
        }
      }),
      { numRuns: 500 },
    );
  });
});

test("a JPEG keeps its picture, its colours and its orientation, and nothing else", () => {
  const clean = text(withoutPosition(jpegWith({ orientation: 8, secret: SECRET }), "image/jpeg"));
  expect(clean).toContain("ICC_PROFILE");
  expect(clean).toContain("JFIF");
  expect(clean).toContain("\x12\xff\x00\x34\xff\xd0\x56\xff\xd9");
  expect(clean.endsWith("\xff\xd9")).toBe(true);
  expect(clean).toContain("\x01\x12\x00\x03\x00\x00\x00\x01\x00\x08");
  for (const orientation of [1, 0, 9])
    expect(text(withoutPosition(jpegWith({ orientation, secret: SECRET }), "image/jpeg"))).not.toContain(
      "Exif",
    );
});

test("a PNG without metadata, and a file that is no picture, stay as they are", () => {
  expect(Buffer.from(withoutPosition(copy(PNG), "image/png")).equals(PNG)).toBe(true);
  const pdf = Buffer.from(`%PDF-1.4 ${SECRET}`);
  expect(withoutPosition(pdf, "application/pdf")).toBe(pdf);
});

test("a WebP file says its new size, and that it has no EXIF and no XMP", () => {
  const clean = Buffer.from(withoutPosition(copy(webpWith(SECRET)), "image/webp"));
  expect(clean.readUInt32LE(4)).toBe(clean.byteLength - 8);
  expect(clean[20]! & 0x0c).toBe(0);
  expect(clean.toString("latin1")).toContain("VP8 ");
});
