import type { AppOptions, HttpContext } from "./request.ts";

const LOCAL = /^https?:\/\/(localhost|[^./]+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;
/** Anybody can send any origin: an isolate logs this many different ones. */
const MOST_LOGGED = 50;

/** Whether pages of this origin may read answers: those of CORS_ORIGINS, the hub's own, and a developer's. */
export function isAllowedOrigin(
  { corsOrigins, localOrigins }: AppOptions,
  origin: string,
  url: string,
): boolean {
  if (corsOrigins.includes("*") || corsOrigins.includes(origin) || origin === new URL(url).origin)
    return true;
  return (localOrigins ?? false) && LOCAL.test(origin);
}

/** Logs each origin that is refused once, with what an operator does about it: the browser tells nobody but its user. */
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
