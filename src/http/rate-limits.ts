import { HubError } from "../core/errors.ts";
import { botOf, callerOf } from "./auth.ts";
import { type AppOptions, CHANNEL_ALIASES, describe, type HttpContext } from "./request.ts";

/** Cloudflare's rate limiting binding: https://developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit/ */
export interface RateLimiter {
  limit(of: { readonly key: string }): Promise<{ readonly success: boolean }>;
}

/** The limits on calls of one network without an API key. An absent one is off. wrangler.toml sets the same periods. */
export interface RateLimiters {
  /** Calls of each route that opens a session or verifies a person, per 60 seconds. */
  readonly entry?: RateLimiter;
  /**
   * Calls of each route where a session token alone writes a row, wakes a bot, opens a connection or searches, per 60
   * seconds.
   */
  readonly device?: RateLimiter;
  /** All calls together, per 10 seconds. */
  readonly caller?: RateLimiter;
}

const ENTRIES = new Set([
  "/session/start",
  "/session/verify",
  "/session/link",
  "/auth/signup",
  "/auth/login",
  "/auth/password",
  "/api/staff/sign-in",
  "/api/staff/sign-in/link",
]);
const DEVICES = new Set([
  "/session/update",
  "/api/chat/language",
  "/session/live",
  "/session/rate",
  "/webhooks/kiosk",
  "/webhooks/web",
  "/webhooks/chat",
  "/api/search/messages",
  "/api/media",
]);
/** Ratings count as one route, whatever session they are for. */
const RATINGS = /^\/api\/sessions\/[^/]+\/rate\/?$/;
const ROUTE_PERIOD_MS = 60_000;
const CALLER_PERIOD_MS = 10_000;

/**
 * Throws `too_many_requests` for a network that calls too often. Calls with an API key and webhooks of platforms, which
 * are signed, are not counted. A limiter that fails lets the call through.
 */
export function limitRate(options: AppOptions) {
  const { entry, device, caller } = options.limiters ?? {};

  async function refuses(limiter: RateLimiter, key: string): Promise<boolean> {
    try {
      return !(await limiter.limit({ key })).success;
    } catch (error) {
      options.log("warn", "limiter.failed", describe(error));
      return false;
    }
  }

  return async (c: HttpContext, next: () => Promise<void>) => {
    const { path, method } = c.req;
    if ((entry || device || caller) && !isFree(method, path, options) && !(await holdsKey(c, options))) {
      const network = networkOf(c.req.raw.headers);
      if (caller && (await refuses(caller, network))) throw tooMany(CALLER_PERIOD_MS);
      const name = RATINGS.test(path) ? "/session/rate" : path;
      // A GET of an entry opens and verifies nothing.
      const route =
        ENTRIES.has(name) && method === "GET"
          ? undefined
          : ENTRIES.has(name)
            ? entry
            : DEVICES.has(name)
              ? device
              : undefined;
      if (route && (await refuses(route, `${name} ${network}`))) throw tooMany(ROUTE_PERIOD_MS);
    }
    await next();
  };
}

/**
 * The network that a call comes from, as Cloudflare saw it: an IPv4 address, or the first 64 bits of an IPv6 address,
 * which one internet connection usually has for itself. Headers that callers can write, such as `X-Forwarded-For`, are
 * not read.
 */
export function networkOf(headers: Headers): string {
  const ip = (headers.get("cf-connecting-ip") ?? "").trim().toLowerCase().slice(0, 64);
  const mapped = /(?:^|:)(\d+\.\d+\.\d+\.\d+)$/.exec(ip)?.[1];
  if (mapped || !ip.includes(":")) return mapped ?? (ip || "unknown");
  const [head = "", tail] = ip.split("::");
  const groups = head === "" ? [] : head.split(":");
  const rest = tail ? tail.split(":") : [];
  if (tail !== undefined) while (groups.length + rest.length < 8) groups.push("0");
  return [...groups, ...rest]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":");
}

/**
 * Whether a call is not counted: probes, and webhooks of platforms. Those are signed, come from few networks, and
 * repeat.
 */
function isFree(method: string, path: string, { postedWith }: AppOptions): boolean {
  if (path === "/health") return true;
  const channel = method === "POST" ? /^\/webhooks\/([^/]+)\/?$/.exec(path)?.[1] : undefined;
  return channel !== undefined && !Object.hasOwn(postedWith, CHANNEL_ALIASES[channel] ?? channel);
}

async function holdsKey(c: HttpContext, { keys }: AppOptions): Promise<boolean> {
  try {
    const { headers } = c.req.raw;
    return (await botOf(headers, keys)) !== undefined || (await callerOf(headers, keys)).scopes !== undefined;
  } catch {
    return false; // The route itself answers with the error.
  }
}

function tooMany(retryAfterMs: number): HubError {
  return new HubError("too_many_requests", "too many calls from your network; wait a moment", {
    retryAfterMs,
  });
}
