import type sqlDriver from "postgres";

/** What empties the hub's tables, as one statement list; all but the audit, which is only ever added to. */
export async function emptying(owner: sqlDriver.Sql, verb: "truncate" | "delete from"): Promise<string> {
  const rows = await owner`
    select format('%I', tablename) as name from pg_tables
    where schemaname = 'public' and tablename not in ('schema_migrations', 'audit')`;
  const names = rows.map(({ name }) => `public.${name}`);
  return verb === "truncate"
    ? `truncate ${names.join(", ")}`
    : names.map((name) => `${verb} ${name}`).join("; ");
}
