import { HubError } from "../core/errors.ts";
import { callerOf } from "./auth.ts";
import { type AppOptions, CHANNEL_ALIASES, describe, type HttpContext } from "./request.ts";

/** Cloudflare's rate limiting binding: https://developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit/ */
export interface RateLimiter {
  limit(of: { readonly key: string }): Promise<{ readonly success: boolean }>;
}

/** How often one network may call without an API key; an absent one is off. Periods are those of wrangler.toml. */
export interface RateLimiters {
  /** Each route that opens or proves something, for 60 seconds. */
  readonly entry?: RateLimiter;
  /** Each route where a session token alone writes a row, wakes a bot, opens a connection or searches, for 60 seconds. */
  readonly device?: RateLimiter;
  /** Everything together, for 10 seconds. */
  readonly caller?: RateLimiter;
}

const ENTRIES = new Set([
  "/session/start",
  "/session/verify",
  "/session/link",
  "/auth/signup",
  "/auth/login",
  "/auth/password",
]);
const DEVICES = new Set([
  "/session/update",
  "/session/live",
  "/webhooks/kiosk",
  "/webhooks/web",
  "/webhooks/chat",
  "/api/search/messages",
]);
const ROUTE_PERIOD_MS = 60_000;
const CALLER_PERIOD_MS = 10_000;

/**
 * Answers `too_many_requests` to a network that calls too often. Holders of an API key and platforms, which sign what
 * they send, are not counted. A limiter that fails lets everybody through.
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
      const route = ENTRIES.has(path) ? entry : DEVICES.has(path) ? device : undefined;
      if (route && (await refuses(route, `${path} ${network}`))) throw tooMany(ROUTE_PERIOD_MS);
    }
    await next();
  };
}

/**
 * Where a call comes from, as Cloudflare itself saw it: an IPv4 address, or the first half of an IPv6 one, which is what
 * one line has. Headers that callers can write, such as `X-Forwarded-For`, are not read.
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

/** Probes, and what platforms send: they sign it, come from few networks, and would only send it again. */
function isFree(method: string, path: string, { postedWith }: AppOptions): boolean {
  if (path === "/health") return true;
  const channel = method === "POST" ? /^\/webhooks\/([^/]+)\/?$/.exec(path)?.[1] : undefined;
  return channel !== undefined && !Object.hasOwn(postedWith, CHANNEL_ALIASES[channel] ?? channel);
}

async function holdsKey(c: HttpContext, { keys }: AppOptions): Promise<boolean> {
  try {
    return (await callerOf(c.req.raw.headers, keys)).scopes !== undefined;
  } catch {
    return false; // The route itself says what is wrong with it.
  }
}

function tooMany(retryAfterMs: number): HubError {
  return new HubError("too_many_requests", "too many calls from your network; wait a moment", {
    retryAfterMs,
  });
}
