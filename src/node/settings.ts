import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { databaseUrlOf } from "../compose/database-url.ts";
import type { Env } from "../core/settings.ts";
import { settingsOf } from "../core/settings.ts";

const schema = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).default(8787),
  HOST: z.string().default("0.0.0.0"),
  DATABASE_URL: z
    .string()
    .transform((text, context) => {
      const url = databaseUrlOf(text);
      if (url === undefined) context.addIssue("must be a postgres:// URL");
      return url ?? z.NEVER;
    })
    .optional(),
  DATABASE_POOL: z.coerce.number().int().min(1).max(1_000).default(10),
  SWEEP_SECONDS: z.coerce.number().min(1).max(3_600).default(60),
  STOP_DELAY_SECONDS: z.coerce.number().min(0).max(300).default(0),
  STOP_SECONDS: z.coerce.number().min(1).max(600).default(40),
  CLIENT_IP_HEADER: z
    .string()
    .toLowerCase()
    .regex(/^[a-z][a-z0-9-]{0,63}$/, "must be the name of a header")
    .optional(),
  MEDIA_DIR: z.string().optional(),
  PAGES_DIR: z.string().default(builtPages),
});

/** Where the pages lie: beside the built program, or where `npm run build:web` writes them. */
function builtPages(): string {
  const beside = join(import.meta.dirname, "pages");
  return existsSync(beside) ? beside : join(import.meta.dirname, "../../web/dist");
}

/** The settings that only the hub under Node has. */
export interface NodeSettings {
  readonly port: number;
  readonly host: string;
  /** Direct Postgres, with the size of its pool; absent where another store is configured. */
  readonly database?: { readonly connectionString: string; readonly pool: number };
  readonly sweepMs: number;
  /** How long it still takes new connections after a signal to stop, so that a load balancer notices. */
  readonly stopDelayMs: number;
  /** How long running requests and background work may take after that. */
  readonly stopMs: number;
  /** The header in which a trusted proxy names the client's address; absent: the connection's address counts. */
  readonly clientIpHeader?: string;
  /** The folder of uploads; absent: they lie where the settings say, or none are taken. */
  readonly mediaDir?: string;
  /** The folder of the built pages. */
  readonly pagesDir: string;
}

/** Reads the settings. Throws `misconfigured`, naming every wrong one. */
export function nodeSettingsOf(env: Env): NodeSettings {
  const given = settingsOf("node", schema, env) as z.infer<typeof schema>;
  return {
    port: given.PORT,
    host: given.HOST,
    ...(given.DATABASE_URL && {
      database: { connectionString: given.DATABASE_URL, pool: given.DATABASE_POOL },
    }),
    sweepMs: given.SWEEP_SECONDS * 1_000,
    stopDelayMs: given.STOP_DELAY_SECONDS * 1_000,
    stopMs: given.STOP_SECONDS * 1_000,
    pagesDir: given.PAGES_DIR,
    ...(given.MEDIA_DIR && { mediaDir: given.MEDIA_DIR }),
    ...(given.CLIENT_IP_HEADER && { clientIpHeader: given.CLIENT_IP_HEADER }),
  };
}
