import { join } from "node:path";
import { type Log, startProcess } from "./process.ts";

export interface PostgresOptions {
  /** The data directory. It is made if it does not exist, and stays after the stop. */
  readonly dir: string;
  readonly port: number;
  /** Further server settings, such as `{ fsync: "off" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly log?: Log;
}

export interface Postgres {
  /** The database `postgres` as the user `postgres`, who owns it and is no superuser, as on Supabase. */
  readonly url: string;
  /** The same database as the superuser `supabase_admin`. */
  readonly adminUrl: string;
  stop(): Promise<void>;
  /** Ends the server as a power cut would (`kill -9`). */
  kill(): Promise<void>;
}

const file = join(import.meta.dirname, "postgres-process.ts");

/** The address of a server on that port, for the user `postgres`. */
export function databaseUrl(port: number): string {
  return `postgres://postgres:postgres@127.0.0.1:${port}/postgres`;
}

/**
 * Starts a real Postgres server, which ends with this process. It uses the data of an earlier run, even if that run was
 * killed. Throws if the port or the directory is in use.
 */
export async function startPostgres({ log, ...options }: PostgresOptions): Promise<Postgres> {
  const server = await startProcess<{ pid: number }>(file, options, log);
  return {
    url: databaseUrl(options.port),
    adminUrl: `postgres://supabase_admin:postgres@127.0.0.1:${options.port}/postgres`,
    stop: server.stop,
    kill: () => {
      process.kill(server.facts.pid, "SIGKILL");
      return server.gone;
    },
  };
}
