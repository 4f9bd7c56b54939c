const encoder = new TextEncoder();

/**
 * Whether two secrets are equal. The time it takes shows neither where they differ nor how long the expected one is.
 */
export async function sameSecret(given: string, expected: string): Promise<boolean> {
  const [a, b] = await Promise.all([sha256(given), sha256(expected)]);
  return equalBytes(a, b);
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
  return toHex(
    new Uint8Array(await crypto.subtle.sign("HMAC", await hmacKey(secret), bytes as BufferSource)),
  );
}

/** Whether `hex` is the HMAC-SHA256 of exactly these bytes, compared in constant time. */
export async function isHmac(secret: string, bytes: Uint8Array, hex: string): Promise<boolean> {
  if (!/^[0-9a-f]{64}$/i.test(hex)) return false;
  const given = Uint8Array.from(hex.match(/../g)!, (pair) => Number.parseInt(pair, 16));
  return crypto.subtle.verify("HMAC", await hmacKey(secret), given, bytes as BufferSource);
}

/** SHA-256 of a text as lower-case hex. Tokens are stored in this form. */
export async function sha256Hex(text: string): Promise<string> {
  return toHex(await sha256(text));
}

const keys = new Map<string, Promise<CryptoKey>>();

function hmacKey(secret: string): Promise<CryptoKey> {
  let key = keys.get(secret);
  if (!key) {
    key = crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, [
      "sign",
      "verify",
    ]);
    keys.set(secret, key);
  }
  return key;
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ (b[i] ?? 0);
  return difference === 0;
}

function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return hex;
}
