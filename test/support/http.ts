import echo from "../../src/bots/echo/index.ts";
import { callerMessageSchema } from "../../src/channels/caller.ts";
import { channels as makers } from "../../src/channels/index.ts";
import type { Channel } from "../../src/core/channel.ts";
import { DEFAULT_POLICY, type Hub } from "../../src/core/hub.ts";
import type { SessionCache } from "../../src/core/sessions/cache.ts";
import type { Store } from "../../src/core/store.ts";
import { createApp } from "../../src/http/app.ts";
import type { AppOptions } from "../../src/http/request.ts";
import { memoryStore } from "../../src/stores/memory.ts";

export const ENV = {
  KIOSK_API_KEY: "kiosk-key-1, kiosk-key-2",
  WEB_API_KEY: "web-key",
  ADMIN_API_KEY: "admin-key",
  DEFAULT_COUNTRY: "DE",
  TELEGRAM_BOT_TOKEN: "103:secret-of-the-bot",
  TELEGRAM_WEBHOOK_SECRET: "telegram-secret",
  TELEGRAM_BOT_USERNAME: "shop_bot",
  TELEGRAM_API_ROOT: "http://127.0.0.1:9",
  WHATSAPP_ACCESS_TOKEN: "access-token",
  WHATSAPP_APP_SECRET: "app-secret",
  WHATSAPP_VERIFY_TOKEN: "verify-token",
  WHATSAPP_PHONE_NUMBER_ID: "103",
  WHATSAPP_DISPLAY_PHONE_NUMBER: "15550001111",
  WHATSAPP_API_ROOT: "http://127.0.0.1:9",
};

const WEEK_MS = 7 * 86_400_000;

export interface Line {
  readonly level: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A cache that records its calls. */
export function recordingCache(): SessionCache & { readonly calls: unknown[][] } {
  const calls: unknown[][] = [];
  return {
    calls,
    put: async (...call) => void calls.push(["put", ...call]),
    async drop(gone) {
      calls.push(["drop", gone.token_hashes ?? [], gone]);
      return true;
    },
    knows: async () => false,
    ping: async () => {},
  };
}

/** The whole hub with its routes, on the memory store. The test moves its clock and reads its log. */
export function testHub(parts: Partial<Hub> = {}, options: Partial<AppOptions> = {}) {
  const lines: Line[] = [];
  const clock = { now: new Date("2026-11-02T10:00:00Z") };
  const running = new Set<Promise<unknown>>();
  const channels: Record<string, Channel> = {};
  const kioskPhones = options.kioskPhones ?? "trust";
  for (const [name, make] of Object.entries(makers))
    channels[name] = make({ ...ENV, KIOSK_PHONE_POLICY: kioskPhones })!;
  const cache = recordingCache();
  const log: Hub["log"] = (level, event, fields) => lines.push({ level, event, fields });
  const hub: Hub = {
    channels,
    store: memoryStore({ sessionTtlMs: WEEK_MS, leaseMs: 60_000, history: 0 }),
    cache,
    bot: echo(),
    live: { publish: () => {} },
    log,
    now: () => clock.now,
    sleep: async () => {},
    policy: DEFAULT_POLICY,
    ...parts,
  };
  const app = createApp({
    open: (_c, requestLog) => ({ ...hub, log: requestLog }),
    log,
    version: "1.2.3",
    keys: { kiosk: ["kiosk-key-1", "kiosk-key-2"], web: ["web-key"], admin: ["admin-key"] },
    corsOrigins: ["https://shop.example"],
    channels: Object.keys(makers),
    postedWith: { kiosk: "kiosk", web: "web" },
    callerMessage: callerMessageSchema,
    country: "DE",
    kioskPhones,
    backends: { store: "memory", cache: "none" },
    ...options,
  });
  const context = {
    waitUntil: (work: Promise<unknown>) => void running.add(work),
    passThroughOnException: () => {},
    props: {},
  };
  return {
    app,
    hub,
    cache,
    clock,
    lines,
    /** Calls a route as a Worker does. */
    request: async (path: string, init?: RequestInit) => app.request(path, init, {}, context as never),
    /** Waits for the background work of all requests. */
    idle: async () => {
      for (let size = -1; size !== running.size; ) {
        size = running.size;
        await Promise.all(running);
      }
    },
  };
}

export type TestHub = ReturnType<typeof testHub>;

/** A POST of JSON. */
export function post(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
}

/** An anonymous session's token and id. */
export async function begin(
  hub: TestHub,
  body: object = { channel: "web" },
  headers: Record<string, string> = {},
) {
  const response = await hub.request("/session/start", post(body, headers));
  const { session_token, session } = (await response.json()) as any;
  return {
    token: session_token as string,
    session,
    bearer: { authorization: `Bearer ${session_token}` },
    id: session.session_id as string,
  };
}

/** A store in which every method calls `fault`. */
export function faultyStore(fault: () => Promise<never>): Store {
  const port = new Proxy({}, { get: () => fault });
  return {
    conversations: port,
    sessions: port,
    housekeeping: port,
    operations: port,
    ping: fault,
  } as unknown as Store;
}
