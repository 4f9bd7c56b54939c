import { createHash, createHmac, timingSafeEqual } from "node:crypto";

const encoder = new TextEncoder();

/**
 * Whether two secrets are equal. The time it takes shows neither where they differ nor how long the expected one is.
 */
export async function sameSecret(given: string, expected: string): Promise<boolean> {
  return timingSafeEqual(sha256(given), sha256(expected));
}

/** Whether two texts are equal, without a promise. The time it takes shows at most the length of `expected`. */
export function equalText(given: string, expected: string): boolean {
  return equalBytes(encoder.encode(expected), encoder.encode(given));
}

/**
 * Whether `given` is one of the secrets. It is compared with all of them, so the time does not show which one matches.
 */
export async function isOneOf(given: string, expected: readonly string[]): Promise<boolean> {
  let found = false;
  for (const secret of expected) if (await sameSecret(given, secret)) found = true;
  return found;
}

/** HMAC-SHA256 of the bytes, as lower-case hex. */
export async function hmacHex(secret: string, bytes: Uint8Array): Promise<string> {
  return hmac(secret, bytes).toString("hex");
}

/** Whether `hex` is the HMAC-SHA256 of exactly these bytes, compared in constant time. */
export async function isHmac(secret: string, bytes: Uint8Array, hex: string): Promise<boolean> {
  if (!/^[0-9a-f]{64}$/i.test(hex)) return false;
  return timingSafeEqual(Buffer.from(hex, "hex"), hmac(secret, bytes));
}

/** The signature of a text, as lower-case hex: the first 32 digits of its HMAC-SHA256. */
export function signText(secret: string, text: string): string {
  return hmac(secret, encoder.encode(text)).toString("hex").slice(0, 32);
}

/** Whether `signature` is that of `signText`. */
export function signedText(secret: string, text: string, signature: string): boolean {
  return equalText(signature, signText(secret, text));
}

/** SHA-256 of a text as lower-case hex. Tokens are stored in this form. */
export async function sha256Hex(text: string): Promise<string> {
  return sha256(text).toString("hex");
}

// node:crypto rather than WebCrypto, which hands such short work to another thread under Node and waits for it.
function hmac(secret: string, bytes: Uint8Array): Buffer {
  return createHmac("sha256", secret).update(bytes).digest();
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ (b[i] ?? 0);
  return difference === 0;
}
