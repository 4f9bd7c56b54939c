import { z } from "@hono/zod-openapi";
import { phoneOf } from "../../core/identity/phone.ts";
import type { JsonObject } from "../../core/json.ts";
import { type AppOptions, boundsOf } from "../../http/request.ts";
import { clientDocument, documentSchema } from "../../http/sessions/document.ts";
import { customerId, identityFields } from "../../http/sessions/identities.ts";
import { type CustomerFields, PLANS } from "./customer.ts";

/** An e-mail, in lower case. */
export const emailField = z
  .string()
  .trim()
  .toLowerCase()
  .max(254)
  .pipe(z.email("must be an e-mail address"))
  .openapi({ example: "anna@example.com" });

/** A language tag, in its usual spelling. */
export const languageField = z
  .string()
  .max(35)
  .transform((tag, context) => {
    try {
      return Intl.getCanonicalLocales(tag)[0]!;
    } catch {
      context.addIssue("must be a language tag (BCP 47) such as de or pt-BR");
      return z.NEVER;
    }
  })
  .openapi({ type: "string", example: "hi-IN" });

const name = z.string().trim().min(1).max(256);

const EXAMPLE = {
  name: "Anna Berg",
  email: "anna@example.com",
  preferred_language: "hi-IN",
  plan: "premium" as const,
  tags: ["vip"],
  attributes: { allergies: ["nuts"] },
};

/** A back office's fields of a customer. */
export const customerBody = z
  .strictObject({
    name: name.nullish().openapi({ example: "Anna Berg" }),
    email: emailField.nullish(),
    phone: identityFields.phone.nullish(),
    preferred_language: languageField.nullish(),
    plan: z.enum(PLANS).nullish(),
    tags: z
      .array(z.string().trim().min(1).max(64))
      .max(100)
      .nullish()
      .openapi({ example: ["vip"] }),
    attributes: documentSchema.nullish().openapi({
      description: "Any JSON, within the limits of a session's `data`.",
      example: { allergies: ["nuts"] },
    }),
    customer_id: customerId.optional().openapi({
      description: "The shop's name for a customer who has none yet.",
      example: "103",
    }),
  })
  .openapi({ example: EXAMPLE });

/** The fields for the store. Throws `payload_too_large` and the errors of `phoneOf`. */
export function fieldsIn(
  { phone, attributes, customer_id, ...given }: z.output<typeof customerBody>,
  options: AppOptions,
): CustomerFields {
  const { documentBytes } = boundsOf(options);
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return {
    ...(Object.fromEntries(present) as CustomerFields),
    ...(phone !== undefined && { phone: phone === null ? null : phoneOf(phone, options.country) }),
    ...(attributes !== undefined && {
      attributes:
        attributes === null ? null : clientDocument("attributes", attributes as JsonObject, documentBytes),
    }),
    ...(customer_id !== undefined && { customer_id: String(customer_id) }),
  };
}
