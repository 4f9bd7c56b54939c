/** Whether the hub may send secrets to this URL: `https`, or `http` on the same machine, without user and password. */
export function isSafeUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.username || url.password) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(text));
}

/** Whether a URL is of the same machine. */
export function isLoopback(text: string): boolean {
  const host = URL.parse(text)?.hostname ?? "";
  return /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host);
}
