import { readFile } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import { freePort } from "../../dev/services/ports.ts";
import { startPostgres } from "../../dev/services/postgres.ts";
import { prepareDatabase } from "../../dev/services/supabase-roles.ts";
import { migrate } from "../../migrations/migrate.ts";

/** A Postgres server for one benchmark, with statistics on. */
export interface DatabaseServer {
  /** Makes a new, empty database as on Supabase. Returns the URL of its owner, who is no superuser. */
  create(name: string): Promise<string>;
  /** Makes a new database with the hub's migrations. */
  createHub(name: string): Promise<string>;
  /** A connection of the superuser, in a database of its own unless another one is named. */
  readonly admin: postgres.Sql;
  adminOf(name: string): postgres.Sql;
  /** Updates the planner's statistics, as autovacuum would do within a minute or two. */
  analyze(name: string): Promise<void>;
  /** The id of the server's main process. */
  readonly pid: number;
  stop(): Promise<void>;
}

const password = "postgres";

/** Starts a server with production settings, except that no checkpoint starts during a measurement. */
export async function startDatabases(dir: string): Promise<DatabaseServer> {
  const port = await freePort();
  const server = await startPostgres({
    dir: join(dir, "postgres"),
    port,
    settings: {
      shared_preload_libraries: "pg_stat_statements",
      checkpoint_timeout: "1h",
      max_wal_size: "16GB",
    },
  });
  const clients: postgres.Sql[] = [];
  const urlOf = (user: string, name: string) => `postgres://${user}:${password}@127.0.0.1:${port}/${name}`;
  const adminOf = (name: string) => {
    const sql = postgres(urlOf("supabase_admin", name), { max: 1, onnotice: () => {} });
    clients.push(sql);
    return sql;
  };
  const admin = adminOf("postgres");
  await admin`create extension if not exists pg_stat_statements schema public`;
  const create = async (name: string) => {
    await admin`create database ${admin(name)}`;
    const sql = adminOf(name);
    await prepareDatabase(sql, password);
    await sql.end();
    return urlOf("postgres", name);
  };
  return {
    create,
    createHub: async (name) => {
      const url = await create(name);
      await migrate(url);
      return url;
    },
    admin,
    adminOf,
    analyze: async (name) => {
      const sql = adminOf(name);
      await sql`vacuum analyze`;
      await sql.end();
    },
    pid: Number.parseInt(await readFile(join(dir, "postgres/postmaster.pid"), "utf8"), 10),
    stop: async () => {
      await Promise.all(clients.map((sql) => sql.end({ timeout: 1 })));
      await server.stop();
    },
  };
}
