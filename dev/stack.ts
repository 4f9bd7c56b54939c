import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { migrate } from "../migrations/migrate.ts";
import { watchPages } from "../web/build.ts";
import type { Emulator } from "./emulators/server.ts";
import { startTelegramEmulator } from "./emulators/telegram.ts";
import type { Seen } from "./emulators/watch.ts";
import { startWhatsAppEmulator } from "./emulators/whatsapp.ts";
import { type Network, networkTo, via } from "./services/network.ts";
import { assertPortFree } from "./services/ports.ts";
import { databaseUrl, type Postgres, startPostgres } from "./services/postgres.ts";
import { type Redis, startRedis } from "./services/redis.ts";
import { type Supabase, startSupabase } from "./services/supabase.ts";
import type { LocalSettings } from "./settings.ts";
import { type LocalWorker, startWorker } from "./worker.ts";

/** The whole hub on this machine. */
export interface Stack {
  readonly settings: LocalSettings;
  readonly postgres: Postgres;
  readonly supabase: Supabase;
  readonly redis: Redis;
  readonly telegram: Emulator;
  readonly whatsapp: Emulator;
  readonly worker: LocalWorker;
  /** The Worker's connections to the database (direct and REST) and to the cache, which can be made to fail. */
  readonly networks: Readonly<Record<"postgres" | "supabase" | "upstash", Network>>;
  /** The folder of the built pages. */
  readonly pagesDir: string;
  /** Kills the Worker (`kill -9`) and starts it again, with further variables if they are given. */
  restartWorker(more?: Readonly<Record<string, string>>): Promise<void>;
  /** Resolves when the Worker has ended by itself. */
  readonly fallen: Promise<void>;
  /** Shows what the emulators do from now on. */
  watch(watcher: StackWatcher): void;
  /** Stops every part, the Worker first. */
  stop(): Promise<void>;
}

export type StackWatcher = (platform: "telegram" | "whatsapp", seen: Seen) => void;

export interface StackHooks {
  /** Called when each part begins and ends its start. */
  readonly progress?: (part: string, state: "starting" | "ready", tookMs?: number) => void;
  readonly workerLog?: (line: string) => void;
  /** Called with what is wrong with the pages' sources. */
  readonly pagesLog?: (line: string) => void;
}

const STOP_ORDER = [
  "Worker",
  "Networks",
  "Pages",
  "WhatsApp emulator",
  "Telegram emulator",
  "Supabase REST",
  "Postgres",
  "Valkey, Upstash REST",
] as const;
type Part = (typeof STOP_ORDER)[number];

/** Starts every part of the local stack. If one fails, it stops the others and throws the error. */
export async function startStack(
  settings: LocalSettings,
  { progress = () => {}, workerLog, pagesLog = () => {} }: StackHooks = {},
): Promise<Stack> {
  const { ports, dir, vars, limits } = settings;
  for (const [variable, port] of Object.entries(ports)) await assertPortFree(port, variable);
  const started = new Map<string, { stop(): Promise<void> }>();
  const part = async <T extends { stop(): Promise<void> }>(
    name: Part,
    start: () => Promise<T>,
  ): Promise<T> => {
    progress(name, "starting");
    const began = performance.now();
    const ready = await start();
    started.set(name, ready);
    progress(name, "ready", performance.now() - began);
    return ready;
  };
  const stop = async () => {
    for (const name of STOP_ORDER) {
      await started.get(name)?.stop();
      started.delete(name);
    }
  };
  const hub = `http://127.0.0.1:${ports.PORT}`;
  const networks = {
    postgres: await networkTo(ports.POSTGRES_PORT),
    supabase: await networkTo(ports.SUPABASE_PORT),
    upstash: await networkTo(ports.UPSTASH_PORT),
  };
  started.set("Networks", {
    stop: async () => {
      for (const network of Object.values(networks)) await network.stop();
    },
  });
  const watchers: StackWatcher[] = [];
  const watch = (platform: "telegram" | "whatsapp") => (seen: Seen) => {
    for (const watcher of watchers) watcher(platform, seen);
  };
  const fallen = Promise.withResolvers<void>();
  let running: LocalWorker | undefined;
  let pagesDir = "";
  const runWorker = async (pages: string, more: Readonly<Record<string, string>> = {}) => {
    pagesDir = pages;
    const worker = await startWorker({
      port: ports.PORT,
      dir,
      main: "dev/simulator/worker.ts",
      vars: { ...throughNetworks(settings, networks), ...more },
      databaseUrl: via(databaseUrl(ports.POSTGRES_PORT), networks.postgres.port),
      pages,
      ...(workerLog && { log: workerLog }),
    });
    running = worker;
    started.set("Worker", worker);
    void worker.gone.then(() => running === worker && fallen.resolve());
    return worker;
  };
  const databaseReady = async () => {
    const postgres = await part("Postgres", () =>
      startPostgres({ dir: join(dir, "postgres"), port: ports.POSTGRES_PORT }),
    );
    progress("migrations", "starting");
    const began = performance.now();
    await migrate(postgres.url);
    progress("migrations", "ready", performance.now() - began);
    const supabase = await part("Supabase REST", () =>
      startSupabase({ port: ports.SUPABASE_PORT, databaseUrl: postgres.url }),
    );
    return { postgres, supabase };
  };
  try {
    // Start wrangler first: its bundling takes most of the time, and needs none of the other parts.
    const [redis, { postgres, supabase }] = await settled([
      part("Valkey, Upstash REST", () =>
        startRedis({
          redisPort: ports.REDIS_PORT,
          upstashPort: ports.UPSTASH_PORT,
          token: vars.UPSTASH_REDIS_REST_TOKEN!,
          dir: join(dir, "redis"),
        }),
      ),
      databaseReady(),
      part("Pages", () => watchPages(resolve(dir, "pages"), pagesLog)).then((pages) =>
        part("Worker", async () => {
          const worker = await runWorker(pages.dir);
          const wrong = await misconfigured(hub, vars.ADMIN_API_KEY);
          if (wrong === undefined) return worker;
          running = undefined;
          await worker.stop();
          throw new Error(`the hub refuses its settings: ${wrong}`);
        }),
      ),
    ]);
    // Start the emulators last: they deliver the undelivered webhooks of an earlier run at once.
    const telegram = await part("Telegram emulator", () =>
      startTelegramEmulator({
        port: ports.TELEGRAM_EMULATOR_PORT,
        dir: join(dir, "telegram"),
        token: vars.TELEGRAM_BOT_TOKEN!,
        webhookUrl: `${hub}/webhooks/telegram`,
        webhookSecret: vars.TELEGRAM_WEBHOOK_SECRET!,
        limits,
        watch: watch("telegram"),
      }),
    );
    const whatsapp = await part("WhatsApp emulator", () =>
      startWhatsAppEmulator({
        port: ports.WHATSAPP_EMULATOR_PORT,
        dir: join(dir, "whatsapp"),
        accessToken: vars.WHATSAPP_ACCESS_TOKEN!,
        appSecret: vars.WHATSAPP_APP_SECRET!,
        verifyToken: vars.WHATSAPP_VERIFY_TOKEN!,
        phoneNumberId: vars.WHATSAPP_PHONE_NUMBER_ID!,
        webhookUrl: `${hub}/webhooks/whatsapp`,
        limits,
        watch: watch("whatsapp"),
      }),
    );
    const handshake = await fetch(`${whatsapp.url}/_subscribe`, { method: "POST" });
    if (!handshake.ok) throw new Error(`the WhatsApp handshake failed: ${await handshake.text()}`);
    return {
      ...{ settings, postgres, supabase, redis, telegram, whatsapp, networks, stop },
      get worker() {
        return running!;
      },
      get pagesDir() {
        return pagesDir;
      },
      restartWorker: async (more) => {
        const before = running;
        running = undefined;
        await before?.kill();
        await runWorker(pagesDir, more);
      },
      fallen: fallen.promise,
      watch: (watcher) => void watchers.push(watcher),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The Worker's variables, with the addresses of its stores replaced by those of the networks before them. */
function throughNetworks(
  { ports, vars }: LocalSettings,
  networks: Record<"supabase" | "upstash", Network>,
): Record<string, string> {
  const moved = (name: string, port: number, network: Network) =>
    vars[name] === `http://127.0.0.1:${port}`
      ? { [name]: via(vars[name], network.port).replace(/\/$/, "") }
      : {};
  return {
    ...vars,
    ...moved("SUPABASE_URL", ports.SUPABASE_PORT, networks.supabase),
    ...moved("UPSTASH_REDIS_REST_URL", ports.UPSTASH_PORT, networks.upstash),
    SIMULATOR_URL: `http://127.0.0.1:${ports.SIMULATOR_PORT}`,
  };
}

/** The hub's text about wrong settings, which it shows to an admin key; undefined if all are right. */
async function misconfigured(hub: string, adminKeys = ""): Promise<string | undefined> {
  const answer = await fetch(`${hub}/session/restore`, {
    headers: { "x-api-key": adminKeys.split(",")[0]!.trim() },
  });
  const text = await answer.text();
  if (answer.status !== 503) return undefined;
  const { error } = JSON.parse(text) as { error: { code: string; message: string } };
  return error.code === "misconfigured" ? error.message : undefined;
}

/** Deletes the stack's state. */
export function forget({ dir }: LocalSettings): Promise<void> {
  return rm(dir, { recursive: true, force: true });
}

/** Waits for all promises to end. Returns their values, or throws the first failure. */
async function settled<T extends readonly unknown[]>(
  starts: {
    [K in keyof T]: Promise<T[K]>;
  },
): Promise<T> {
  await Promise.allSettled(starts);
  return Promise.all(starts) as unknown as Promise<T>;
}
