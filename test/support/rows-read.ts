import type { ISql } from "postgres";
import { type SqlCall, sqlStore } from "../../src/stores/sql.ts";
import { settings } from "../contracts/given.ts";

/** A store that makes its calls on one connection, or in one transaction of it. */
export function storeOn(connection: () => ISql) {
  const call: SqlCall = async (name, argument) => {
    const [row] = await connection().unsafe(`select public.${name}($1::text::jsonb) as answer`, [
      JSON.stringify(argument),
    ]);
    return row!.answer;
  };
  return sqlStore(call, settings);
}

/** How many rows of each of the hub's tables the transaction has looked at so far. */
export async function rowsReadByTable(sql: ISql): Promise<Record<string, number>> {
  const rows = await sql<{ name: string; read: number }[]>`
    select relname as name, (seq_tup_read + coalesce(idx_tup_fetch, 0))::int as read
    from pg_stat_xact_user_tables where schemaname = 'public'`;
  return Object.fromEntries(rows.map(({ name, read }) => [name, read]));
}

/** The same of all tables together. */
export async function rowsRead(sql: ISql): Promise<number> {
  return Object.values(await rowsReadByTable(sql)).reduce((sum, read) => sum + read, 0);
}
