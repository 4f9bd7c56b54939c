import type { App, AppOptions } from "../../http/request.ts";
import { addFindCustomers } from "./find.ts";
import { addMergeCustomers } from "./merge.ts";
import { addSaveCustomers } from "./save.ts";

/** Registers what a back office does with customers. All of it needs an admin key. */
export function addCustomers(app: App, options: AppOptions): void {
  // First, for `duplicates` is no id.
  addMergeCustomers(app, options);
  addFindCustomers(app, options);
  addSaveCustomers(app, options);
}
