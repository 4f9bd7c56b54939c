import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Entries by key; only the newest `limit` are kept. With a file, a change is written before the call returns. */
export interface Table<V> {
  get(key: string): V | undefined;
  has(key: string): boolean;
  /** Sets an entry. Call it also after changing a value in place, so that the change is written. */
  set(key: string, value: V): void;
  delete(key: string): void;
  clear(): void;
  values(): IterableIterator<V>;
  entries(): IterableIterator<[string, V]>;
}

/** An emulator's state, as tables. */
export interface Keep {
  table<V>(name: string, limit?: number): Table<V>;
  /** Ends all writing. */
  close(): void;
}

/** One change: an entry is set, an entry is deleted, or a table is emptied. */
type Line = [table: string, key: string, value: unknown] | [table: string, key: string] | [table: string];

/** State in a directory, which survives restarts and `kill -9`. Without a directory it is in memory only. */
export function createKeep(dir?: string): Keep {
  const found = new Map<string, Map<string, unknown>>();
  let file: number | undefined;
  if (dir !== undefined) {
    mkdirSync(dir, { recursive: true });
    file = openAt(join(dir, "state.jsonl"), found);
  }
  const write = (line: Line) => {
    if (file !== undefined) writeSync(file, `${JSON.stringify(line)}\n`);
  };
  return {
    table<V>(name: string, limit = Number.POSITIVE_INFINITY): Table<V> {
      const entries = (found.get(name) ?? new Map()) as Map<string, V>;
      const forget = (key: string) => {
        if (entries.delete(key)) write([name, key]);
      };
      return {
        get: (key) => entries.get(key),
        has: (key) => entries.has(key),
        set(key, value) {
          entries.set(key, value);
          write([name, key, value]);
          if (entries.size > limit) forget(entries.keys().next().value!);
        },
        delete: forget,
        clear() {
          entries.clear();
          write([name]);
        },
        values: () => entries.values(),
        entries: () => entries.entries(),
      };
    },
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

/** Reads the changes of earlier runs, replaces them with the resulting entries, and opens the file for new changes. */
function openAt(path: string, tables: Map<string, Map<string, unknown>>): number {
  for (const text of read(path).split("\n")) {
    const line = parse(text);
    if (!line) continue;
    const [name, key, value] = line;
    const table = tables.get(name) ?? new Map();
    tables.set(name, table);
    if (key === undefined) table.clear();
    else if (line.length === 2) table.delete(key);
    else table.set(key, value);
  }
  const lines = [...tables].flatMap(([name, table]) =>
    [...table].map(([key, value]) => `${JSON.stringify([name, key, value])}\n`),
  );
  writeFileSync(`${path}.new`, lines.join(""));
  renameSync(`${path}.new`, path);
  return openSync(path, "a");
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/** The change in a line; undefined for an incomplete line: the process was killed while writing, before any answer. */
function parse(text: string): Line | undefined {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
