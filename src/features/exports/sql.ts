import type { SqlCall } from "../../stores/sql.ts";
import type { Exports, TablePage } from "./exports.ts";
import { TABLES } from "./tables.ts";

/** `Exports` over a function of the database. */
export function sqlExports(ask: SqlCall): Exports {
  return {
    async page(query, after, exporting) {
      const { columns, page } = TABLES[query.table];
      const found = await ask("hub_export_table", { ...query, ...exporting, columns, after, limit: page });
      return {
        rows: found.rows as TablePage["rows"],
        ...(found.after != null && { after: found.after as string }),
      };
    },
  };
}
