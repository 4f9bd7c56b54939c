import { z } from "@hono/zod-openapi";
import { instant } from "../../http/shapes.ts";
import { type Customer, PLANS } from "./customer.ts";

const nullableText = z.string().nullable();

/** A customer as callers see them: every field, `null` where there is nothing. */
export const customerSchema = z
  .object({
    customer_key: z.uuid().openapi({ description: "The hub's own name for them." }),
    customer_id: nullableText.openapi({ description: "The shop's name for them." }),
    name: nullableText.openapi({ description: "What the shop calls them, else what their messenger does." }),
    email: nullableText,
    email_verified: z.boolean().openapi({
      description:
        "False while a frontend only told it in a session's `metadata.email`: it proves nothing then.",
    }),
    phone: nullableText.openapi({ description: "E.164" }),
    phone_verified: z
      .boolean()
      .openapi({ description: "As `email_verified`; also of one typed at a kiosk." }),
    preferred_language: nullableText.openapi({ example: "hi-IN" }),
    plan: z.enum(PLANS),
    tags: z.array(z.string()),
    attributes: z.record(z.string(), z.unknown()),
    profile: z
      .object({
        name: z.string().optional(),
        username: z.string().optional(),
        language: z.string().optional(),
        channel: z.string().optional().openapi({ description: "The messenger that named them first." }),
      })
      .openapi({ description: "What their messengers say of them." }),
    identities: z.record(z.string(), z.string()).openapi({
      description: "All that they are known by and have verified, by kind.",
      example: { telegram_chat_id: "103" },
    }),
    claimed: z
      .object({ email: z.string().optional(), phone: z.string().optional() })
      .openapi({ description: "What frontends told in a session's `metadata`: it proves nothing." }),
    version: z.int().openapi({ description: "What `If-Match` is compared with; also the ETag." }),
    created_at: instant,
    updated_at: instant,
  })
  .openapi("Customer");

/** The customer in the shape of `customerSchema`. */
export function viewCustomer(customer: Customer): z.infer<typeof customerSchema> {
  return {
    customer_key: customer.customer_key,
    customer_id: customer.customer_id ?? null,
    name: customer.name ?? null,
    email: customer.email ?? null,
    email_verified: customer.email_verified,
    phone: customer.phone ?? null,
    phone_verified: customer.phone_verified,
    preferred_language: customer.preferred_language ?? null,
    plan: customer.plan,
    tags: [...customer.tags],
    attributes: customer.attributes,
    profile: { ...customer.profile },
    identities: { ...customer.identities } as Record<string, string>,
    claimed: { ...customer.claimed },
    version: customer.version,
    created_at: customer.created_at.toISOString(),
    updated_at: customer.updated_at.toISOString(),
  };
}
