/**
 * Restores a backup into the database in DATABASE_URL, which must be empty and have the same migrations.
 *
 *   npm run restore -- hub.backup
 *   npm run restore -- hub.backup --replace     deletes everything in the database first
 *
 * The whole file is checked before anything is written. Until all rows are there, and their counts and checksums are those of
 * the backup, the schema hub has another name, so every call of a hub fails: nothing half-restored looks whole. A run that was
 * interrupted goes on when the same command is given again.
 */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { createGunzip } from "node:zlib";
import type postgres from "postgres";
import { checksumOf, connect, migrationsOf, PROGRESS, quoted, type Table, tablesOf } from "./database.ts";
import { type Chunk, type Manifest, readManifest, verifyChunks } from "./file.ts";
import { progress } from "./progress.ts";

interface Options {
  readonly url: string | undefined;
  readonly path: string;
  /** Delete everything first. */
  readonly replace: boolean;
}

/** Restores or finishes restoring. Throws before the first change if the file or the database is not fit. */
async function restore({ url, path, replace }: Options): Promise<Manifest> {
  const { manifest, id } = await wholeFile(path);
  const sql = await connect(url);
  try {
    const [lock] = await sql`select pg_try_advisory_lock(hashtext('hub restore')) as mine`;
    if (!lock!.mine) throw new Error("another restore into this database is running");
    const tables = await fittingTables(sql, manifest);
    if (!(await isBegun(sql, id, replace))) await begin(sql, tables, id, replace);
    await copyChunks(sql, path, manifest, tables);
    await buildIndexes(sql);
    await verifyTables(sql, manifest, tables);
    await end(sql, tables, manifest);
    return manifest;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** Checks every byte of the file. */
async function wholeFile(path: string): Promise<{ manifest: Manifest; id: string }> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      error.code === "ENOENT" ? `${path} does not exist` : `${path} cannot be read: ${error.code}`,
    );
  });
  try {
    const read = await readManifest(file);
    const { chunks } = read.manifest;
    const shown = progress(
      "check",
      chunks.reduce((sum, { bytes }) => sum + bytes, 0),
    );
    await verifyChunks(path, chunks, shown.add);
    shown.end();
    return read;
  } finally {
    await file.close();
  }
}

/** The tables of the database. Throws unless they are the backup's. */
async function fittingTables(sql: postgres.Sql, manifest: Manifest): Promise<Map<string, Table>> {
  const ours = await migrationsOf(sql);
  const names = (list: readonly { name: string; sha256: string }[]) =>
    list.map(({ name, sha256 }) => `${name} ${sha256}`);
  if (names(ours).join() !== names(manifest.migrations).join())
    throw new Error(
      `the backup has the migrations up to ${manifest.migrations.at(-1)?.name}, the database those up to ${ours.at(-1)?.name}: ` +
        "restore with the version of the hub that made the backup, then migrate",
    );
  const tables = await tablesOf(sql);
  const shape = (list: readonly Pick<Table, "name" | "columns">[]) =>
    JSON.stringify(list.map(({ name, columns }) => [name, columns.toSorted()]));
  if (shape(tables) !== shape(manifest.tables))
    throw new Error("the backup's tables are not those of the database");
  return new Map(tables.map((table) => [table.name, table]));
}

/** Whether an earlier run of this backup has begun. Throws if one of another backup has. */
async function isBegun(sql: postgres.Sql, id: string, replace: boolean): Promise<boolean> {
  const [there] = await sql`select to_regclass(${`public.${PROGRESS}`}) is not null as begun`;
  if (!there!.begun) return false;
  const [begun] = await sql.unsafe(`select backup from public.${PROGRESS} where chunk = -1`);
  if (begun!.backup === id) return true;
  if (!replace)
    throw new Error("another backup is half restored here: finish that one, or give --replace to delete it");
  return false;
}

/**
 * Closes the hub's schema, stops the triggers, and takes the indexes away, in one transaction. Throws if there are rows and
 * they may not be deleted.
 */
async function begin(
  sql: postgres.Sql,
  tables: Map<string, Table>,
  id: string,
  replace: boolean,
): Promise<void> {
  const all = [...tables.keys()].map((name) => `public.${quoted(name)}`);
  await sql.begin(async (tx) => {
    await tx.unsafe(`lock table ${all.join(", ")} in access exclusive mode`);
    if (!replace) {
      const full = [];
      for (const name of tables.keys())
        if ((await tx.unsafe(`select from public.${quoted(name)} limit 1`)).length > 0) full.push(name);
      if (full.length > 0)
        throw new Error(
          `the database is not empty (${full.join(", ")}): give --replace to delete everything in it first`,
        );
    }
    const [before] = await tx.unsafe(`select to_regclass('public.${PROGRESS}') is not null as begun`);
    if (before!.begun)
      await tx
        .unsafe(
          `update public.${PROGRESS} set backup = '${id}' where chunk = -1; delete from public.${PROGRESS} where chunk >= 0`,
        )
        .simple();
    else {
      await tx
        .unsafe(`
        create table public.${PROGRESS} (chunk integer primary key, backup text, indexes jsonb);
        alter table public.${PROGRESS} enable row level security;
        insert into public.${PROGRESS} (chunk, backup, indexes)
          select -1, '${id}', coalesce(jsonb_agg(jsonb_build_object('name', c.relname, 'made', pg_get_indexdef(c.oid))), '[]')
          from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
            join pg_catalog.pg_class t on t.oid = i.indrelid
          where t.relnamespace = 'public'::regnamespace and not i.indisprimary and t.relname <> '${PROGRESS}'
            and t.relname = any (array[${[...tables.keys()].map((name) => `'${name}'`).join(", ")}])
            and not exists (select from pg_catalog.pg_constraint k where k.conindid = c.oid);
        alter schema hub rename to hub_restoring;`)
        .simple();
    }
    for (const table of all) await tx.unsafe(`alter table ${table} disable trigger user`);
    if (replace) await tx.unsafe(`truncate ${all.join(", ")}`);
    const [state] = await tx.unsafe(`select indexes from public.${PROGRESS} where chunk = -1`);
    for (const { name } of state!.indexes) await tx.unsafe(`drop index if exists public.${quoted(name)}`);
  });
}

/** Copies the chunks that are not there yet, each with its mark in one transaction. */
async function copyChunks(
  sql: postgres.Sql,
  path: string,
  manifest: Manifest,
  tables: Map<string, Table>,
): Promise<void> {
  const done = new Set((await sql.unsafe(`select chunk from public.${PROGRESS}`)).map(({ chunk }) => chunk));
  const shown = progress(
    "restore",
    manifest.chunks.reduce((sum, { rows }) => sum + rows, 0),
  );
  for (const [i, chunk] of manifest.chunks.entries()) {
    if (!done.has(i))
      await sql.begin(async (tx) => {
        await copyChunk(tx, path, chunk, manifest, tables.get(chunk.table)!);
        await tx.unsafe(`insert into public.${PROGRESS} (chunk) values (${i})`);
      });
    shown.add(chunk.rows);
  }
  shown.end();
}

async function copyChunk(
  tx: postgres.ISql,
  path: string,
  chunk: Chunk,
  manifest: Manifest,
  table: Table,
): Promise<void> {
  const { columns } = manifest.tables.find(({ name }) => name === table.name)!;
  const into = await tx
    .unsafe(`copy public.${quoted(table.name)} (${columns.map(quoted).join(", ")}) from stdin`)
    .writable();
  const { offset, bytes } = chunk;
  await pipeline(createReadStream(path, { start: offset, end: offset + bytes - 1 }), createGunzip(), into);
}

/** Makes the indexes that `begin` has taken away. */
async function buildIndexes(sql: postgres.Sql): Promise<void> {
  const [state] = await sql.unsafe(`select indexes from public.${PROGRESS} where chunk = -1`);
  const missing: { name: string; made: string }[] = [];
  for (const index of state!.indexes) {
    const [there] = await sql`select to_regclass(${`public.${quoted(index.name)}`}) is not null as made`;
    if (!there!.made) missing.push(index);
  }
  const shown = progress("indexes", missing.length);
  await sql.unsafe("set maintenance_work_mem = '256MB'");
  for (const { made } of missing) {
    await sql.unsafe(made);
    shown.add(1);
  }
  shown.end();
}

async function verifyTables(
  sql: postgres.Sql,
  manifest: Manifest,
  tables: Map<string, Table>,
): Promise<void> {
  const shown = progress(
    "compare",
    manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
  );
  for (const { name, rows, checksum } of manifest.tables) {
    const there = await checksumOf(sql, tables.get(name)!);
    if (there.rows !== rows || there.checksum !== checksum)
      throw new Error(
        `${name} is not what the backup says: ${there.rows} rows instead of ${rows}, or other values`,
      );
    shown.add(rows);
  }
  shown.end();
}

/** Opens the database for the hub, in one transaction. */
async function end(sql: postgres.Sql, tables: Map<string, Table>, { sequences }: Manifest): Promise<void> {
  await sql.begin(async (tx) => {
    for (const name of tables.keys())
      await tx.unsafe(`alter table public.${quoted(name)} enable trigger user`);
    for (const { name, value, called } of sequences)
      await tx`select setval(${`public.${quoted(name)}`}::regclass, ${value}::bigint, ${called})`;
    await tx
      .unsafe(
        `drop table public.${PROGRESS}; alter schema hub_restoring rename to hub; select hub.fill_texts()`,
      )
      .simple();
  });
  await sql.unsafe("analyze");
}

if (import.meta.main) {
  try {
    const { values, positionals } = parseArgs({
      options: { replace: { type: "boolean", default: false } },
      allowPositionals: true,
    });
    const [path, ...others] = positionals;
    if (!path || others.length > 0) throw new Error("say from where: npm run restore -- FILE");
    const { tables, taken_at } = await restore({
      url: process.env.DATABASE_URL,
      path,
      replace: values.replace,
    });
    const rows = tables.reduce((sum, table) => sum + table.rows, 0);
    console.log(
      `restored ${rows.toLocaleString("en-US")} rows of ${tables.length} tables, as of ${taken_at}; counts and checksums are equal`,
    );
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    console.error(message || code); // no more than that: an error's other properties may carry the URL
    process.exitCode = 1;
  }
}
