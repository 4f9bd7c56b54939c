import { HubError } from "../core/errors.ts";
import type { Store } from "../core/store.ts";
import type { Customers } from "./customers/customers.ts";
import type { Search } from "./search/search.ts";

/** What a shop does with its data, a port per domain. Only a database keeps it. */
export interface Features {
  readonly customers: Customers;
  readonly search: Search;
}

/** The ports of a store that has them. Throws `needs_database`. */
export function featuresOf({ store }: { readonly store: Store }): Features {
  if (store.features) return store.features;
  throw new HubError("needs_database", "the memory store does not keep this: give the hub a database");
}
