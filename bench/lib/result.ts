import { mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { styleText } from "node:util";

/** The result of one benchmark, which is printed and saved. */
export interface Result {
  readonly tables: readonly Table[];
  readonly aims: readonly Aim[];
  /** Notes for the reader of the tables. */
  readonly notes?: readonly string[];
  /** The numbers behind the tables. */
  readonly figures: unknown;
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Aim {
  readonly aim: string;
  readonly found: string;
  readonly met: boolean;
}

/** One benchmark: `npm run bench <name>`. */
export interface Bench {
  readonly name: string;
  run(context: Context): Promise<Result>;
}

export interface Context {
  /** An empty folder for the benchmark. */
  readonly dir: string;
  /** The factor on the usual amount of work; below 1 in a quick run. */
  readonly scale: number;
  readonly progress: (line: string) => void;
}

/** The amount of work at the run's scale; at least `least`. */
export function scaled({ scale }: Context, amount: number, least = 1): number {
  return Math.max(least, Math.round(amount * scale));
}

/** Prints a result's tables, aims and notes. */
export function print({ tables, aims, notes = [] }: Result): void {
  for (const { title, columns, rows } of tables) {
    const widths = columns.map((column, i) => Math.max(column.length, ...rows.map((row) => row[i]!.length)));
    const line = (cells: readonly string[]) =>
      `  ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ")}`;
    console.log(`\n  ${styleText("bold", title)}\n${styleText("dim", line(columns))}`);
    for (const row of rows) console.log(line(row));
  }
  if (aims.length > 0) console.log("");
  for (const { aim, found, met } of aims)
    console.log(`  ${met ? styleText("green", "met   ") : styleText("yellow", "missed")}  ${aim}: ${found}`);
  for (const note of notes) console.log(styleText("dim", `  ${note}`));
  console.log("");
}

/** Saves a result as `bench/results/<name>.json`. */
export async function keep(name: string, scale: number, result: Result): Promise<void> {
  const dir = join(import.meta.dirname, "..", "results");
  await mkdir(dir, { recursive: true });
  const machine = { cores: cpus().length, cpu: cpus()[0]?.model, node: process.version };
  const file = { name, at: new Date().toISOString(), scale, machine, ...result };
  await writeFile(join(dir, `${name}.json`), `${JSON.stringify(file, null, 2)}\n`);
}

/** Milliseconds for a table. */
export function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`;
}

/** A whole number for a table. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** A factor for a table, such as `1.50x`. */
export function times(value: number): string {
  return `${value.toFixed(2)}x`;
}
