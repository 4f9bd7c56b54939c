import type { Identities, IdentityKind } from "../../../core/identity/identity.ts";
import { phoneFromDigits } from "../../../core/identity/phone.ts";
import type { Address } from "../../../core/messages/message.ts";
import { type Profile, profileOf } from "../../../core/messages/profile.ts";
import { fieldsIn, present, textIn } from "../fields.ts";

/** Digits in the place of a phone that are no possible phone. At most as long as an identity's value in the hub. */
const DIGITS = /^\d{1,32}$/;

/** A business-scoped user id: a country, perhaps `ENT`, and up to 128 letters and digits. */
const USER_ID = /^[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}$/;

/** A webhook's contact entry for a person. */
export interface Contact {
  readonly wa_id: string | undefined;
  readonly user_id: string | undefined;
  readonly profile?: { readonly name: string | undefined; readonly username: string | undefined };
}

/** The customer of a message. */
export interface Person {
  readonly identities: Identities;
  /** The phone in the platform's spelling. Calls to the platform must use this spelling. */
  readonly digits?: string;
  /** What they call themselves: for display. */
  readonly profile?: Profile;
}

/** The contacts of a webhook, without malformed ones. */
export function readContacts(list: readonly unknown[]): Contact[] {
  return list.flatMap((item) => {
    const contact = fieldsIn(item);
    if (!contact) return [];
    const profile = fieldsIn(contact.profile);
    return {
      wa_id: textIn(contact.wa_id),
      user_id: userIdIn(contact.user_id),
      ...(profile && { profile: { name: textIn(profile.name), username: textIn(profile.username) } }),
    };
  });
}

/**
 * The person with this phone or user id, completed from the matching entry in `contacts`. `verifiedPhone`, in E.164,
 * is used if the platform gives no phone.
 */
export function personOf(
  phone: unknown,
  user_id: unknown,
  contacts: readonly Contact[],
  verifiedPhone?: string,
): Person {
  const given: Contact = { wa_id: textIn(phone), user_id: userIdIn(user_id) };
  const contact = contacts.find((candidate) => isSame(candidate, given));
  const id = given.user_id ?? contact?.user_id;
  const profile =
    contact?.profile && profileOf({ names: [contact.profile.name], username: contact.profile.username });
  for (const digits of new Set([given.wa_id, contact?.wa_id])) {
    const identities = identitiesOf(digits, id);
    if (identities.phone !== undefined) return present({ identities, digits, profile });
  }
  const identities = identitiesOf(verifiedPhone, id);
  const digits = given.wa_id ?? contact?.wa_id;
  if (saysWho(identities) || digits === undefined || !DIGITS.test(digits))
    return present({ identities, profile });
  return present({ identities: { whatsapp_id: digits }, digits, profile });
}

/** The verified identities from a phone's digits and a user id. A value that is no phone or no user id is left out. */
export function identitiesOf(digits: string | undefined, user_id: unknown): Identities {
  return present({
    phone: digits === undefined ? undefined : phoneFromDigits(digits),
    whatsapp_user_id: userIdIn(user_id),
  });
}

function userIdIn(value: unknown): string | undefined {
  return typeof value === "string" && USER_ID.test(value) ? value : undefined;
}

/** Whether there is at least one identity. */
export function saysWho(identities: Identities): boolean {
  return Object.keys(identities).length > 0;
}

/**
 * The address for replies: from the number that the person wrote to; to their phone in the platform's spelling, or to
 * their user id if the platform hides the phone.
 */
export function addressOf(account: string, { digits, identities }: Person): Address {
  const { phone, whatsapp_user_id } = identities;
  if (digits === undefined && whatsapp_user_id !== undefined)
    return { phone_number_id: account, recipient: whatsapp_user_id };
  return { phone_number_id: account, to: (digits ?? phone ?? "").replace("+", "") };
}

/** The kind of identity that an address belongs to; undefined if it is the strongest one. */
export function addressKind(address: Address, { identities }: Person): IdentityKind | undefined {
  const both = identities.phone !== undefined && identities.whatsapp_user_id !== undefined;
  return both && address.to !== undefined ? "phone" : undefined;
}

function isSame(contact: Contact, given: Contact): boolean {
  if (contact.user_id !== undefined && given.user_id !== undefined) return contact.user_id === given.user_id;
  if (contact.wa_id === undefined || given.wa_id === undefined) return false;
  if (contact.wa_id === given.wa_id) return true;
  const phone = phoneFromDigits(given.wa_id);
  return phone !== undefined && phoneFromDigits(contact.wa_id) === phone;
}
