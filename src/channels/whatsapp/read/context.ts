import { z } from "zod";
import type { Content } from "../../../core/messages/content.ts";
import { fieldsIn, lenient, messageId, optionalText, present } from "../fields.ts";

/** The saved fields of the ad or post behind a message. Its pictures are left out, because their URLs expire. */
const REFERRAL_FIELDS = [
  "source_type",
  "source_id",
  "source_url",
  "headline",
  "body",
  "media_type",
  "ctwa_clid",
] as const;

const productSchema = z.object({ catalog_id: optionalText, product_retailer_id: z.string().min(1) });

const surroundingsSchema = z.object({
  context: lenient(
    z.object({
      id: lenient(messageId),
      forwarded: lenient(z.boolean()),
      frequently_forwarded: lenient(z.boolean()),
      referred_product: lenient(productSchema),
    }),
  ),
  referral: lenient(z.object(Object.fromEntries(REFERRAL_FIELDS.map((field) => [field, optionalText])))),
});

const reactionSchema = z.object({ message_id: lenient(messageId) });

/** What a message answers, and the ad it comes from. */
type Surroundings = z.infer<typeof surroundingsSchema>;

/** What surrounds a message. Most messages stand alone. */
export function surroundingsOf(message: unknown): Surroundings {
  const { context, referral } = fieldsIn(message) ?? {};
  if (context === undefined && referral === undefined) return {};
  return surroundingsSchema.safeParse({ context, referral }).data ?? {};
}

/** The id of the message that a reaction is about. */
export function reactedTo(reaction: unknown): string | undefined {
  return reactionSchema.safeParse(reaction).data?.message_id;
}

/** The content with its context from the message: forwarded, about a product, from an ad. */
export function withContext(content: Content, { context, referral }: Surroundings): Content {
  if (!context && !referral) return content;
  const product = context?.referred_product;
  const about = present({
    forwarded: context?.forwarded || context?.frequently_forwarded || undefined,
    product: product && present({ catalog_id: product.catalog_id, product_id: product.product_retailer_id }),
    referral: referral && (present(referral) as Record<string, string>),
  });
  return Object.keys(about).length > 0 ? { ...content, context: about } : content;
}
