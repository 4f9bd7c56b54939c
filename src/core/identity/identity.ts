/**
 * A kind of identity. The set is open, so a new messenger needs no migration and no edit here.
 * - `phone`: E.164, one spelling per person (see `phone.ts`)
 * - `email`: lower case
 * - a messenger's own id of its user: `telegram_chat_id` (the private chat's id, decimal text), `whatsapp_user_id`
 *   (the business-scoped user id, `CC.…`), `whatsapp_id`
 *   (WhatsApp's digits for a sender whose number is no possible phone), …
 * - `visitor_id`: an anonymous browser or kiosk visit
 */
export type IdentityKind = "phone" | "email" | `${string}_id`;

/** The identities of one person, one value per kind. Never holds an id of something else: see `isIdentityKind`. */
export type Identities = { readonly [kind in IdentityKind]?: string };

const KIND = /^([a-z][a-z0-9_]*_id|phone|email)$/;
/** Words that look like kinds, but do not identify a person. */
const OTHER_IDS = ["session_id", "previous_session_id", "customer_id", "message_id"];

/** Whether a word may be the kind of an identity. */
export function isIdentityKind(word: string): word is IdentityKind {
  return KIND.test(word) && !OTHER_IDS.includes(word);
}

/**
 * The strength of a kind: 0 is the strongest. A messenger's own id comes before the phone, because phone numbers change
 * owners. A browser comes last, because several people may use it. Kinds of the same strength are ordered by name.
 */
export function strengthOf(kind: IdentityKind): number {
  switch (kind) {
    case "phone":
      return 1;
    case "email":
      return 2;
    case "visitor_id":
      return 9;
    default:
      return 0;
  }
}

/** Whether two different values of a kind mean two people. Not so for a browser: one person may use two. */
export function isPersonal(kind: IdentityKind): boolean {
  return kind !== "visitor_id";
}

/** The identities in a session document or a set of identities, strongest first. */
export function identitiesOf(held: Identities): [kind: IdentityKind, value: string][] {
  return Object.entries(held)
    .filter((entry): entry is [IdentityKind, string] => isIdentityKind(entry[0]) && entry[1] !== undefined)
    .sort(([a], [b]) => strengthOf(a) - strengthOf(b) || (a < b ? -1 : 1));
}

/** An identity as it may be shown to a person who may not be its owner: its last four characters. */
export function maskedIdentity(value: string): string {
  return `…${value.slice(-4)}`;
}
