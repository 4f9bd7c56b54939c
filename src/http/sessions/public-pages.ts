import { z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { isHmac } from "../../core/signature.ts";
import { isPageOf } from "../origins.ts";
import type { AppOptions } from "../request.ts";
import { customerId } from "./identities.ts";

/** How far ahead a signature may expire, in seconds. What leaks out of a page opens the session for no longer. */
const LONGEST_S = 86_400;
const encoder = new TextEncoder();

/** The fields with which a page of the shop opens a session without an API key. */
export const publicPageBody = {
  public_id: z.string().min(1).max(64).optional().openapi({
    description:
      "The shop's public id, for a page of an allowed origin. Without WEB_PUBLIC_ID it is refused.",
  }),
  identity: z
    .strictObject({
      customer_id: customerId,
      expires_at: z.int().openapi({ description: "Unix seconds; at most a day ahead." }),
      signature: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits in lower case"),
    })
    .optional()
    .openapi({
      description:
        "The customer, as the shop's server has signed them: HMAC-SHA256 of `<customer_id>.<expires_at>` with " +
        "WEB_IDENTITY_SECRET, in hex. It counts as the word of a web key about this `customer_id`.",
    }),
};

interface Given {
  readonly channel: string;
  readonly public_id?: string | undefined;
  readonly identity?:
    | { readonly customer_id: string | number; readonly expires_at: number; readonly signature: string }
    | undefined;
}

/**
 * Checks a start without an API key. Returns the `customer_id` that the shop's server has signed, if one is given. Throws
 * `unauthorized` for a missing or unknown public id, a wrong signature or one that has expired, and `forbidden` for a page
 * of another origin. Without WEB_PUBLIC_ID every page of CORS_ORIGINS may start, and nobody may use these fields.
 */
export async function customerOfPage(
  options: AppOptions,
  request: Request,
  { channel, public_id, identity }: Given,
  now: Date,
): Promise<string | undefined> {
  const { publicPages } = options;
  if (!publicPages) {
    if (public_id === undefined && !identity) return undefined;
    throw new HubError("unauthorized", "this hub has no public id; see WEB_PUBLIC_ID");
  }
  if (public_id === undefined || !publicPages.ids.includes(public_id))
    throw new HubError("unauthorized", "an API key or the shop's public_id is needed");
  if (channel !== "web")
    throw new HubError("forbidden", "channel: a public_id opens sessions of the channel web");
  const origin = request.headers.get("origin");
  if (!isPageOf(options, publicPages.origins, origin, request.url))
    throw new HubError("forbidden", "pages of this origin may not start sessions; see WEB_PUBLIC_ORIGINS");
  if (!identity) return undefined;
  const { customer_id, expires_at, signature } = identity;
  const left = expires_at - now.getTime() / 1_000;
  if (left <= 0 || left > LONGEST_S)
    throw new HubError("unauthorized", "identity.expires_at: has passed, or lies more than a day ahead");
  const signed = encoder.encode(`${customer_id}.${expires_at}`);
  for (const secret of publicPages.secrets)
    if (await isHmac(secret, signed, signature)) return String(customer_id);
  throw new HubError("unauthorized", "identity.signature: is not of this customer_id and expires_at");
}
