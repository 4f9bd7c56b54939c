import type sqlDriver from "postgres";

/** The SQL statements that empty all tables of the hub, except the audit, from which rows cannot be deleted. */
export async function emptying(owner: sqlDriver.Sql, verb: "truncate" | "delete from"): Promise<string> {
  const rows = await owner`
    select format('%I', tablename) as name from pg_tables
    where schemaname = 'public' and tablename not in ('schema_migrations', 'audit')`;
  const names = rows.map(({ name }) => `public.${name}`);
  return verb === "truncate"
    ? `truncate ${names.join(", ")}`
    : names.map((name) => `${verb} ${name}`).join("; ");
}
