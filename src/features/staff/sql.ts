import { type Row, toRecord } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { Staff } from "./staff.ts";
import type { User } from "./user.ts";

/** `Staff` over functions of the database. */
export function sqlStaff(ask: SqlCall): Staff {
  const user = (row: Row) => toRecord<User>(row.user);
  return {
    async signIn(who, token_hash, now) {
      const row = await ask("hub_staff_sign_in", { now, ...who, token_hash });
      return { user: user(row), expires_at: new Date(row.expires_at as string) };
    },
    async who(staff, now) {
      return user(await ask("hub_staff", { now, staff }));
    },
    async signOut(staff, now) {
      await ask("hub_staff_sign_out", { now, staff });
    },
    async users(by, now) {
      return ((await ask("hub_users", { now, ...by })).users as Row[]).map(toRecord<User>);
    },
    async add(by, fields, now) {
      return user(await ask("hub_add_user", { now, ...by, ...fields }));
    },
    async update(by, user_id, changes, if_version, now) {
      return user(await ask("hub_update_user", { now, ...by, user_id, changes, if_version }));
    },
  };
}
