import { z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import type { Identities } from "../../core/identity/identity.ts";
import { phoneOf } from "../../core/identity/phone.ts";
import type { Caller } from "../auth.ts";
import type { AppOptions } from "../request.ts";

/** The fields in which callers give identities. */
export const identityFields = {
  phone: z.string().min(3).max(64).openapi({ example: "+493012345678" }),
  telegram_chat_id: z
    .string()
    .regex(/^-?\d{1,19}$/, "must be digits")
    .openapi({ example: "103" }),
  whatsapp_user_id: z
    .string()
    .regex(
      /^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$/,
      "must be a WhatsApp user id such as US.13491208655302741918",
    )
    .openapi({
      example: "US.13491208655302741918",
      description: "WhatsApp's business-scoped user id, for a user whose phone is not known.",
    }),
};

/** The shop's own id of a customer, as text or number. */
export const customerId = z.union([z.string().min(1).max(128), z.int()]);

/** The identities as fields of a JSON body. */
export const identityBody = {
  phone: identityFields.phone.nullish(),
  telegram_chat_id: z.union([identityFields.telegram_chat_id, z.int()]).nullish(),
  whatsapp_user_id: identityFields.whatsapp_user_id.nullish(),
};

interface Given {
  readonly phone?: string | null | undefined;
  readonly telegram_chat_id?: string | number | null | undefined;
  readonly whatsapp_user_id?: string | null | undefined;
}

/** A query with its phone corrected: an unescaped plus sign arrives as a space. */
export function phoneInQuery<T extends Given>(query: T): T {
  return query.phone == null ? query : { ...query, phone: query.phone.replace(/^ (?=\d)/, "+") };
}

/** The identities that a caller gives, in the spelling of the store. Throws as `phoneOf`. */
export function identitiesIn(given: Given, country: string | undefined): Identities {
  return {
    ...(given.phone != null && { phone: phoneOf(given.phone, country) }),
    ...(given.telegram_chat_id != null && { telegram_chat_id: String(given.telegram_chat_id) }),
    ...(given.whatsapp_user_id != null && { whatsapp_user_id: given.whatsapp_user_id }),
  };
}

/** Whether the caller is a kiosk: its key opens no other scope. */
export function isKiosk({ scopes }: Caller): boolean {
  return scopes !== undefined && !scopes.has("web");
}

/** Whether the caller is not trusted: it holds only a kiosk's key, and KIOSK_PHONE_POLICY is not `trust`. */
export function isUntrusted(caller: Caller, options: AppOptions): boolean {
  return isKiosk(caller) && options.kioskPhones !== "trust";
}

/**
 * Whether the caller's identities are only claimed. Throws `verification_required` for the fields that such a caller
 * may not even claim: `telegram_chat_id`, `whatsapp_user_id` and `customer_id`.
 */
export function onlyClaims(
  caller: Caller,
  given: Given & { readonly customer_id?: unknown },
  options: AppOptions,
): boolean {
  if (!isUntrusted(caller, options)) return false;
  if (given.telegram_chat_id != null)
    throw new HubError("verification_required", "telegram_chat_id: a kiosk cannot know whose chat that is");
  if (given.whatsapp_user_id != null)
    throw new HubError(
      "verification_required",
      "whatsapp_user_id: a kiosk cannot know whose account that is",
    );
  refuseCustomerId(caller, given, options);
  return true;
}

/** Throws `verification_required` for a `customer_id` from a caller that is not trusted. */
export function refuseCustomerId(
  caller: Caller,
  { customer_id }: { readonly customer_id?: unknown },
  options: AppOptions,
): void {
  if (customer_id != null && isUntrusted(caller, options))
    throw new HubError(
      "verification_required",
      "customer_id: a kiosk's word for it proves nothing, and only a web or admin key can set it",
    );
}
