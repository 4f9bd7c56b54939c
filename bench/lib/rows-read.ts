import { setTimeout as sleep } from "node:timers/promises";
import type { DatabaseServer } from "./database.ts";

/** What Postgres reads of the hub's tables for one piece of work. */
export interface Reading {
  readonly by_index: number;
  readonly by_scan: number;
  /** The pages of tables and indexes, in memory or on disk. */
  readonly buffers: number;
  /** The rows read by index and by scan, of each table that was read. */
  readonly tables: Readonly<Record<string, readonly [number, number]>>;
}

interface Row {
  readonly name: string;
  readonly by_index: number;
  readonly by_scan: number;
  readonly buffers: number;
}

/**
 * Starts counting the rows read from a database's tables. The returned function ends the count, after the database's
 * clients have disconnected, and divides by `runs`.
 */
export async function readRows(
  databases: DatabaseServer,
  name: string,
): Promise<(runs: number) => Promise<Reading>> {
  await sleep(1_500); // Postgres' statistics of its clients are up to one second late.
  const before = await rows(databases, name);
  return async (runs) => {
    await sleep(1_500);
    const after = await rows(databases, name);
    const tables: Record<string, [number, number]> = {};
    const sum = { by_index: 0, by_scan: 0, buffers: 0 };
    for (const [i, row] of after.entries()) {
      const [index, scan] = [row.by_index - before[i]!.by_index, row.by_scan - before[i]!.by_scan];
      if (index + scan > 0) tables[row.name] = [index / runs, scan / runs];
      sum.by_index += index / runs;
      sum.by_scan += scan / runs;
      sum.buffers += (row.buffers - before[i]!.buffers) / runs;
    }
    return { ...sum, tables };
  };
}

async function rows(databases: DatabaseServer, name: string): Promise<Row[]> {
  const sql = databases.adminOf(name);
  const found = await sql<Row[]>`
    select t.relname as name, coalesce(t.idx_tup_fetch, 0)::int as by_index, t.seq_tup_read::int as by_scan,
      (coalesce(heap_blks_hit, 0) + coalesce(heap_blks_read, 0) + coalesce(idx_blks_hit, 0) + coalesce(idx_blks_read, 0))::int as buffers
    from pg_stat_user_tables t join pg_statio_user_tables using (relid) order by t.relname`;
  await sql.end();
  return found;
}
