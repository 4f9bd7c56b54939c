import { setTimeout as sleep } from "node:timers/promises";
import type { DatabaseServer } from "./database.ts";

/** The work of one database between two moments. */
export interface Work {
  readonly statements: number;
  readonly walBytes: number;
}

/** Starts counting a database's statements and the server's WAL. The returned function ends the count. */
export async function countWork({ admin }: DatabaseServer, name: string): Promise<() => Promise<Work>> {
  await quiet(admin);
  await admin`select pg_stat_statements_reset()`;
  const from = await walPosition(admin);
  return async () => {
    await quiet(admin);
    const walBytes = (await walPosition(admin)) - from;
    const [row] = await admin<{ calls: string }[]>`
      select coalesce(sum(calls), 0) as calls from pg_stat_statements
      where dbid = (select oid from pg_database where datname = ${name})`;
    return { statements: Number(row!.calls), walBytes };
  };
}

/** The most frequent statements of a database since the count began, with their numbers. */
export async function statementsOf(
  { admin }: DatabaseServer,
  name: string,
): Promise<{ query: string; calls: number; mean_ms: number }[]> {
  return admin<{ query: string; calls: number; mean_ms: number }[]>`
    select left(regexp_replace(query, '\\s+', ' ', 'g'), 120) as query, calls::int, mean_exec_time as mean_ms
    from pg_stat_statements where dbid = (select oid from pg_database where datname = ${name})
    order by calls desc, query limit 25`;
}

/** The number of all rows updated in a database so far. It is exact once the database's clients have disconnected. */
export async function updatedRows(databases: DatabaseServer, name: string): Promise<number> {
  const sql = databases.adminOf(name);
  for (;;) {
    const [clients] = await sql<{ count: number }[]>`
      select count(*)::int from pg_stat_activity
      where datname = ${name} and backend_type = 'client backend' and pid <> pg_backend_pid()`;
    if (clients!.count === 0) break;
    await sleep(100);
  }
  const [row] = await sql<{ updated: string }[]>`
    select coalesce(sum(n_tup_upd), 0) as updated from pg_stat_user_tables`;
  await sql.end();
  return Number(row!.updated);
}

/** Waits until no client writes any more. */
async function quiet(admin: DatabaseServer["admin"]): Promise<void> {
  for (let last = -1; ; ) {
    const now = await walPosition(admin);
    if (now === last) return;
    last = now;
    await sleep(400);
  }
}

async function walPosition(admin: DatabaseServer["admin"]): Promise<number> {
  const [row] = await admin<{ bytes: string }[]>`select pg_current_wal_lsn() - '0/0'::pg_lsn as bytes`;
  return Number(row!.bytes);
}
