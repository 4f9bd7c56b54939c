import { z } from "@hono/zod-openapi";
import { security } from "../../http/describe.ts";

/** Common to the API descriptions of all routes of customers. */
export const shared = { tags: ["Customers"], security: security.key };

export const idParams = z.object({
  id: z
    .string()
    .min(1)
    .max(128)
    .openapi({ description: "The shop's `customer_id`, else the hub's `customer_key`.", example: "103" }),
});

export const limitParam = z.coerce.number().int().min(1).max(200).default(50);

export const cursorField = z.string().nullable().openapi({
  description: "Opaque: send it back as `after`. `null` on the last page.",
});

/** The errors of every route, and those of routes that write. */
export const refusals = ["malformed", "unauthorized", "forbidden", "needs_database"] as const;
export const writingRefusals = [
  ...refusals,
  "phone_ambiguous",
  "not_found",
  "version_conflict",
  "customer_conflict",
  "payload_too_large",
  "unsupported_media_type",
] as const;
