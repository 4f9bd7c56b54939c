import { stringify } from "csv-stringify/sync";
import type { ExportedRow, Format, TablePage } from "./exports.ts";

/** The most pages of one answer: a Worker may ask the database only so often for one request. */
const PAGES = 200;

/**
 * The pages of a table as text, a piece for each page. NDJSON: one JSON object a line. CSV: a line of names, then one line a
 * row, with CRLF; JSON values as JSON, null as nothing. A text that a spreadsheet would take for a formula begins with an
 * apostrophe. `cursorOf` gives the cursor that a caller may continue from, the last column of each row.
 */
export async function* tableDocument(
  format: Format,
  columns: readonly string[],
  first: TablePage,
  read: (after: string) => Promise<TablePage>,
  cursorOf: (row: ExportedRow) => string,
): AsyncGenerator<string> {
  const names = [...columns, "cursor"];
  let page = first;
  let text = format === "csv" ? csv([names]) : "";
  for (let pages = 1; ; pages++) {
    const rows = page.rows.map((row) => [...columns.map((name) => row[name] ?? null), cursorOf(row)]);
    text += format === "csv" ? csv(rows) : ndjson(names, rows);
    if (text !== "") yield text;
    text = "";
    if (page.after === undefined || pages === PAGES) return;
    page = await read(page.after);
  }
}

function ndjson(names: readonly string[], rows: readonly (readonly unknown[])[]): string {
  return rows
    .map((row) => `${JSON.stringify(Object.fromEntries(names.map((name, i) => [name, row[i]])))}\n`)
    .join("");
}

function csv(rows: readonly (readonly unknown[])[]): string {
  return stringify(rows as unknown[][], {
    escape_formulas: true,
    record_delimiter: "\r\n",
    quoted_match: /[\r\n]/,
    cast: { boolean: String, object: (value) => JSON.stringify(value) },
  });
}
