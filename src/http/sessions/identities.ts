import { z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import type { Identities } from "../../core/identity/identity.ts";
import { phoneOf } from "../../core/identity/phone.ts";
import type { Caller } from "../auth.ts";
import type { AppOptions } from "../request.ts";

/** How callers write the identities they may vouch for. */
export const identityFields = {
  phone: z.string().min(3).max(64).openapi({ example: "+493012345678" }),
  telegram_chat_id: z
    .string()
    .regex(/^-?\d{1,19}$/, "must be digits")
    .openapi({ example: "103" }),
};

interface Given {
  readonly phone?: string | null | undefined;
  readonly telegram_chat_id?: string | number | null | undefined;
}

/** The identities a caller vouches for, in the spelling the store knows. Throws as `phoneOf`. */
export function identitiesIn(given: Given, country: string | undefined): Identities {
  return {
    ...(given.phone != null && { phone: phoneOf(given.phone, country) }),
    ...(given.telegram_chat_id != null && { telegram_chat_id: String(given.telegram_chat_id) }),
  };
}

/** Whether the caller is a kiosk: it holds a key that opens nothing else. */
export function isKiosk({ scopes }: Caller): boolean {
  return scopes !== undefined && !scopes.has("web");
}

/**
 * Whether this caller's word proves nothing: it holds a kiosk's key only, and the shop does not trust what is typed at a
 * kiosk. Throws `verification_required` for what such a caller cannot even claim.
 */
export function onlyClaims(
  caller: Caller,
  given: Given & { readonly customer_id?: unknown },
  options: AppOptions,
): boolean {
  if (!isKiosk(caller) || options.kioskPhones === "trust") return false;
  if (given.telegram_chat_id != null)
    throw new HubError("verification_required", "telegram_chat_id: a kiosk cannot know whose chat that is");
  if (given.customer_id != null)
    throw new HubError(
      "verification_required",
      "customer_id: a kiosk's word for it proves nothing, and only a web or admin key can set it",
    );
  return true;
}
