const NEAR = ["127.0.0.1", "localhost", "[::1]"];

/** A `postgres://` address that asks for TLS, unless it says itself how, or is of this machine. Undefined for no address. */
export function databaseUrlOf(text: string): string | undefined {
  const url = URL.parse(text);
  if (!url || !["postgres:", "postgresql:"].includes(url.protocol)) return undefined;
  const isSocket = url.hostname === "";
  if (isSocket || NEAR.includes(url.hostname) || url.searchParams.has("sslmode")) return text;
  url.searchParams.set("sslmode", "require");
  return url.href;
}
