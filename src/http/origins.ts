import type { AppOptions, HttpContext } from "./request.ts";

const LOCAL = /^https?:\/\/(localhost|[^./]+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;
/** The most origins that one isolate logs, because any caller can send any origin. */
const MOST_LOGGED = 50;

/**
 * Whether pages of this origin may read answers: those in CORS_ORIGINS and WEB_PUBLIC_ORIGINS, the hub's own, and local
 * ones in development.
 */
export function isAllowedOrigin(options: AppOptions, origin: string, url: string): boolean {
  const { corsOrigins, publicPages } = options;
  if (corsOrigins.includes("*")) return true;
  return isPageOf(options, [...corsOrigins, ...(publicPages?.origins ?? [])], origin, url);
}

/** Whether a page is of one of these origins, the hub's own, or in development a local one. */
export function isPageOf(
  { localOrigins }: AppOptions,
  origins: readonly string[],
  origin: string | null,
  url: string,
): boolean {
  if (origin === null) return false;
  if (origins.includes(origin) || origin === new URL(url).origin) return true;
  return (localOrigins ?? false) && LOCAL.test(origin);
}

/**
 * Logs each refused origin once, with advice. Operators could not see it otherwise: only the browser shows the refusal.
 */
export function refusedOriginsLog({ log }: AppOptions): (c: HttpContext, origin: string) => void {
  const seen = new Set<string>();
  return (c, origin) => {
    const shown = URL.parse(origin)?.origin;
    if (shown !== origin || origin.length > 200 || seen.has(origin) || seen.size >= MOST_LOGGED) return;
    seen.add(origin);
    log("warn", "origin.refused", {
      request_id: c.var.exchange.id,
      origin,
      advice: `if this page is yours, add ${origin} to CORS_ORIGINS`,
    });
  };
}
