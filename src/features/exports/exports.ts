import type { TableName } from "./tables.ts";

export const FORMATS = ["ndjson", "csv"] as const;
export type Format = (typeof FORMATS)[number];

export interface ExportQuery {
  readonly table: TableName;
  /** Rows stored at this instant or later. */
  readonly from?: Date;
  /** Rows stored before this instant. */
  readonly to?: Date;
}

/** Who exports, when and how, for the audit. */
export interface Exporting {
  readonly actor: string;
  readonly now: Date;
  readonly format: Format;
}

/** A row by its columns, and `cursor`: its place in the table. */
export type ExportedRow = Readonly<Record<string, unknown>> & { readonly cursor: string };

export interface TablePage {
  readonly rows: readonly ExportedRow[];
  /** The cursor of the next page, which may have no rows; absent on the last page. */
  readonly after?: string;
}

/** Exports of whole tables. */
export interface Exports {
  /** A page of rows after the cursor `after`, in the order in which they were stored. With `exporting` it is in the audit. */
  page(query: ExportQuery, after: string | undefined, exporting?: Exporting): Promise<TablePage>;
}
