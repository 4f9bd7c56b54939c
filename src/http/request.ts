import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Hub } from "../core/hub.ts";
import type { Log } from "../core/log.ts";
import type { Keys } from "./auth.ts";
import type { RateLimiters } from "./rate-limits.ts";

/** What the composition root gives the routes. */
export interface AppOptions {
  /**
   * The hub for one request, made when a route first needs it; `log` names the request in each of its lines, and `later`
   * lets work go on after the answer.
   */
  readonly open: (c: Context, log: Log, later: (work: Promise<unknown>) => void) => Hub;
  /** Called once a request and everything it left running have ended. */
  readonly close?: (hub: Hub) => Promise<void>;
  readonly log: Log;
  readonly version: string;
  readonly keys: Keys;
  readonly corsOrigins: readonly string[];
  /** Whether pages of this machine may call too, from any port. */
  readonly localOrigins?: boolean;
  /** The Durable Objects in which open devices meet, one per session; absent when there are none. */
  readonly rooms?: DurableObjectNamespace;
  /** The name of every channel there is, on or off: what a session's `channel` may say. */
  readonly channels: readonly string[];
  /** Those of them where programs of ours post for customers, with the scope of the API keys they hold. */
  readonly postedWith: Readonly<Record<string, "kiosk" | "web">>;
  /** What the kiosk and web channels read, for the API description; they check it themselves. */
  readonly callerMessage?: z.ZodType;
  /** Two letters for phones without a prefix. */
  readonly country?: string;
  /** Whether a kiosk's API key vouches for the phone that somebody typed there. Without it, it does not. */
  readonly kioskPhones?: "trust" | "verify";
  readonly limiters?: RateLimiters;
  /** Names of what the hub stands on, for operators. */
  readonly backends: { readonly store: string; readonly cache: string };
  /** Who answers, by its name in `BOT`; `none` when nobody is configured. */
  readonly bot?: string;
  /** Codes of what the hub works without though it should not. */
  readonly shortcomings?: readonly string[];
  /** Why nothing may be served, naming the variables. */
  readonly misconfigured?: string;
  readonly bounds?: Partial<HttpBounds>;
}

export interface HttpBounds {
  /** Every answer comes within this time, plus the `wait` a caller asked for. */
  readonly requestMs: number;
  readonly bodyBytes: number;
  /** `data` and `metadata` of one call, each, as JSON. */
  readonly documentBytes: number;
}

/** The most seconds a caller may ask an answer to be held. */
export const LONGEST_WAIT_S = 25;

/** The bounds an app works within. */
export function boundsOf(options: AppOptions): HttpBounds {
  // Every answer comes within 5 s: a busy isolate is half a second late.
  return { requestMs: 4_500, bodyBytes: 1024 * 1024, documentBytes: 64 * 1024, ...options.bounds };
}

/** Other names of channels, as older frontends know them. */
export const CHANNEL_ALIASES: Readonly<Record<string, string>> = { chat: "web" };

/** A `channel` that a caller names, by its own name or another one. */
export function channelName({ channels }: AppOptions) {
  const names = [...channels, ...Object.keys(CHANNEL_ALIASES)] as [string, ...string[]];
  return z
    .enum(names)
    .transform((name) => CHANNEL_ALIASES[name] ?? name)
    .openapi({ example: channels[0], description: "`chat` is another name of `web`." });
}

/** One HTTP call on its way through. */
export interface Exchange {
  readonly id: string;
  readonly hub: () => Hub;
  /** Lets work go on after the answer; what it throws is logged and harms nobody. */
  readonly later: (work: Promise<unknown>) => Promise<void>;
  /** What the request's log line says beside the usual: ids, codes and counts. */
  readonly facts: Record<string, unknown>;
}

export type HttpEnv = { Variables: { exchange: Exchange } };
export type App = OpenAPIHono<HttpEnv>;
export type HttpContext = Context<HttpEnv>;

/** The exchange of one request, and a function that closes its hub when all is over. */
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

/** What a log may say of a thrown value: its name, code and place, never its message. */
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

/** Workers end what a request left behind unless told; Node lets it run, and Hono throws when asked. */
function waitUntilOf(c: HttpContext): (work: Promise<unknown>) => void {
  try {
    const context = c.executionCtx;
    return (work) => context.waitUntil(work);
  } catch {
    return () => {};
  }
}
