import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Entries by key, the newest `limit` of them. A change is in the file, if there is one, before the call returns. */
export interface Table<V> {
  get(key: string): V | undefined;
  has(key: string): boolean;
  /** Also says that an entry changed inside. */
  set(key: string, value: V): void;
  delete(key: string): void;
  clear(): void;
  values(): IterableIterator<V>;
  entries(): IterableIterator<[string, V]>;
}

/** What an emulator remembers, as tables. */
export interface Keep {
  table<V>(name: string, limit?: number): Table<V>;
  /** Nothing is written any more. */
  close(): void;
}

/** One change: an entry set, an entry deleted, a table emptied. */
type Line = [table: string, key: string, value: unknown] | [table: string, key: string] | [table: string];

/** Remembers in a directory, from one start to the next and through `kill -9`; without one, in memory. */
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

/** Reads the changes of earlier runs, replaces them by what came of them, and opens the file for more. */
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

/** Nothing for a line that a kill tore: nobody was answered yet. */
function parse(text: string): Line | undefined {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
