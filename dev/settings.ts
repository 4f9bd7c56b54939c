import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promptFromFile } from "../src/node/prompt-file.ts";
import { localKeys } from "./services/supabase.ts";

/** The ports, files and variables of the local stack. */
export interface LocalSettings {
  readonly dir: string;
  readonly ports: Readonly<Record<PortName, number>>;
  /** The Worker's variables: the hub's settings, with development values as defaults. */
  readonly vars: Readonly<Record<string, string>>;
  /** Seconds between two sweeps. Under `wrangler dev` crons do not run by themselves. */
  readonly sweepSeconds: number;
  /** Whether the emulators apply the platforms' rate limits. */
  readonly limits: boolean;
  /** The folder of the simulator's scenarios. Default `test/scenarios`. */
  readonly scenarios?: string;
}

const PORTS = {
  PORT: 8787,
  POSTGRES_PORT: 54322,
  SUPABASE_PORT: 54321,
  REDIS_PORT: 63790,
  UPSTASH_PORT: 8079,
  TELEGRAM_EMULATOR_PORT: 8081,
  WHATSAPP_EMULATOR_PORT: 8082,
  SIMULATOR_PORT: 8083,
} as const;

export type PortName = keyof typeof PORTS;

/** The names of all settings of the hub, from `.dev.vars.example`, including those in comments there. */
const SETTINGS = [
  ...readFileSync(join(import.meta.dirname, "../.dev.vars.example"), "utf8").matchAll(
    /^(?:# )?([A-Z][A-Z0-9_]+)=/gm,
  ),
].map(([, name]) => name!);

/** The local stack's settings from the environment. Throws for an invalid port, or one that two parts share. */
export function localSettings(env: Readonly<Record<string, string | undefined>>): LocalSettings {
  const ports = Object.fromEntries(
    Object.entries(PORTS).map(([name, standard]) => [name, env[name] ? portOf(name, env[name]) : standard]),
  ) as Record<PortName, number>;
  refuseSharedPorts(ports);
  const at = (port: PortName) => `http://127.0.0.1:${ports[port]}`;
  const given = Object.fromEntries(
    SETTINGS.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
  return {
    dir: env.LOCAL_DIR || ".local",
    ports,
    sweepSeconds: Number(env.SWEEP_SECONDS || 60),
    limits: env.EMULATOR_LIMITS !== "false",
    ...(env.SCENARIOS_DIR && { scenarios: env.SCENARIOS_DIR }),
    vars: {
      ENVIRONMENT: "development",
      KIOSK_API_KEY: "dev-kiosk-key",
      WEB_API_KEY: "dev-web-key",
      ADMIN_API_KEY: "dev-admin-key",
      BOT_API_KEY: "dev-bot-key",
      DESK_PASSWORD: "dev-desk-password",
      // A phone typed at the kiosk finds its session at once here. A deployed hub asks for proof by default.
      KIOSK_PHONE_POLICY: "trust",
      MEDIA_LINK_SECRET: "dev-media-link-secret-of-32-characters",
      PUBLIC_URL: at("PORT"),
      TELEGRAM_BOT_TOKEN: "1000001:dev-telegram-token",
      TELEGRAM_WEBHOOK_SECRET: "dev-telegram-secret",
      TELEGRAM_API_ROOT: at("TELEGRAM_EMULATOR_PORT"),
      TELEGRAM_BOT_USERNAME: "hub_bot",
      WHATSAPP_ACCESS_TOKEN: "dev-whatsapp-token",
      WHATSAPP_APP_SECRET: "dev-app-secret",
      WHATSAPP_VERIFY_TOKEN: "dev-verify-token",
      WHATSAPP_PHONE_NUMBER_ID: "100000000000001",
      WHATSAPP_API_ROOT: at("WHATSAPP_EMULATOR_PORT"),
      WHATSAPP_DISPLAY_PHONE_NUMBER: "15550001111",
      SUPABASE_URL: at("SUPABASE_PORT"),
      SUPABASE_SERVICE_ROLE_KEY: localKeys.serviceRoleKey,
      UPSTASH_REDIS_REST_URL: at("UPSTASH_PORT"),
      UPSTASH_REDIS_REST_TOKEN: "dev-upstash-token",
      ...given,
      ...promptFromFile(env),
    },
  };
}

function refuseSharedPorts(ports: Readonly<Record<PortName, number>>): void {
  const owners = new Map<number, string>();
  for (const [name, port] of Object.entries(ports)) {
    const other = owners.get(port);
    if (other) throw new Error(`${other} and ${name} are both ${port}; set one of them to another port`);
    owners.set(port, name);
  }
}

function portOf(name: string, text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`${name} must be a port, not "${text}"`);
  return port;
}
