import { join } from "node:path";
import { type Log, startProcess } from "./process.ts";

export interface SupabaseOptions {
  readonly port: number;
  /** A database prepared by `prepareDatabase`, with a user who may become `anon` and `service_role`. */
  readonly databaseUrl: string;
  /** How many calls run at once. Each uses a connection. Default 30. */
  readonly poolSize?: number;
  readonly log?: Log;
}

export interface Supabase {
  readonly url: string;
  readonly serviceRoleKey: string;
  readonly anonKey: string;
  stop(): Promise<void>;
}

/** The well-known keys of every local Supabase. They open only a loopback port. */
export const localKeys = {
  serviceRoleKey: "sb_secret_local_development_only",
  anonKey: "sb_publishable_local_development_only",
} as const;

const file = join(import.meta.dirname, "supabase-process.ts");

/** Starts Supabase's REST API before a Postgres database. It ends with this process. Throws if the port is in use. */
export async function startSupabase({ log, ...options }: SupabaseOptions): Promise<Supabase> {
  const server = await startProcess(file, options, log);
  return { url: `http://127.0.0.1:${options.port}`, ...localKeys, stop: server.stop };
}
