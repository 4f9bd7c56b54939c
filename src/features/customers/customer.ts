import type { Identities } from "../../core/identity/identity.ts";
import type { JsonObject } from "../../core/json.ts";
import type { CustomerProfile } from "../../core/messages/profile.ts";

export const PLANS = ["basic", "premium"] as const;
export type Plan = (typeof PLANS)[number];

/** A customer as a back office reads them: the row of `customers` with their identities. */
export interface Customer {
  /** The hub's own name for them. It changes only if they are merged into another customer. */
  readonly customer_key: string;
  /** The shop's name for them. */
  readonly customer_id?: string;
  /** The shop's name for them, else their messenger's. */
  readonly name?: string;
  /** Their identity of this kind, else the claimed `metadata.email`. */
  readonly email?: string;
  readonly email_verified: boolean;
  /** E.164. Their identity of this kind, else a claimed phone. */
  readonly phone?: string;
  readonly phone_verified: boolean;
  /** A language tag (BCP 47) that they or the shop chose. */
  readonly preferred_language?: string;
  readonly plan: Plan;
  /** Without repeats. */
  readonly tags: readonly string[];
  readonly attributes: JsonObject;
  /** From their messengers. */
  readonly profile: CustomerProfile;
  /** Their verified identities. */
  readonly identities: Identities;
  /** From a session's `metadata`, not verified. */
  readonly claimed: { readonly email?: string; readonly phone?: string };
  /** Rises with each change. Compared with `If-Match`. */
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Fields of a customer that a back office writes. In `put`, an absent field gets its default. */
export interface CustomerFields {
  readonly name?: string | null;
  readonly preferred_language?: string | null;
  readonly plan?: Plan | null;
  readonly tags?: readonly string[] | null;
  readonly attributes?: JsonObject | null;
  /** For a customer who has none. */
  readonly customer_id?: string;
  /** Lower case. `null` removes the identity. Absent, also in `put`, it is unchanged. */
  readonly email?: string | null;
  /** E.164. `null` and absence as for `email`. */
  readonly phone?: string | null;
}
