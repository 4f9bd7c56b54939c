/**
 * Applies `migrations/NNNN_verb_noun.sql` in order to the database in DATABASE_URL, each file in one transaction.
 *
 *   npm run migrate                    applies what is new
 *   npm run migrate -- --adopt 0003    (or 3) first records 0001 to 0003 as applied, without running them
 *
 * `--adopt` is for files that were pasted into the Supabase SQL editor by hand: they leave no record, so the next run
 * would trip over what they made. Paste whole files, then adopt up to the last one pasted. A run that trips says so.
 *
 * What is applied is kept in `public.schema_migrations` with the file's SHA-256 (line endings aside). An applied file
 * never changes and never goes; a correction is a new file with a higher number. Two runs at once are safe, also
 * through a transaction pooler. Plain Postgres will do: the API roles are only shut out where they exist. Any host but
 * this machine is spoken to over TLS unless the URL has an `sslmode` of its own.
 */
import { parseArgs } from "node:util";
import postgres from "postgres";
import { type Applied, checkMigrations, type Migration, readMigrations } from "./files.ts";

export interface MigrateOptions {
  /** Where the files are; default: beside this one. */
  readonly dir?: string;
  /** Record the files up to this number as applied before anything else, without running them. */
  readonly adopt?: string;
  readonly log?: (line: string) => void;
}

/**
 * Applies what is new; names what it applied and what already was. Throws, with nothing applied, when files and records
 * disagree; a file that fails is named with its SQL error, and those before it stay applied.
 */
export async function migrate(
  databaseUrl: string,
  { dir = import.meta.dirname, adopt, log = () => {} }: MigrateOptions = {},
): Promise<{ applied: string[]; already: string[] }> {
  const files = await readMigrations(dir);
  const sql = connect(databaseUrl);
  try {
    await locked(sql, (tx) => tx.unsafe(recordsTable).simple());
    if (adopt !== undefined) await locked(sql, (tx) => adoptUntil(tx, files, adopt));
    checkMigrations(files, await records(sql)); // before the first file runs
    const applied: string[] = [];
    for (const file of files) {
      if (await locked(sql, (tx) => apply(tx, file, files))) applied.push(file.name);
      log(`${applied.at(-1) === file.name ? "applied" : "already"}  ${file.name}`);
    }
    const already = files.map(({ name }) => name).filter((name) => !applied.includes(name));
    log(`${applied.length} applied, ${already.length} already there`);
    return { applied, already };
  } finally {
    await sql.end();
  }
}

function connect(databaseUrl: string): postgres.Sql {
  const url = URL.parse(databaseUrl);
  if (!url?.protocol.startsWith("postgres")) throw new Error("DATABASE_URL is not a postgres:// URL");
  const near = ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname) || url.searchParams.has("sslmode");
  return postgres(databaseUrl, {
    max: 1,
    prepare: false, // poolers keep no prepared statements
    onnotice: () => {},
    ...(near ? {} : { ssl: "require" as const }),
  });
}

/** The lock lives and ends with the transaction, so no pooler can strand it. */
function locked<T>(sql: postgres.Sql, work: (tx: postgres.TransactionSql) => Promise<T>) {
  return sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtext('public.schema_migrations'))`;
    return work(tx);
  });
}

/** False when somebody else applied it in the meantime. */
async function apply(
  tx: postgres.TransactionSql,
  file: Migration,
  files: readonly Migration[],
): Promise<boolean> {
  const applied = await records(tx);
  checkMigrations(files, applied);
  if (applied.has(file.name)) return false;
  try {
    // What an earlier file set for its session ends here; and better to fail than to queue everybody behind a lock.
    await tx.unsafe("reset all; set local lock_timeout = '10s'").simple();
    await tx.unsafe(file.sql).simple();
  } catch (error) {
    throw new Error(`${file.name}: ${explain(error, file.sql)}`, { cause: error });
  }
  await record(tx, file);
  return true;
}

async function adoptUntil(tx: postgres.TransactionSql, files: readonly Migration[], number: string) {
  const until = number.padStart(4, "0");
  if (!files.some(({ name }) => name.startsWith(`${until}_`))) {
    throw new Error(`--adopt ${number}: no such migration`);
  }
  const applied = await records(tx);
  for (const file of files) {
    if (file.name.slice(0, 4) <= until && !applied.has(file.name)) await record(tx, file);
  }
}

async function records(sql: postgres.Sql | postgres.TransactionSql): Promise<Applied> {
  const rows = await sql<Omit<Migration, "sql">[]>`select name, sha256 from public.schema_migrations`;
  return new Map(rows.map(({ name, sha256 }) => [name, sha256]));
}

function record(tx: postgres.TransactionSql, { name, sha256 }: Migration) {
  return tx`insert into public.schema_migrations (name, sha256) values (${name}, ${sha256})`;
}

/** The SQL error with its place in the file, and what to do when the file was pasted before. */
function explain(error: unknown, sql: string): string {
  if (!(error instanceof postgres.PostgresError)) return String(error);
  const line = error.position ? ` at line ${sql.slice(0, Number(error.position)).split("\n").length}` : "";
  const exists = ["42P06", "42P07", "42701", "42710", "42723"].includes(error.code);
  const hint = exists ? "; if it was pasted by hand, record it with --adopt (see migrations/migrate.ts)" : "";
  return `${error.message} (${error.code})${line}${hint}`;
}

const recordsTable = `
create table if not exists public.schema_migrations (
  name text primary key, sha256 text not null, applied_at timestamptz not null default now()
);
alter table public.schema_migrations enable row level security;
revoke all on public.schema_migrations from public;
do $$
declare api_role text;
begin
  for api_role in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
    execute format('revoke all on public.schema_migrations from %I', api_role);
  end loop;
end
$$;`;

if (import.meta.main) {
  try {
    const { values } = parseArgs({ options: { adopt: { type: "string" } } });
    const databaseUrl = process.env.DATABASE_URL;
    if (!databaseUrl) throw new Error("DATABASE_URL is not set");
    await migrate(databaseUrl, {
      ...(values.adopt === undefined ? {} : { adopt: values.adopt }),
      log: console.log,
    });
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    console.error(message || code); // no more than that: an error's other properties may carry the URL
    process.exitCode = 1;
  }
}
