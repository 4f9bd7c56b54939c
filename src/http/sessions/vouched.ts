import { z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import type { Identities } from "../../core/identity.ts";
import { normalisePhone } from "../../core/phone.ts";

/** How callers write the identities they may vouch for. */
export const vouchable = {
  phone: z.string().min(3).max(32).openapi({ example: "+493012345678" }),
  telegram_chat_id: z
    .string()
    .regex(/^-?\d{1,19}$/, "must be digits")
    .openapi({ example: "103" }),
};

interface Given {
  readonly phone?: string | null | undefined;
  readonly telegram_chat_id?: string | number | null | undefined;
}

/** The identities a caller vouches for, in the spelling the store knows. Throws `malformed` for what is no phone. */
export function vouchedFor(given: Given, country: string | undefined): Identities {
  const phone = given.phone == null ? undefined : normalisePhone(given.phone, country);
  if (given.phone != null && !phone)
    throw new HubError("malformed", "phone: not a phone number; write it with + and the country's prefix");
  return {
    ...(phone && { phone }),
    ...(given.telegram_chat_id != null && { telegram_chat_id: String(given.telegram_chat_id) }),
  };
}
