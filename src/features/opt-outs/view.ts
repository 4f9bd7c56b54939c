import { z } from "@hono/zod-openapi";
import { instant } from "../../http/shapes.ts";
import { type OptOut, PURPOSES } from "./opt-out.ts";

export const optOutSchema = z
  .object({
    channel: z.string().nullable().openapi({ description: "`null`: every channel.", example: "whatsapp" }),
    purpose: z.enum(PURPOSES).nullable().openapi({ description: "`null`: every purpose." }),
    source: z
      .enum(["customer", "api"])
      .openapi({ description: "The customer by a word such as STOP, or a key of the shop." }),
    created_at: instant,
  })
  .openapi("OptOut");

/** An opt-out as the API shows it. */
export function viewOptOut({ channel, purpose, source, created_at }: OptOut): z.infer<typeof optOutSchema> {
  return { channel: channel ?? null, purpose: purpose ?? null, source, created_at: created_at.toISOString() };
}
