import fc from "fast-check";
import { expect, test } from "vitest";
import { hmacHex, isHmac, isOneOf, sameSecret, sha256Hex } from "../../src/core/signature.ts";

const secret = fc.string({ unit: "binary", minLength: 1 });
const body = fc.uint8Array({ maxLength: 300 });
const encoder = new TextEncoder();

async function hmacOfWebCrypto(key: string, bytes: BufferSource): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", encoder.encode(key), algorithm, false, ["sign"]);
  return Buffer.from(await crypto.subtle.sign("HMAC", imported, bytes)).toString("hex");
}

test("an HMAC equals that of WebCrypto, and is accepted", async () => {
  await fc.assert(
    fc.asyncProperty(secret, body, async (key, bytes) => {
      const expected = await hmacOfWebCrypto(key, bytes as BufferSource);
      expect(await hmacHex(key, bytes)).toBe(expected);
      expect(await isHmac(key, bytes, expected)).toBe(true);
      expect(await isHmac(key, bytes, expected.toUpperCase())).toBe(true);
    }),
  );
});

test("an HMAC of other bytes or another secret is not accepted", async () => {
  await fc.assert(
    fc.asyncProperty(secret, body, fc.nat(), async (key, bytes, at) => {
      const right = await hmacHex(key, bytes);
      expect(await isHmac(`${key}x`, bytes, right)).toBe(false);
      expect(await isHmac(key, new Uint8Array([...bytes, 0]), right)).toBe(false);
      const i = at % 64;
      const flipped = right.slice(0, i) + (right[i] === "0" ? "1" : "0") + right.slice(i + 1);
      expect(await isHmac(key, bytes, flipped)).toBe(false);
    }),
  );
});

test("a text that is no HMAC is not accepted", async () => {
  const bytes = new Uint8Array([1]);
  const right = await hmacHex("secret", bytes);
  for (const wrong of [
    "",
    "x",
    right.slice(2),
    `${right}00`,
    `${right.slice(0, 62)}zz`,
    ` ${right}`,
    `sha256=${right}`,
  ])
    expect(await isHmac("secret", bytes, wrong)).toBe(false);
});

test("a hash equals that of WebCrypto", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme" }), async (text) => {
      const hash = await crypto.subtle.digest("SHA-256", encoder.encode(text));
      expect(await sha256Hex(text)).toBe(Buffer.from(hash).toString("hex"));
    }),
  );
});

test("a secret equals only itself, at any length", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string(), fc.string(), async (one, other) => {
      expect(await sameSecret(one, one)).toBe(true);
      expect(await sameSecret(one, other)).toBe(one === other);
      expect(await sameSecret(one, `${one}x`)).toBe(false);
    }),
  );
});

test("a secret is found at any place of a list, and never in an empty one", async () => {
  const keys = ["first", "second", "third"];
  for (const key of keys) expect(await isOneOf(key, keys)).toBe(true);
  for (const wrong of ["", "fir", "firstsecond", "first,second"])
    expect(await isOneOf(wrong, keys)).toBe(false);
  expect(await isOneOf("first", [])).toBe(false);
});
