/** What a page may do: its own files, its own hub, and nothing of another host. No inline script or style. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Files with a hash in their names never change. Shops' pages load the chat from them, so every origin may read them. */
const SHARED = { "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin" };

/** The headers of the pages' files, by path. No path has the same header from two rules. */
const HEADERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "/*": {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=15552000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
  },
  "/assets/*": { "Cache-Control": "public, max-age=31536000, immutable", ...SHARED },
  "/chat.js": { "Cache-Control": "public, max-age=300", ...SHARED },
  "/chat-window.js": SHARED,
};

/**
 * The headers in the form of Cloudflare's file `_headers`, which the hub under Node reads too. In development a page may hold
 * frames of its own host, as the simulator does. No page may be framed.
 */
export function headersFile({ isDevelopment }: { readonly isDevelopment: boolean }): string {
  const text = Object.entries(HEADERS)
    .map(([path, headers]) =>
      [path, ...Object.entries(headers).map(([name, value]) => `  ${name}: ${value}`), ""].join("\n"),
    )
    .join("\n");
  return isDevelopment ? text.replace(POLICY, `${POLICY}; frame-src 'self'`) : text;
}
