import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface Source {
  readonly name: string;
  readonly sql: string;
  /** Of the content with `\n` line ends, in hex. */
  readonly sha256: string;
}

/** What a database has on record: name to SHA-256. */
export type Applied = ReadonlyMap<string, string>;

/** The numbered files of a folder in their order. Throws for a name, a number or a content that cannot be one. */
export async function readMigrations(dir: string): Promise<Source[]> {
  const names = await sqlFilesIn(dir);
  const numbers = new Map<string, string>();
  for (const name of names) {
    if (!/^\d{4}_[a-z0-9_]+\.sql$/.test(name)) throw new Error(`${name} is not named NNNN_verb_noun.sql`);
    const other = numbers.get(name.slice(0, 4));
    if (other) throw new Error(`${other} and ${name} have the same number`);
    numbers.set(name.slice(0, 4), name);
  }
  return Promise.all(names.map((name) => readSource(dir, name)));
}

/** The files of `functions/` beside the migrations, by name; none when there is no such folder. */
export async function readFunctions(dir: string): Promise<Source[]> {
  const names = await sqlFilesIfAny(join(dir, "functions"));
  for (const name of names)
    if (!/^[a-z][a-z0-9_]*\.sql$/.test(name)) throw new Error(`functions/${name} is not named story.sql`);
  const files = await Promise.all(names.map((name) => readSource(dir, `functions/${name}`)));
  for (const { name, sql } of files) {
    const once = /^\s*create\s+(function|procedure|trigger)\s+(\S+?)\s*[(\s]/im.exec(outsideOfBodies(sql));
    if (once)
      throw new Error(
        `${name}: write CREATE OR REPLACE ${once[1]!.toUpperCase()} for ${once[2]}; the file runs again and again`,
      );
  }
  return files;
}

/** A file of `optional/`: what the hub does better where the database has an extension. */
export interface OptionalSource extends Source {
  readonly extension: string;
}

/** The files of `optional/` beside the migrations, by name: `<extension>.sql`, and `<extension>_2.sql` for what comes later. */
export async function readOptional(dir: string): Promise<OptionalSource[]> {
  const names = await sqlFilesIfAny(join(dir, "optional"));
  return Promise.all(
    names.map(async (name) => {
      const extension = /^([a-z][a-z_]*[a-z])(_\d+)?\.sql$/.exec(name)?.[1];
      if (!extension) throw new Error(`optional/${name} is not named extension.sql or extension_2.sql`);
      return { ...(await readSource(dir, `optional/${name}`)), extension };
    }),
  );
}

/** Throws when an applied file has changed or gone, or a new one comes before an applied one. */
export function checkMigrations(files: readonly Source[], applied: Applied): void {
  checkApplied(files, applied);
  const newest = [...applied.keys()].sort().at(-1) ?? "";
  for (const { name } of files)
    if (!applied.has(name) && name < newest)
      throw new Error(`${name} is new but ${newest} was applied before it`);
}

/** Throws when an applied file has changed or gone. */
export function checkApplied(files: readonly Source[], applied: Applied): void {
  for (const name of applied.keys()) {
    if (!files.some((file) => file.name === name)) throw new Error(`${name} was applied but is missing`);
  }
  for (const { name, sha256 } of files) {
    const recorded = applied.get(name);
    if (recorded && recorded !== sha256) {
      throw new Error(`${name} has changed since it was applied; undo the change and write a new file`);
    }
  }
}

export function sha256Of(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

async function sqlFilesIn(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.endsWith(".sql")).sort();
}

/** None when there is no such folder. */
function sqlFilesIfAny(dir: string): Promise<string[]> {
  return sqlFilesIn(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

async function readSource(dir: string, name: string): Promise<Source> {
  const sql = (await readFile(join(dir, name), "utf8")).replaceAll("\r\n", "\n");
  if (/^\s*(begin|commit|rollback)\s*;/im.test(outsideOfBodies(sql)))
    throw new Error(`${name}: leave out BEGIN, COMMIT and ROLLBACK; every file is one transaction`);
  return { name, sql, sha256: sha256Of(sql) };
}

function outsideOfBodies(sql: string): string {
  return sql.replace(/\$(\w*)\$.*?\$\1\$/gs, "");
}
