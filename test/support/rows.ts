import type postgres from "postgres";

/** Every table of the hub: how many rows it has, and a digest of all that they hold. */
export type Tables = Readonly<Record<string, { readonly rows: number; readonly digest: string }>>;

/** What a database holds, table by table. */
export async function tablesOf(owner: postgres.Sql): Promise<Tables> {
  const names = await owner<{ name: string }[]>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname in ('public', 'hub') order by 1`;
  const tables: Record<string, Tables[string]> = {};
  for (const { name } of names) {
    const [row] = await owner.unsafe<[Tables[string]]>(
      `select count(*)::int as rows, md5(coalesce(string_agg(t::text, '' order by t::text), '')) as digest from ${name} t`,
    );
    tables[name] = row!;
  }
  return tables;
}

/** How many rows there are in all tables together. */
export function rowsIn(tables: Tables): number {
  return Object.values(tables).reduce((sum, { rows }) => sum + rows, 0);
}
