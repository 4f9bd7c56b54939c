import type postgres from "postgres";

/** Every table of the hub, with the number of its rows and a digest of their content. */
export type Tables = Readonly<Record<string, { readonly rows: number; readonly digest: string }>>;

/** The content of a database, table by table. */
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

/** The number of rows in all tables together. */
export function rowsIn(tables: Tables): number {
  return Object.values(tables).reduce((sum, { rows }) => sum + rows, 0);
}
