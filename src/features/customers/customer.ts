import type { Identities } from "../../core/identity/identity.ts";
import type { JsonObject } from "../../core/json.ts";
import type { CustomerProfile } from "../../core/messages/profile.ts";

/** What a shop grants a customer. */
export const PLANS = ["basic", "premium"] as const;
export type Plan = (typeof PLANS)[number];

/** A person as the shop's back office sees them: the row of `customers`, and what they are known by. */
export interface Customer {
  /** The hub's own name for them. It stays, unless they turn out to be one with an older customer. */
  readonly customer_key: string;
  /** The shop's name for them. */
  readonly customer_id?: string;
  /** What the shop calls them, else what their messenger does. */
  readonly name?: string;
  /** Their identity of this kind; while there is none, what a frontend told in `metadata.email`. */
  readonly email?: string;
  readonly email_verified: boolean;
  /** As `email`: E.164. */
  readonly phone?: string;
  readonly phone_verified: boolean;
  /** A language tag (BCP 47) that they or the shop have chosen. */
  readonly preferred_language?: string;
  readonly plan: Plan;
  /** Each once. */
  readonly tags: readonly string[];
  readonly attributes: JsonObject;
  /** What their messengers say of them. */
  readonly profile: CustomerProfile;
  /** All that they are known by and have verified. */
  readonly identities: Identities;
  /** What frontends told in a session's `metadata`, and nobody verified. */
  readonly claimed: { readonly email?: string; readonly phone?: string };
  /** Moves with each change; what `If-Match` is compared with. */
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Fields of a customer as a back office writes them. An absent one of a replacing call gets its default. */
export interface CustomerFields {
  readonly name?: string | null;
  readonly preferred_language?: string | null;
  readonly plan?: Plan | null;
  readonly tags?: readonly string[] | null;
  readonly attributes?: JsonObject | null;
  /** The shop's name for a customer who has none. */
  readonly customer_id?: string;
  /** Lower case. `null` takes the identity away; absent, also in a replacing call, it stays. */
  readonly email?: string | null;
  /** E.164; as `email`. */
  readonly phone?: string | null;
}
