import type { Identities, IdentityKind } from "../../core/identity/identity.ts";
import type { Session } from "../../core/sessions/session.ts";

/** The kinds, strongest first. */
export const IDENTITY_KINDS = [
  "telegram_chat_id",
  "whatsapp_user_id",
  "phone",
  "visitor_id",
] as const satisfies IdentityKind[];

/** What tells people apart. A browser is no person: two of them may be one customer. */
export const PERSONAL = ["telegram_chat_id", "whatsapp_user_id", "phone"] as const satisfies IdentityKind[];

/** The identities that a session holds by proof; a phone that is only claimed is none. */
export function verifiedOf(session: Session): Identities {
  return Object.fromEntries(
    IDENTITY_KINDS.flatMap((kind) =>
      session[kind] === undefined || (kind === "phone" && session.phone_verified === false)
        ? []
        : [[kind, session[kind]]],
    ),
  );
}

/** Whether they belong to a person, and not just to a browser. */
export function isSomebody(identities: Identities): boolean {
  return PERSONAL.some((kind) => identities[kind] !== undefined);
}

/** Whether they cannot be one person's. */
export function areApart(one: Identities, other: Identities): boolean {
  return PERSONAL.some(
    (kind) => one[kind] !== undefined && other[kind] !== undefined && one[kind] !== other[kind],
  );
}
