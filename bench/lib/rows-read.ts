import { setTimeout as sleep } from "node:timers/promises";
import type { DatabaseServer } from "./database.ts";

/** What one piece of work makes Postgres read of our tables. */
export interface Reading {
  readonly by_index: number;
  readonly by_scan: number;
  /** Pages of tables and indexes, in memory or not. */
  readonly buffers: number;
  /** Of each table that was read at all: rows by index and by scan. */
  readonly tables: Readonly<Record<string, readonly [number, number]>>;
}

interface Row {
  readonly name: string;
  readonly by_index: number;
  readonly by_scan: number;
  readonly buffers: number;
}

/**
 * Starts counting what a database's tables are read for; the function it returns ends that, once its clients have hung
 * up, and divides by `runs`.
 */
export async function readRows(
  databases: DatabaseServer,
  name: string,
): Promise<(runs: number) => Promise<Reading>> {
  await sleep(1_500); // Postgres tells what its clients did a second late.
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
