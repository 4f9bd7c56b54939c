import type { Row } from "../stores/rows.ts";
import type { SqlCall } from "../stores/sql.ts";
import { sqlCustomers } from "./customers/sql.ts";
import type { Features } from "./features.ts";
import { sqlSearch } from "./search/sql.ts";

/** Every domain's port, by functions of the database. `people` is what calls that may merge customers need. */
export function sqlFeatures(ask: SqlCall, people: Row): Features {
  return { customers: sqlCustomers(ask, people), search: sqlSearch(ask, people) };
}
