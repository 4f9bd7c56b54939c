import { HubError } from "../core/errors.ts";
import type { Store } from "../core/store.ts";
import type { Customers } from "./customers/customers.ts";
import type { Exports } from "./exports/exports.ts";
import type { Orders } from "./orders/orders.ts";
import type { Reservations } from "./reservations/reservations.ts";
import type { Search } from "./search/search.ts";
import type { Segments } from "./segments/segments.ts";
import type { Statistics } from "./statistics/statistics.ts";
import type { Templates } from "./templates/templates.ts";

/** The ports that only a database store has, one for each domain. */
export interface Features {
  readonly customers: Customers;
  readonly exports: Exports;
  readonly orders: Orders;
  readonly reservations: Reservations;
  readonly search: Search;
  readonly templates: Templates;
  readonly segments: Segments;
  readonly statistics: Statistics;
}

/** The store's feature ports. Throws `needs_database` on the memory store. */
export function featuresOf({ store }: { readonly store: Store }): Features {
  if (store.features) return store.features;
  throw new HubError("needs_database", "the memory store does not keep this: give the hub a database");
}
