import { z } from "@hono/zod-openapi";
import type { HttpContext } from "../../http/request.ts";
import { featuresOf } from "../features.ts";
import { staffSecurity } from "../staff/shape.ts";
import { staffTokenOf } from "../staff/staff-token.ts";
import type { AtDesk, Conversations } from "./conversations.ts";

/** What the desk's routes have in common in the API description. */
export const shared = { tags: ["Desk"], security: staffSecurity };
export const BODY_BYTES = 262_144;
export const refusals = ["malformed", "unauthorized", "needs_database"] as const;
export const conversationParams = z.object({
  id: z.string().min(1).max(128).openapi({
    description: "The customer's `customer_key` or `customer_id`, or the id of one of their sessions.",
  }),
});

/** The conversations of a request, and who calls. Throws `unauthorized` without a token of the staff. */
export async function atDesk(c: HttpContext): Promise<{ conversations: Conversations; at: AtDesk }> {
  const staff = await staffTokenOf(c.req.raw.headers);
  const hub = c.var.exchange.hub();
  return { conversations: featuresOf(hub).conversations, at: { staff, now: hub.now() } };
}
