/** What a backup and a restore ask the database: its tables, counts and checksums. */
import postgres from "postgres";

/** The table in which a restore keeps how far it is. It exists only while a restore is not finished. */
export const PROGRESS = "restore_progress";

export interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  /** The columns of the primary key; empty without one. */
  readonly key: readonly string[];
}

export type Bounds = { readonly after: readonly string[] | null; readonly until: readonly string[] | null };

/** One connection, with the settings that the text of a value depends on. */
export async function connect(url: string | undefined): Promise<postgres.Sql> {
  if (!url) throw new Error("DATABASE_URL is not set");
  const parsed = URL.parse(url);
  if (!parsed?.protocol.startsWith("postgres")) throw new Error("DATABASE_URL is not a postgres:// URL");
  const near =
    ["127.0.0.1", "localhost", "[::1]"].includes(parsed.hostname) || parsed.searchParams.has("sslmode");
  const sql = postgres(url, {
    max: 1,
    prepare: false,
    idle_timeout: 0,
    max_lifetime: null,
    fetch_types: false,
    onnotice: () => {},
    ...(near ? {} : { ssl: "require" as const }),
    connection: { application_name: "session-hub backup" },
  });
  await sql
    .unsafe(`
      set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; set bytea_output = 'hex';
      set extra_float_digits = 1; set statement_timeout = 0; set idle_in_transaction_session_timeout = 0;
      set lock_timeout = '30s'; set search_path = '';`)
    .simple();
  return sql;
}

/** All tables of the schema public, by name, except those that say what the database is. */
export async function tablesOf(sql: postgres.ISql): Promise<Table[]> {
  return sql<Table[]>`
    select c.relname as name,
      (select jsonb_agg(a.attname order by a.attnum) from pg_catalog.pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
      coalesce((select jsonb_agg(a.attname order by k.place) from pg_catalog.pg_index i
        cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (attnum, place)
        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
        where i.indrelid = c.oid and i.indisprimary), '[]') as key
    from pg_catalog.pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not in ('schema_migrations', ${PROGRESS})
      and not exists (select from pg_catalog.pg_depend d where d.objid = c.oid and d.deptype = 'e')
    order by c.relname collate "C"`;
}

/** The migrations that were applied, without the functions and the optional ones, which hold no data. */
export async function migrationsOf(sql: postgres.ISql): Promise<{ name: string; sha256: string }[]> {
  const [there] = await sql`select to_regclass('public.schema_migrations') is not null as migrated`;
  if (!there!.migrated) throw new Error("the database has no hub: run npm run migrate first");
  return sql<{ name: string; sha256: string }[]>`
    select name, sha256 from public.schema_migrations where name <> 'functions' and name not like 'optional/%' order by name collate "C"`;
}

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`;
const list = (names: readonly string[]) => names.map(quoted).join(", ");

/** The rows of a chunk, for COPY, in the order of the primary key. */
export function rowsOf({ name, columns, key }: Table, bounds: Bounds): string {
  const order = key.length > 0 ? ` order by ${list(key)}` : "";
  return `select ${list(columns)} from public.${quoted(name)}${within(key, bounds)}${order}`;
}

function within(key: readonly string[], { after, until }: Bounds): string {
  const side = (values: readonly string[] | null, sign: string) =>
    values ? [`(${list(key)}) ${sign} (${values.map(literal).join(", ")})`] : [];
  const conditions = [...side(after, ">"), ...side(until, "<=")];
  return conditions.length > 0 ? ` where ${conditions.join(" and ")}` : "";
}

/**
 * The number of rows within these bounds and their checksum: the sum, over the rows, of the first 64 bits of the SHA-256 of a
 * row's text. It does not depend on the order, and the checksum of a table is the sum of those of its chunks.
 */
export async function checksumOf(
  sql: postgres.ISql,
  { name, columns, key }: Table,
  bounds: Bounds = { after: null, until: null },
): Promise<{ rows: number; checksum: string }> {
  const [row] = await sql.unsafe(`
    select count(*)::float8 as rows, coalesce(sum(
      ('x' || encode(substr(sha256(convert_to(row(${list(columns)})::text, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint::numeric), 0)::text as checksum
    from public.${quoted(name)}${within(key, bounds)}`);
  return { rows: row!.rows, checksum: row!.checksum };
}

/** The key of the `rows`-th row after `after`; null if there are no more rows than that. */
export async function boundAfter(
  sql: postgres.ISql,
  { name, key }: Table,
  after: readonly string[] | null,
  rows: number,
): Promise<string[] | null> {
  if (key.length === 0) return null;
  const found = await sql.unsafe(`
    select to_jsonb(array[${key.map((column) => `${quoted(column)}::text`).join(", ")}]) as key
    from public.${quoted(name)}${within(key, { after, until: null })}
    order by ${list(key)} offset ${rows - 1} limit 2`);
  return found.length === 2 ? found[0]!.key : null;
}
