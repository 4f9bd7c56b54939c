import type { Row } from "../stores/rows.ts";
import type { SqlCall } from "../stores/sql.ts";
import { sqlCustomers } from "./customers/sql.ts";
import { sqlEndpoints } from "./endpoints/sql.ts";
import type { Features } from "./features.ts";
import { sqlOrders } from "./orders/sql.ts";
import { sqlReservations } from "./reservations/sql.ts";
import { sqlSearch } from "./search/sql.ts";

/** The feature ports over functions of the database. `people` has the arguments of calls that may merge customers. */
export function sqlFeatures(ask: SqlCall, people: Row): Features {
  return {
    customers: sqlCustomers(ask, people),
    endpoints: sqlEndpoints(ask),
    orders: sqlOrders(ask, people),
    reservations: sqlReservations(ask, people),
    search: sqlSearch(ask, people),
  };
}
