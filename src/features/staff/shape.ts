import { z } from "@hono/zod-openapi";
import { instant } from "../../http/shapes.ts";
import { STAFF_ROLES, type User } from "./user.ts";

/** The way to show a token of the staff, as the API description names it. */
export const staffSecurity = [{ staff: [] }] as Record<string, string[]>[];

export const userSchema = z
  .object({
    user_id: z.uuid(),
    email: z.string(),
    name: z.string(),
    role: z.enum(STAFF_ROLES),
    disabled: z.boolean(),
    version: z.int(),
    created_at: instant,
    updated_at: instant,
  })
  .openapi("User");

export function viewUser({ created_at, updated_at, ...user }: User): z.infer<typeof userSchema> {
  return { ...user, created_at: created_at.toISOString(), updated_at: updated_at.toISOString() };
}
