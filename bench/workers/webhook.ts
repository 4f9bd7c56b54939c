const SIGNATURE = /^sha256=([0-9a-f]{64})$/;
let key: Promise<CryptoKey> | undefined;

/** The minimum work for a webhook: checks the signature and reads the JSON. Undefined if the signature is wrong. */
export async function readWebhook(request: Request, secret: string): Promise<unknown> {
  const hex = SIGNATURE.exec(request.headers.get("x-hub-signature-256") ?? "")?.[1];
  const body = await request.arrayBuffer();
  if (!hex) return undefined;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  key ??= crypto.subtle.importKey("raw", new TextEncoder().encode(secret), algorithm, false, ["verify"]);
  const given = Uint8Array.from(hex.match(/../g)!, (pair) => Number.parseInt(pair, 16));
  if (!(await crypto.subtle.verify("HMAC", await key, given, body))) return undefined;
  return JSON.parse(new TextDecoder().decode(body));
}
