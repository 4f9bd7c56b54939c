import type { App, AppOptions } from "../../http/request.ts";
import { addSignIn } from "./sign-in-routes.ts";
import { addUsers } from "./user-routes.ts";

/** Registers `/api/staff` and `/api/users`: the people of the shop, and how they sign in. */
export function addStaff(app: App, options: AppOptions): void {
  addSignIn(app, options);
  addUsers(app, options);
}
