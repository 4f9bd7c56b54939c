/**
 * Something proven that says who a person is. Each kind is a column of `sessions`, unique among active sessions.
 * - `phone`: E.164, one spelling per person (see `phone.ts`)
 * - `telegram_chat_id`: the private chat's id, decimal text
 * - `whatsapp_user_id`: the business-scoped user id, `CC.…`
 * - `whatsapp_id`: WhatsApp's digits for a sender whose number is no possible phone
 * - `visitor_id`: an anonymous browser or kiosk visit
 */
export interface Identities {
  readonly phone?: string;
  readonly telegram_chat_id?: string;
  readonly whatsapp_user_id?: string;
  readonly whatsapp_id?: string;
  readonly visitor_id?: string;
}

export type IdentityKind = keyof Identities;

/**
 * The kinds, strongest first. The strongest identity of a message says who its sender is; a weaker one follows
 * the sender when it turns out to sit in somebody else's session (a recycled phone number, say).
 */
export const IDENTITY_KINDS = [
  "telegram_chat_id",
  "whatsapp_user_id",
  "phone",
  "visitor_id",
] as const satisfies IdentityKind[];
