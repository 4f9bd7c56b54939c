import { z } from "@hono/zod-openapi";
import { type AppOptions, channelName } from "../../http/request.ts";
import { PLANS } from "../customers/customer.ts";

/** The customers of a segment match every field that is given. */
export interface SegmentFilter {
  readonly plan?: string;
  /** A language tag; `hi` also matches `hi-IN`. Their preferred language, else that of their last session. */
  readonly language?: string;
  /** A channel that they have used. */
  readonly channel?: string;
  readonly last_seen_before?: Date;
  readonly tag?: string;
  /** At least so many orders that are not cancelled. */
  readonly orders_min?: number;
}

/** The fields of a filter, for a query or a body. */
export function segmentFields(options: AppOptions) {
  return {
    plan: z.enum(PLANS).optional(),
    language: z
      .string()
      .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/, "must be a language tag such as de or pt-BR")
      .optional()
      .openapi({
        description: "Their preferred language, else that of their last session; `hi` also finds `hi-IN`.",
        example: "hi",
      }),
    channel: channelName(options).optional().openapi({ description: "A channel that they have used." }),
    last_seen_before: z
      .union(
        [z.iso.datetime({ offset: true }), z.iso.date()],
        "must be an instant such as 2026-11-21T18:00:00Z, or a day",
      )
      .optional()
      .openapi({ type: "string", format: "date-time", example: "2027-01-01" }),
    orders_min: z.coerce.number().int().min(1).max(1_000_000).optional().openapi({
      description: "At least so many orders that are not cancelled.",
      example: 1,
    }),
    tag: z.string().min(1).max(64).optional().openapi({ example: "vip" }),
  };
}

/** The filter of such fields. */
export function segmentFilterOf(
  given: z.infer<z.ZodObject<ReturnType<typeof segmentFields>>>,
): SegmentFilter {
  const { plan, language, channel, last_seen_before, orders_min, tag } = given;
  return {
    ...(plan !== undefined && { plan }),
    ...(language !== undefined && { language }),
    ...(channel !== undefined && { channel }),
    ...(last_seen_before !== undefined && { last_seen_before: new Date(last_seen_before) }),
    ...(orders_min !== undefined && { orders_min }),
    ...(tag !== undefined && { tag }),
  };
}
