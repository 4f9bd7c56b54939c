import { adminOf } from "../../http/auth.ts";
import { security } from "../../http/describe.ts";
import type { AppOptions, HttpContext } from "../../http/request.ts";
import { featuresOf } from "../features.ts";
import { staffSecurity } from "./shape.ts";
import { hasStaffToken, staffTokenOf } from "./staff-token.ts";
import type { User } from "./user.ts";

/** Somebody who operates the shop: a person of the staff, or the holder of an admin key. */
export interface Operator {
  /** The name in the audit: `user:<user_id>`, or that of the key. */
  readonly actor: string;
  /** The person, and the SHA-256 of their token. Absent for an admin key. */
  readonly staff?: { readonly user: User; readonly token_hash: string };
}

/** The credentials of an operator, for the API description. */
export const operatorSecurity = [...staffSecurity, ...security.key];

/** Who operates. Throws `unauthorized` for a token with which nobody is signed in, and the errors of `adminOf`. */
export async function operatorOf(c: HttpContext, { keys }: Pick<AppOptions, "keys">): Promise<Operator> {
  const { headers } = c.req.raw;
  if (!hasStaffToken(headers)) return { actor: await adminOf(headers, keys) };
  const token_hash = await staffTokenOf(headers);
  const hub = c.var.exchange.hub();
  const user = await featuresOf(hub).staff.who(token_hash, hub.now());
  const actor = `user:${user.user_id}`;
  c.var.exchange.facts.actor = actor;
  return { actor, staff: { user, token_hash } };
}

/** Whoever of the staff calls; undefined without a token of the staff. Throws `unauthorized` for a token of nobody. */
export async function staffOf(c: HttpContext): Promise<Operator | undefined> {
  return hasStaffToken(c.req.raw.headers)
    ? operatorOf(c, { keys: { kiosk: [], web: [], admin: [] } })
    : undefined;
}
