import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Hub } from "../core/hub.ts";
import type { LanguagePolicy } from "../core/language/policy.ts";
import type { Log } from "../core/log.ts";
import type { SignInWays } from "../features/staff/sign-in-ways.ts";
import type { Keys } from "./auth.ts";
import type { RateLimiters } from "./rate-limits.ts";

/** The parts and settings that `src/compose` gives the routes. */
export interface AppOptions {
  /**
   * Makes the hub for one request, when a route first needs it. `log` adds the request's id to each line, and `later`
   * keeps the Worker alive for work after the answer.
   */
  readonly open: (c: Context, log: Log, later: (work: Promise<unknown>) => void) => Hub;
  /** Called after a request and all its background work have ended. */
  readonly close?: (hub: Hub) => Promise<void>;
  readonly log: Log;
  readonly version: string;
  readonly keys: Keys;
  readonly corsOrigins: readonly string[];
  /** Whether pages of `http://localhost` and other local origins may call too, from any port. */
  readonly localOrigins?: boolean;
  /** The pages that open sessions by a public id. Absent: every page of `corsOrigins` opens anonymous ones. */
  readonly publicPages?: {
    readonly ids: readonly string[];
    readonly origins: readonly string[];
    /** The secrets with which the shop's server signs its customers. */
    readonly secrets: readonly string[];
  };
  /** The Durable Objects for connected devices, one per session. Absent: no live updates. */
  readonly rooms?: DurableObjectNamespace;
  /** The names of all channels, on or off: the values that a session's `channel` may have. */
  readonly channels: readonly string[];
  /** The channels on which the shop's own programs post for customers, with the scope of their API keys. */
  readonly postedWith: Readonly<Record<string, "kiosk" | "web">>;
  /**
   * The schema of messages on the kiosk and web channels, for the API description. The channels check it themselves.
   */
  readonly callerMessage?: z.ZodType;
  /** The country of phones without a prefix, as two capital letters. */
  readonly country?: string;
  /** Which languages sessions may have. Absent: any. */
  readonly languages?: LanguagePolicy;
  /** `trust`: a phone typed at a kiosk counts as verified. `verify`, the default: it is only claimed. */
  readonly kioskPhones?: "trust" | "verify";
  readonly limiters?: RateLimiters;
  /** How the people of the shop sign in. Absent: not at all. */
  readonly signIn?: SignInWays;
  /** The names of the store and the cache in use, for operators. */
  readonly backends: { readonly store: string; readonly cache: string };
  /** The bot, by its name in `BOT`; `none` if no bot is configured. */
  readonly bot?: string;
  /** Codes of settings with which the hub works, but should not in production: `memory_store`, `store_writes_off`. */
  readonly shortcomings?: readonly string[];
  /** Why the hub serves nothing; names the wrong or missing variables. */
  readonly misconfigured?: string;
  readonly bounds?: Partial<HttpBounds>;
}

export interface HttpBounds {
  /** The time limit of every answer in ms, plus the `wait` of the request. */
  readonly requestMs: number;
  readonly bodyBytes: number;
  /** The limit of `data` and of `metadata` in one call, each, in bytes of JSON. */
  readonly documentBytes: number;
}

/** The largest `wait` that a caller may ask for, in seconds. */
export const LONGEST_WAIT_S = 25;

/** The bounds of an app: those given, else the defaults. */
export function boundsOf(options: AppOptions): HttpBounds {
  // Every answer comes within 5 s: a busy isolate is half a second late.
  return { requestMs: 4_500, bodyBytes: 1024 * 1024, documentBytes: 64 * 1024, ...options.bounds };
}

/** Other names of channels, which older frontends use. */
export const CHANNEL_ALIASES: Readonly<Record<string, string>> = { chat: "web" };

/** The schema of a `channel` in a request. It turns an alias into the channel's own name. */
export function channelName({ channels }: AppOptions) {
  const names = [...channels, ...Object.keys(CHANNEL_ALIASES)] as [string, ...string[]];
  return z
    .enum(names)
    .transform((name) => CHANNEL_ALIASES[name] ?? name)
    .openapi({ example: channels[0], description: "`chat` is another name of `web`." });
}

/** The state of one HTTP request. */
export interface Exchange {
  readonly id: string;
  readonly hub: () => Hub;
  /** Keeps the Worker alive until `work` ends, after the answer. An error is logged, and never thrown. */
  readonly later: (work: Promise<unknown>) => Promise<void>;
  /** Further fields of the request's log line: ids, codes and counts. */
  readonly facts: Record<string, unknown>;
}

export type HttpEnv = { Variables: { exchange: Exchange } };
export type App = OpenAPIHono<HttpEnv>;
export type HttpContext = Context<HttpEnv>;

/** The exchange of one request, and a function that closes its hub once all background work has ended. */
export function exchangeOf(options: AppOptions, c: HttpContext): { exchange: Exchange; settle: () => void } {
  const waitUntil = waitUntilOf(c);
  const given = c.req.header("x-request-id");
  const id = given && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : crypto.randomUUID();
  const log: Log = (level, event, fields) => options.log(level, event, { request_id: id, ...fields });
  const running = new Set<Promise<void>>();
  let opened: Hub | undefined;
  let hub: Hub | undefined;

  function later(work: Promise<unknown>): Promise<void> {
    const watched: Promise<void> = work.then(
      () => void running.delete(watched),
      (error: unknown) => {
        running.delete(watched);
        log("error", "background.failed", describe(error));
      },
    );
    running.add(watched);
    waitUntil(watched);
    return watched;
  }

  function open(): Hub {
    opened = options.open(c, log, (work) => void later(work));
    return { ...opened, later };
  }

  async function close(opened: Hub): Promise<void> {
    while (running.size > 0) await Promise.all(running);
    await options.close?.(opened);
  }

  return {
    exchange: { id, hub: () => (hub ??= open()), later, facts: {} },
    settle: () => {
      if (opened && options.close)
        waitUntil(close(opened).catch((error) => log("warn", "close.failed", describe(error))));
    },
  };
}

/** The fields that a log may hold about a thrown value: its name, code and place, never its message. */
export function describe(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: typeof error };
  const { code, reason } = error as { code?: unknown; reason?: unknown };
  return {
    error: error.name,
    ...(typeof code === "string" && { code }),
    ...(typeof reason === "string" && { reason }),
    at: error.stack
      ?.split("\n")
      .filter((line) => /^\s+at .*:\d+:\d+\)?$/.test(line))
      .slice(0, 4)
      .map((line) => line.trim()),
  };
}

/**
 * The Worker's `waitUntil`. On Node there is none (Hono's `executionCtx` throws), and background work runs on by
 * itself.
 */
function waitUntilOf(c: HttpContext): (work: Promise<unknown>) => void {
  try {
    const context = c.executionCtx;
    return (work) => context.waitUntil(work);
  } catch {
    return () => {};
  }
}
