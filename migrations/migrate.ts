/**
 * Brings the database in DATABASE_URL to what this folder says: `NNNN_verb_noun.sql` in order, each new file in one
 * transaction, then the functions.
 *
 *   npm run migrate                    applies what is new
 *   npm run migrate -- --adopt 0003    (or 3) first records 0001 to 0003 as applied, without running them
 *   npm run migrate -- --with vector   also insists on the optional files of this extension
 *   npm run migrate -- --print         prints all of it as one script for an SQL editor; needs no database
 *
 * Migrations hold tables, columns, indexes and data. An applied file never changes and never goes; a correction is a new
 * file with a higher number. Functions are sources: `functions/<story>.sql` holds them as they are now, with
 * `create or replace`. When any of these files changes, or a migration is new, all of them are applied again in one
 * transaction. A function that no file defines any more is dropped. The privileges of functions come last.
 *
 * Optional files, `optional/<extension>.sql`, come after that, where the database offers the extension
 * (`pg_available_extensions`) and can create it for this user; elsewhere they are left out, and the hub does without. A backup has
 * no part in them: they make indexes, and tables of the schema `hub` for what can be made again, but nothing else in `public`.
 * They make no functions: those are in `functions/`, and ask for the extension, or what the file has made, before they use it.
 *
 * The printed script may be pasted again after every upgrade: it runs what is new, and records it. `--adopt` is for single
 * files that were pasted by hand: they leave no record, so the next run would trip over what they made. Paste whole
 * files, then adopt up to the last one pasted. A run that trips says so.
 *
 * What is applied is kept in `public.schema_migrations` with its SHA-256 (line ends aside), the functions as one line.
 * Two runs at once are safe, also through a transaction pooler. Plain Postgres will do: the API roles are only shut out
 * where they exist. Any host but this machine is spoken to over TLS unless the URL has an `sslmode` of its own.
 */
import { parseArgs } from "node:util";
import postgres from "postgres";
import {
  type Applied,
  checkApplied,
  checkMigrations,
  type OptionalSource,
  readFunctions,
  readMigrations,
  readOptional,
  type Source,
} from "./files.ts";
import { FUNCTIONS, functionSteps, functionsHash, quoted } from "./functions.ts";

export interface MigrateOptions {
  /** Where the files are; default: beside this one. */
  readonly dir?: string;
  /** Record the files up to this number as applied before anything else, without running them. */
  readonly adopt?: string;
  /** Extensions whose optional files are not left out: it is an error if the database does not have them. */
  readonly insistOn?: readonly string[];
  readonly log?: (line: string) => void;
}

/**
 * Applies what is new; names what it applied and what already was, `functions` for the functions. Throws, with nothing
 * applied, when files and records disagree; a file that fails is named with its SQL error, and those before it stay
 * applied.
 */
export async function migrate(
  databaseUrl: string,
  { dir = import.meta.dirname, adopt, insistOn = [], log = () => {} }: MigrateOptions = {},
): Promise<{ applied: string[]; already: string[] }> {
  const files = await readMigrations(dir);
  const functions = await readFunctions(dir);
  const optional = await readOptional(dir);
  for (const extension of insistOn)
    if (!optional.some((file) => file.extension === extension))
      throw new Error(`--with ${extension}: there is no optional/${extension}.sql`);
  const sql = connect(databaseUrl);
  try {
    await locked(sql, (tx) => tx.unsafe(recordsTable).simple());
    if (adopt !== undefined) await locked(sql, (tx) => adoptUntil(tx, files, adopt));
    checkMigrations(files, await records(sql)); // before the first file runs
    checkApplied(optional, await optionalRecords(sql));
    const applied: string[] = [];
    const tell = (name: string, isNew: boolean) => {
      if (isNew) applied.push(name);
      log(`${isNew ? "applied" : "already"}  ${name}`);
    };
    for (const file of files) tell(file.name, await locked(sql, (tx) => apply(tx, file, files)));
    if (functions.length > 0) {
      const isNew = applied.length > 0;
      tell(FUNCTIONS, await locked(sql, (tx) => applyFunctions(tx, functions, isNew)));
    }
    const skipped: string[] = [];
    for (const file of optional) {
      const result = await applyOptional(sql, file, optional, insistOn.includes(file.extension));
      if (typeof result === "boolean") tell(file.name, result);
      else {
        skipped.push(file.name);
        log(`skipped  ${file.name}: ${result.reason}`);
      }
    }
    const names = [...files, ...(functions.length > 0 ? [{ name: FUNCTIONS }] : []), ...optional].map(
      ({ name }) => name,
    );
    const already = names.filter((name) => !applied.includes(name) && !skipped.includes(name));
    log(`${applied.length} applied, ${already.length} already there`);
    return { applied, already };
  } finally {
    await sql.end();
  }
}

/**
 * The migrations that a database lacks, the optional ones that it could have, and whether its functions are those of this
 * folder. Changes nothing.
 */
export async function pendingMigrations(
  sql: postgres.Sql,
  dir: string = import.meta.dirname,
): Promise<{ missing: string[]; functions: boolean; optional: string[] }> {
  const files = await readMigrations(dir);
  const names = files.map(({ name }) => name);
  const offered = [];
  for (const file of await readOptional(dir)) if (await isOffered(sql, file)) offered.push(file.name);
  const [table] = await sql`select to_regclass('public.schema_migrations') is not null as there`;
  if (!table?.there) return { missing: names, functions: false, optional: offered };
  const applied = await records(sql);
  const chosen = await optionalRecords(sql);
  const [recorded] = await sql`select sha256 from public.schema_migrations where name = ${FUNCTIONS}`;
  return {
    missing: names.filter((name) => !applied.has(name)),
    functions: recorded?.sha256 === functionsHash(await readFunctions(dir)),
    optional: offered.filter((name) => !chosen.has(name)),
  };
}

/** Everything as one script, to be pasted into an SQL editor, again after each upgrade: it runs and records what is new. */
export async function printed(dir: string = import.meta.dirname): Promise<string> {
  const files = await readMigrations(dir);
  const functions = await readFunctions(dir);
  const optional = await readOptional(dir);
  const steps = files.map(
    ({ name, sql, sha256 }) => `
-- ${name}
do $migration$
begin
  if exists (select from public.schema_migrations where name = '${name}' and sha256 <> '${sha256}') then
    raise exception '${name} has changed since it was applied; undo the change and write a new file';
  elsif not exists (select from public.schema_migrations where name = '${name}') then
    execute ${quoted(sql)};
    insert into public.schema_migrations (name, sha256) values ('${name}', '${sha256}');
  end if;
end
$migration$;
`,
  );
  return [
    "-- Made by npm run migrate -- --print. Paste the whole of it; it runs what is new, all or nothing.\n",
    "begin;\nset local lock_timeout = '10s';\n",
    `select ${LOCK};\n`,
    recordsTable,
    ...steps,
    ...functionSteps(functions).map(({ file, sql }) => (file ? `\n-- ${file.name}\n${sql}\n` : sql)),
    `\ninsert into public.schema_migrations (name, sha256) values ('${FUNCTIONS}', '${functionsHash(functions)}')`,
    "\n  on conflict (name) do update set sha256 = excluded.sha256, applied_at = now();\n",
    ...optional.map(printedOptional),
    "commit;\n",
  ].join("");
}

/**
 * The errors with which a database that offers an extension does not create it: this user may not, the provider does not
 * permit it, its package is broken. By their codes, with their names in PL/pgSQL.
 */
const LEFT_OUT = {
  "42501": "insufficient_privilege",
  "0A000": "feature_not_supported",
  "58P01": "undefined_file",
};

function printedOptional({ name, sql, sha256, extension }: OptionalSource): string {
  return `
-- ${name}
do $optional$
begin
  if exists (select from public.schema_migrations where name = '${name}' and sha256 <> '${sha256}') then
    raise exception '${name} has changed since it was applied; undo the change and write a new file';
  elsif exists (select from pg_available_extensions where name = '${extension}')
      and not exists (select from public.schema_migrations where name = '${name}') then
    execute ${quoted(sql)};
    insert into public.schema_migrations (name, sha256) values ('${name}', '${sha256}');
  end if;
exception when ${Object.values(LEFT_OUT).join(" or ")} then
  raise notice '${name} is left out: %', sqlerrm;
end
$optional$;
`;
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

const LOCK = "pg_advisory_xact_lock(hashtext('public.schema_migrations'))";

/** The lock lives and ends with the transaction, so no pooler can strand it. */
function locked<T>(sql: postgres.Sql, work: (tx: postgres.TransactionSql) => Promise<T>) {
  return sql.begin(async (tx) => {
    await tx.unsafe(`select ${LOCK}`);
    return work(tx);
  });
}

/** False when somebody else applied it in the meantime. */
async function apply(tx: postgres.TransactionSql, file: Source, files: readonly Source[]): Promise<boolean> {
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

/** Whether it is new. Gives the reason if it is left out. */
async function applyOptional(
  sql: postgres.Sql,
  file: OptionalSource,
  files: readonly OptionalSource[],
  insist: boolean,
): Promise<boolean | { reason: string }> {
  try {
    return await locked(sql, async (tx) => {
      const applied = await optionalRecords(tx);
      checkApplied(files, applied);
      if (applied.has(file.name)) return false;
      if (!insist && !(await isOffered(tx, file)))
        return { reason: `the database does not offer the extension ${file.extension}` };
      await tx.unsafe("reset all; set local lock_timeout = '10s'").simple();
      await tx.unsafe(file.sql).simple();
      await record(tx, file);
      return true;
    });
  } catch (error) {
    if (error instanceof postgres.PostgresError && error.code in LEFT_OUT && !insist)
      return { reason: error.message };
    throw error instanceof postgres.PostgresError
      ? new Error(`${file.name}: ${explain(error, file.sql)}`, { cause: error })
      : error;
  }
}

async function isOffered(
  sql: postgres.Sql | postgres.TransactionSql,
  { extension }: OptionalSource,
): Promise<boolean> {
  const [row] =
    await sql`select exists (select from pg_available_extensions where name = ${extension}) as yes`;
  return row!.yes;
}

/** False when they are as they should be. */
async function applyFunctions(
  tx: postgres.TransactionSql,
  files: readonly Source[],
  force: boolean,
): Promise<boolean> {
  const sha256 = functionsHash(files);
  const [recorded] = await tx`select sha256 from public.schema_migrations where name = ${FUNCTIONS}`;
  if (recorded?.sha256 === sha256 && !force) return false;
  await tx.unsafe("reset all; set local lock_timeout = '10s'").simple();
  for (const { file, sql } of functionSteps(files)) {
    try {
      await tx.unsafe(sql).simple();
    } catch (error) {
      throw new Error(`${file?.name ?? FUNCTIONS}: ${explain(error, file?.sql ?? sql)}`, { cause: error });
    }
  }
  await tx`
    insert into public.schema_migrations (name, sha256) values (${FUNCTIONS}, ${sha256})
    on conflict (name) do update set sha256 = excluded.sha256, applied_at = now()`;
  return true;
}

async function adoptUntil(tx: postgres.TransactionSql, files: readonly Source[], number: string) {
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
  const rows = await sql<Omit<Source, "sql">[]>`
    select name, sha256 from public.schema_migrations where name <> ${FUNCTIONS} and name not like 'optional/%'`;
  return new Map(rows.map(({ name, sha256 }) => [name, sha256]));
}

async function optionalRecords(sql: postgres.Sql | postgres.TransactionSql): Promise<Applied> {
  const rows = await sql<Omit<Source, "sql">[]>`
    select name, sha256 from public.schema_migrations where name like 'optional/%'`;
  return new Map(rows.map(({ name, sha256 }) => [name, sha256]));
}

function record(tx: postgres.TransactionSql, { name, sha256 }: Source) {
  return tx`insert into public.schema_migrations (name, sha256) values (${name}, ${sha256})`;
}

/** The SQL error with its place in the file, and what to do when the file was pasted before. */
function explain(error: unknown, sql: string): string {
  if (!(error instanceof postgres.PostgresError)) return String(error);
  // What a block executes has its position told beside its text, which begins with the line of its quote.
  const text = error.internal_query?.trimStart() ?? sql;
  const shift = error.internal_query ? error.internal_query.length - text.length : 0;
  const position = Number(error.internal_position ?? error.position) - shift;
  const isInFile = position > 0 && text.trimEnd() === sql.trim();
  const line = isInFile ? ` at line ${sql.slice(0, position).split("\n").length}` : "";
  const dependents = error.code === "2BP01" && error.detail ? `: ${error.detail.replaceAll("\n", "; ")}` : "";
  const exists = ["42P06", "42P07", "42701", "42710", "42723"].includes(error.code);
  const hint = exists ? "; if it was pasted by hand, record it with --adopt (see migrations/migrate.ts)" : "";
  return `${error.message} (${error.code})${line}${dependents}${hint}`;
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
    const { values } = parseArgs({
      options: {
        adopt: { type: "string" },
        print: { type: "boolean" },
        with: { type: "string", multiple: true },
      },
    });
    if (values.print) {
      process.stdout.write(await printed());
    } else {
      const databaseUrl = process.env.DATABASE_URL;
      if (!databaseUrl) throw new Error("DATABASE_URL is not set");
      await migrate(databaseUrl, {
        ...(values.adopt === undefined ? {} : { adopt: values.adopt }),
        ...(values.with && { insistOn: values.with }),
        log: console.log,
      });
    }
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    console.error(message || code); // no more than that: an error's other properties may carry the URL
    process.exitCode = 1;
  }
}
