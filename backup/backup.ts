/**
 * Writes all rows of the database in DATABASE_URL into one file, from one snapshot.
 *
 *   npm run backup -- --out hub.backup
 *
 * While it runs the file is `hub.backup.part`, with `hub.backup.part.index` beside it. A run that was interrupted goes on when
 * the same command is given again: rows that have changed since are written anew, so that the whole is of one snapshot again.
 * The file holds personal data and hashes of secrets: only its owner may read it. docs/backup.md describes it.
 */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { appendFile, type FileHandle, open, readFile, rename, rm, stat, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { createGzip } from "node:zlib";
import type postgres from "postgres";
import {
  type Bounds,
  boundAfter,
  checksumOf,
  connect,
  migrationsOf,
  rowsOf,
  type Table,
  tablesOf,
} from "./database.ts";
import { type Chunk, MAGIC, type Manifest, type TableSummary, writeManifest } from "./file.ts";
import { type Progress, progress } from "./progress.ts";

const CHUNK_ROWS = 20_000;
const OWNER_ONLY = 0o600;
const ZEROS = Buffer.alloc(65_536);

interface Options {
  readonly url: string | undefined;
  readonly out: string;
  /** The most rows of a chunk: what an interrupted run has to do again. */
  readonly chunkRows?: number;
}

/** The unfinished file, and the chunks that are in it. */
interface Part {
  readonly path: string;
  readonly file: FileHandle;
  readonly chunks: Set<Chunk>;
  /** Where the next chunk begins. */
  end: number;
}

/** Writes or finishes the backup. Throws, and leaves what it has for the next run. */
async function backUp({ url, out, chunkRows = CHUNK_ROWS }: Options): Promise<Manifest> {
  if (await exists(out)) throw new Error(`${out} exists already`);
  const sql = await connect(url);
  try {
    const tx = await sql.reserve();
    await tx`begin isolation level repeatable read, read only`;
    const [now] =
      await tx`select to_jsonb(now()) #>> '{}' as taken_at, to_regclass('public.restore_progress') as restoring`;
    if (now!.restoring !== null) throw new Error("a restore into this database is not finished");
    const migrations = await migrationsOf(tx);
    const part = await openPart(out, JSON.stringify(migrations));
    try {
      const tables = await tablesOf(tx);
      const totals = await countsOf(tx, tables);
      const shown = progress("backup", totals);
      const written: { chunks: Chunk[]; summary: TableSummary }[] = [];
      for (const table of tables) written.push(await writeTable(tx, part, table, chunkRows, shown));
      const sequences = await sequencesOf(tx);
      await tx`commit`;
      const chunks = written.flatMap(({ chunks }) => chunks);
      for (const chunk of part.chunks) if (!chunks.includes(chunk)) await drop(part, chunk);
      const manifest: Manifest = {
        format: 1,
        taken_at: now!.taken_at,
        migrations,
        tables: written.map(({ summary }) => summary),
        chunks,
        sequences,
      };
      await writeManifest(part.file, part.end, manifest);
      await part.file.sync();
      shown.end();
      await finish(part, out);
      return manifest;
    } finally {
      await part.file.close();
    }
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/**
 * Opens the unfinished file, or begins one. The index has a line for each chunk that is wholly in the file; what follows the
 * last of them is cut off.
 */
async function openPart(out: string, database: string): Promise<Part> {
  const path = `${out}.part`;
  const chunks = new Set<Chunk>();
  const lines = (await exists(path)) && (await exists(`${path}.index`)) ? await linesOf(`${path}.index`) : [];
  if (lines.length === 0) {
    await rm(`${path}.index`, { force: true });
    const file = await open(path, "w+", OWNER_ONLY);
    await file.write(MAGIC, 0);
    await appendFile(`${path}.index`, `${JSON.stringify({ database })}\n`, { mode: OWNER_ONLY });
    return { path, file, chunks, end: MAGIC.length };
  }
  const [head, ...entries] = lines as [{ database: string }, ...(Chunk | { dropped: number })[]];
  if (head.database !== database)
    throw new Error(`${path} was begun with other migrations; delete it and ${path}.index, and begin again`);
  let end = MAGIC.length;
  for (const entry of entries) {
    if ("dropped" in entry) {
      for (const chunk of chunks) if (chunk.offset === entry.dropped) chunks.delete(chunk);
      continue;
    }
    chunks.add(entry);
    end = Math.max(end, entry.offset + entry.bytes);
  }
  const file = await open(path, "r+", OWNER_ONLY);
  await file.truncate(end);
  return { path, file, chunks, end };
}

/** The whole lines of the index. What follows them, of a line that was not finished, is cut off. */
async function linesOf(path: string): Promise<unknown[]> {
  const text = await readFile(path, "utf8");
  const lines = text.slice(0, text.lastIndexOf("\n") + 1);
  await truncate(path, Buffer.byteLength(lines));
  return lines
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** Writes the chunks of a table that are not in the file, or not as the snapshot has them. */
async function writeTable(
  tx: postgres.ISql,
  part: Part,
  table: Table,
  chunkRows: number,
  shown: Progress,
): Promise<{ chunks: Chunk[]; summary: TableSummary }> {
  const chunks: Chunk[] = [];
  let after: readonly string[] | null = null;
  for (let more = true; more; ) {
    const there = [...part.chunks].find((chunk) => chunk.table === table.name && same(chunk.after, after));
    const chunk: Chunk =
      there && (await isIntact(tx, part, table, there))
        ? there
        : await writeChunk(tx, part, table, { after, until: await boundAfter(tx, table, after, chunkRows) });
    if (there && chunk !== there) await drop(part, there);
    chunks.push(chunk);
    shown.add(chunk.rows);
    after = chunk.until;
    more = after !== null;
  }
  const rows = chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
  const checksum = String(chunks.reduce((sum, chunk) => sum + BigInt(chunk.checksum), 0n));
  return { chunks, summary: { name: table.name, columns: table.columns, rows, checksum } };
}

const same = (one: readonly string[] | null, other: readonly string[] | null) =>
  JSON.stringify(one) === JSON.stringify(other);

/** Whether a chunk of an earlier run is what the snapshot has, and is in the file as it was written. */
async function isIntact(tx: postgres.ISql, { path }: Part, table: Table, chunk: Chunk): Promise<boolean> {
  const { rows, checksum } = await checksumOf(tx, table, chunk);
  if (rows !== chunk.rows || checksum !== chunk.checksum) return false;
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path, {
    start: chunk.offset,
    end: chunk.offset + chunk.bytes - 1,
  }))
    hash.update(bytes);
  return hash.digest("hex") === chunk.sha256;
}

async function writeChunk(tx: postgres.ISql, part: Part, table: Table, bounds: Bounds): Promise<Chunk> {
  const { rows, checksum } = await checksumOf(tx, table, bounds);
  const hash = createHash("sha256");
  let bytes = 0;
  const counting = new Transform({
    transform(piece: Buffer, _encoding, done) {
      hash.update(piece);
      bytes += piece.length;
      done(null, piece);
    },
  });
  const copy = await tx.unsafe(`copy (${rowsOf(table, bounds)}) to stdout`).readable();
  await pipeline(
    copy,
    createGzip({ level: 4 }),
    counting,
    createWriteStream(part.path, { flags: "r+", start: part.end }),
  );
  // The driver pauses its socket for a slow reader, and resumes it at the next read, which never comes after the last piece.
  copy._read(0);
  const chunk: Chunk = {
    table: table.name,
    ...bounds,
    rows,
    checksum,
    offset: part.end,
    bytes,
    sha256: hash.digest("hex"),
  };
  await part.file.sync();
  await appendFile(`${part.path}.index`, `${JSON.stringify(chunk)}\n`, { flush: true });
  part.chunks.add(chunk);
  part.end += bytes;
  return chunk;
}

/** Takes a chunk out of the file: its rows may have been erased since. */
async function drop(part: Part, chunk: Chunk): Promise<void> {
  await appendFile(`${part.path}.index`, `${JSON.stringify({ dropped: chunk.offset })}\n`, { flush: true });
  part.chunks.delete(chunk);
  const end = chunk.offset + chunk.bytes;
  for (let at = chunk.offset; at < end; at += ZEROS.length)
    await part.file.write(ZEROS, 0, Math.min(ZEROS.length, end - at), at);
}

async function countsOf(tx: postgres.ISql, tables: readonly Table[]): Promise<number> {
  const counts = tables.map(({ name }) => `(select count(*) from public."${name}")`);
  const [row] = await tx.unsafe(`select (${counts.join(" + ")})::float8 as rows`);
  return row!.rows;
}

async function sequencesOf(tx: postgres.ISql): Promise<{ name: string; value: string; called: boolean }[]> {
  const names = await tx<{ name: string }[]>`
    select sequencename as name from pg_catalog.pg_sequences where schemaname = 'public' order by 1`;
  const all = [];
  for (const { name } of names) {
    const [row] = await tx.unsafe(
      `select last_value::text as value, is_called as called from public."${name}"`,
    );
    all.push({ name, value: row!.value as string, called: row!.called as boolean });
  }
  return all;
}

/** Gives the whole file its name. */
async function finish(part: Part, out: string): Promise<void> {
  await rename(part.path, out);
  const folder = await open(dirname(out));
  await folder.sync();
  await folder.close();
  await rm(`${part.path}.index`);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

if (import.meta.main) {
  try {
    const { values } = parseArgs({ options: { out: { type: "string" }, "chunk-rows": { type: "string" } } });
    if (!values.out) throw new Error("say where to: npm run backup -- --out FILE");
    const chunkRows = Number(values["chunk-rows"] ?? CHUNK_ROWS);
    if (!Number.isInteger(chunkRows) || chunkRows < 1)
      throw new Error("--chunk-rows must be a number of rows");
    const { tables, taken_at } = await backUp({ url: process.env.DATABASE_URL, out: values.out, chunkRows });
    const rows = tables.reduce((sum, table) => sum + table.rows, 0);
    console.log(
      `${values.out}: ${rows.toLocaleString("en-US")} rows of ${tables.length} tables, as of ${taken_at}`,
    );
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    console.error(message || code); // no more than that: an error's other properties may carry the URL
    console.error("The backup is not finished. The same command goes on where it was interrupted.");
    process.exitCode = 1;
  }
}
