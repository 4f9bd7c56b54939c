import type { StaffRole, User } from "./user.ts";

/** How long a person stays signed in, and how long without a call. SQL has the same numbers. */
export const STAFF_MS = 12 * 3_600_000;
export const STAFF_IDLE_MS = 3_600_000;

/** Who changes users: the name of an admin key, or the hash of an admin's token. */
export type UserAdmin = { readonly actor: string } | { readonly staff: string };

export interface UserChanges {
  readonly name?: string;
  readonly role?: StaffRole;
  readonly disabled?: boolean;
}

/** The people of the shop. Calls with `staff`, the hash of a token, throw `unauthorized` if nobody is signed in with it. */
export interface Staff {
  /**
   * Signs in a person whose e-mail was verified; `auth_id` is their id where that was, and bound to the user at the first time. Throws
   * `unauthorized` unless an enabled user has the e-mail.
   */
  signIn(
    who: { readonly email: string; readonly auth_id?: string },
    token_hash: string,
    now: Date,
  ): Promise<{ user: User; expires_at: Date }>;
  who(staff: string, now: Date): Promise<User>;
  signOut(staff: string, now: Date): Promise<void>;
  users(by: UserAdmin, now: Date): Promise<User[]>;
  /** Throws `user_exists`. */
  add(
    by: UserAdmin,
    user: { readonly email: string; readonly name: string; readonly role: StaffRole },
    now: Date,
  ): Promise<User>;
  /** Whoever is disabled is signed out, and their conversations wait for somebody else. Throws `not_found`, `version_conflict`. */
  update(
    by: UserAdmin,
    user_id: string,
    changes: UserChanges,
    if_version: number | undefined,
    now: Date,
  ): Promise<User>;
}
