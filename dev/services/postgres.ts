import { join } from "node:path";
import { type Log, startProcess } from "./process.ts";

export interface PostgresOptions {
  /** The data directory; made when it is not there, kept when we stop. */
  readonly dir: string;
  readonly port: number;
  /** Server settings beside ours, such as `{ fsync: "off" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly log?: Log;
}

export interface Postgres {
  /** Database `postgres` as user `postgres`, who owns it and, as on Supabase, is no superuser. */
  readonly url: string;
  /** The same database as the superuser `supabase_admin`. */
  readonly adminUrl: string;
  stop(): Promise<void>;
  /** Ends the server as a power cut would (`kill -9`). */
  kill(): Promise<void>;
}

const file = join(import.meta.dirname, "postgres-process.ts");

/** Where a server on that port will be found by user `postgres`. */
export function databaseUrl(port: number): string {
  return `postgres://postgres:postgres@127.0.0.1:${port}/postgres`;
}

/**
 * Starts a real Postgres server that ends with this process. It picks up the data of an earlier run, however that
 * ended, and throws when the port or the directory is in use.
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
