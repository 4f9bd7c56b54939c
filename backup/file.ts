/**
 * A backup's file, as docs/backup.md describes it: a line that names the format, chunks of rows, the manifest, and a last line
 * that says where the manifest is. A file without that line is not whole.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { gunzipSync, gzipSync } from "node:zlib";

/** The first bytes of every backup. */
export const MAGIC = "session-hub backup 1\n";
const END = "session-hub\n";
const TRAILER = /^(\d{16}) (\d{16}) ([0-9a-f]{64}) session-hub\n$/;
const TRAILER_BYTES = 16 + 1 + 16 + 1 + 64 + 1 + END.length;

/** Some rows of a table: those with a primary key after `after`, up to `until`. */
export interface Chunk {
  readonly table: string;
  /** Values of the primary key; null: from the beginning. */
  readonly after: readonly string[] | null;
  /** Included; null: to the end. */
  readonly until: readonly string[] | null;
  readonly rows: number;
  /** Of its rows, in any order: see `checksumOf`. */
  readonly checksum: string;
  /** Where its bytes are in the file. */
  readonly offset: number;
  readonly bytes: number;
  /** Of these bytes. */
  readonly sha256: string;
}

export interface TableSummary {
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows: number;
  readonly checksum: string;
}

export interface Manifest {
  readonly format: 1;
  /** When the snapshot was taken, by the database's clock. */
  readonly taken_at: string;
  readonly migrations: readonly { readonly name: string; readonly sha256: string }[];
  readonly tables: readonly TableSummary[];
  readonly chunks: readonly Chunk[];
  readonly sequences: readonly { readonly name: string; readonly value: string; readonly called: boolean }[];
}

/** Writes the manifest and the last line at `offset`. */
export async function writeManifest(file: FileHandle, offset: number, manifest: Manifest): Promise<void> {
  const bytes = gzipSync(JSON.stringify(manifest));
  const number = (value: number) => String(value).padStart(16, "0");
  const trailer = `${number(offset)} ${number(bytes.length)} ${sha256(bytes)} ${END}`;
  await file.write(bytes, 0, bytes.length, offset);
  await file.write(trailer, offset + bytes.length);
  await file.truncate(offset + bytes.length + TRAILER_BYTES);
}

/** Reads the manifest, and its hash, which names the backup. Throws for a file that is no backup or not whole. */
export async function readManifest(file: FileHandle): Promise<{ manifest: Manifest; id: string }> {
  const { size } = await file.stat();
  if ((await textAt(file, 0, MAGIC.length)) !== MAGIC) throw new Error("the file is no backup of this hub");
  const trailer = TRAILER.exec(await textAt(file, Math.max(0, size - TRAILER_BYTES), TRAILER_BYTES));
  if (!trailer) throw new Error("the file is not whole: its end is missing");
  const [offset, length] = [Number(trailer[1]), Number(trailer[2])];
  if (offset + length + TRAILER_BYTES !== size)
    throw new Error("the file is damaged: it has another length than it says");
  const bytes = await bytesAt(file, offset, length);
  if (sha256(bytes) !== trailer[3]) throw new Error("the file is damaged: its manifest has another checksum");
  return { manifest: JSON.parse(gunzipSync(bytes).toString()), id: trailer[3]! };
}

/** Throws unless all chunks are in the file as they were written. `read` gets the number of bytes that were read. */
export async function verifyChunks(
  path: string,
  chunks: readonly Chunk[],
  read: (bytes: number) => void,
): Promise<void> {
  for (const { table, offset, bytes, sha256 } of chunks) {
    const hash = createHash("sha256");
    if (bytes > 0)
      for await (const part of createReadStream(path, { start: offset, end: offset + bytes - 1 })) {
        hash.update(part);
        read(part.length);
      }
    if (hash.digest("hex") !== sha256)
      throw new Error(`the file is damaged: a chunk of ${table} at byte ${offset} has another checksum`);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function textAt(file: FileHandle, offset: number, length: number): Promise<string> {
  return (await bytesAt(file, offset, length)).toString("latin1");
}

async function bytesAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
  return buffer.subarray(0, bytesRead);
}
