import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTelegramEmulator } from "../../../dev/emulators/telegram.ts";
import { startWhatsAppEmulator } from "../../../dev/emulators/whatsapp.ts";
import { freePort } from "../../../dev/services/ports.ts";
import { type Postgres, startPostgres } from "../../../dev/services/postgres.ts";
import { type Redis, startRedis } from "../../../dev/services/redis.ts";
import { type Supabase, startSupabase } from "../../../dev/services/supabase.ts";
import { type LocalSettings, localSettings, type PortName } from "../../../dev/settings.ts";
import { type LocalWorker, startWorker } from "../../../dev/worker.ts";
import { migrate } from "../../../migrations/migrate.ts";

const PORTS: PortName[] = [
  "PORT",
  "POSTGRES_PORT",
  "SUPABASE_PORT",
  "REDIS_PORT",
  "UPSTASH_PORT",
  "TELEGRAM_EMULATOR_PORT",
  "WHATSAPP_EMULATOR_PORT",
];
/** Emulators redeliver until the end of a run. */
const STUBBORN = { retryMs: 300, maxRetryMs: 2_000, maxTries: 10_000, timeoutMs: 10_000 };

/** A part of the local stack that can be killed and restarted. */
export interface Breakable {
  /** Kills it without warning. */
  break(): Promise<void>;
  mend(): Promise<void>;
}

/** The real local stack on its own ports. Every part of it can be broken. */
export interface Rig {
  readonly settings: LocalSettings;
  readonly hub: string;
  readonly telegram: string;
  readonly whatsapp: string;
  readonly databaseUrl: string;
  readonly parts: Readonly<Record<"postgres" | "rest" | "redis" | "worker", Breakable>>;
  sweep(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRig(
  more: Record<string, string> = {},
  log: (line: string) => void = () => {},
): Promise<Rig> {
  const dir = await mkdtemp(join(tmpdir(), "hub-faults-"));
  await chmod(dir, 0o711);
  const ports = Object.fromEntries(
    await Promise.all(PORTS.map(async (name) => [name, String(await freePort())])),
  );
  const settings = localSettings({ LOCAL_DIR: dir, KIOSK_PHONE_POLICY: "trust", ...ports, ...more });
  const { vars } = settings;
  const hub = `http://127.0.0.1:${settings.ports.PORT}`;

  let redis: Redis;
  let postgres: Postgres;
  let supabase: Supabase;
  let worker: LocalWorker;
  const startings = {
    redis: async () => {
      const { REDIS_PORT: redisPort, UPSTASH_PORT: upstashPort } = settings.ports;
      redis = await startRedis({
        redisPort,
        upstashPort,
        token: vars.UPSTASH_REDIS_REST_TOKEN!,
        dir: join(dir, "redis"),
      });
    },
    postgres: async () => {
      postgres = await startPostgres({ dir: join(dir, "postgres"), port: settings.ports.POSTGRES_PORT });
    },
    rest: async () => {
      supabase = await startSupabase({ port: settings.ports.SUPABASE_PORT, databaseUrl: postgres.url });
    },
    worker: async () => {
      worker = await startWorker({ port: settings.ports.PORT, dir, vars, databaseUrl: postgres.url, log });
    },
  };
  await startings.redis();
  await startings.postgres();
  await migrate(postgres!.url);
  await startings.rest();
  const telegram = await startTelegramEmulator({
    port: settings.ports.TELEGRAM_EMULATOR_PORT,
    token: vars.TELEGRAM_BOT_TOKEN!,
    webhookUrl: `${hub}/webhooks/telegram`,
    webhookSecret: vars.TELEGRAM_WEBHOOK_SECRET!,
    delivery: STUBBORN,
  });
  const whatsapp = await startWhatsAppEmulator({
    port: settings.ports.WHATSAPP_EMULATOR_PORT,
    accessToken: vars.WHATSAPP_ACCESS_TOKEN!,
    appSecret: vars.WHATSAPP_APP_SECRET!,
    verifyToken: vars.WHATSAPP_VERIFY_TOKEN!,
    phoneNumberId: vars.WHATSAPP_PHONE_NUMBER_ID!,
    webhookUrl: `${hub}/webhooks/whatsapp`,
    delivery: STUBBORN,
  });
  await startings.worker();
  return {
    settings,
    hub,
    telegram: telegram.url,
    whatsapp: whatsapp.url,
    databaseUrl: postgres!.url,
    parts: {
      postgres: { break: () => postgres.kill(), mend: startings.postgres },
      rest: { break: () => supabase.stop(), mend: startings.rest },
      redis: { break: () => redis.kill(), mend: startings.redis },
      worker: { break: () => worker.kill(), mend: startings.worker },
    },
    sweep: () => worker.sweep(),
    stop: async () => {
      await worker.stop();
      await telegram.stop();
      await whatsapp.stop();
      await supabase.stop();
      await redis.stop();
      await postgres.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
