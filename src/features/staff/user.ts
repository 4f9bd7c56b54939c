export const STAFF_ROLES = ["agent", "admin"] as const;
export type StaffRole = (typeof STAFF_ROLES)[number];

/** A person of the shop who signs in at the desk. */
export interface User {
  readonly user_id: string;
  /** In lower case. */
  readonly email: string;
  readonly name: string;
  readonly role: StaffRole;
  readonly disabled: boolean;
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}
