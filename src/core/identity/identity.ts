/**
 * A kind of identity: an open word, so that a new messenger needs no migration and no edit here.
 * - `phone`: E.164, one spelling per person (see `phone.ts`)
 * - `email`: lower case
 * - a messenger's own id of its user: `telegram_chat_id` (the private chat's id, decimal text), `whatsapp_user_id`
 *   (the business-scoped user id, `CC.…`), `whatsapp_id`
 *   (WhatsApp's digits for a sender whose number is no possible phone), …
 * - `visitor_id`: an anonymous browser or kiosk visit
 */
export type IdentityKind = "phone" | "email" | `${string}_id`;

/** What says who a person is, one value of a kind. It never holds the words that name something else: see `isIdentityKind`. */
export type Identities = { readonly [kind in IdentityKind]?: string };

const KIND = /^([a-z][a-z0-9_]*_id|phone|email)$/;
/** Words that look like kinds and name no person's identity. */
const OTHER_IDS = ["session_id", "previous_session_id", "customer_id", "message_id"];

/** Whether a word may be the kind of an identity. */
export function isIdentityKind(word: string): word is IdentityKind {
  return KIND.test(word) && !OTHER_IDS.includes(word);
}

/**
 * The strength of a kind: 0 is the strongest. A messenger's own id comes before the phone, for phones change hands; a
 * browser comes last, for it says nothing of who sits there. Kinds of one strength are ordered by name.
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

/** Whether a kind tells people apart. A browser does not: two of them may be one person's. */
export function isPersonal(kind: IdentityKind): boolean {
  return kind !== "visitor_id";
}

/** The identities that a session document or a set of identities holds, strongest first. */
export function identitiesOf(held: Identities): [kind: IdentityKind, value: string][] {
  return Object.entries(held)
    .filter((entry): entry is [IdentityKind, string] => isIdentityKind(entry[0]) && entry[1] !== undefined)
    .sort(([a], [b]) => strengthOf(a) - strengthOf(b) || (a < b ? -1 : 1));
}

/** What may be shown of an identity to somebody who may not be its owner: its last four characters. */
export function maskedIdentity(value: string): string {
  return `…${value.slice(-4)}`;
}
