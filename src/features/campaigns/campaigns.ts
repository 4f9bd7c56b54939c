import type { Delivery } from "../../core/answer/turn.ts";
import type { Campaign, CampaignAction, NewCampaign, Progress } from "./campaign.ts";

interface By {
  readonly actor: string;
  readonly now: Date;
}

/** Campaigns: one content for many customers. One method is one round trip and one transaction. */
export interface Campaigns {
  /** A second call with the key of an actor gets the first one's (`replayed`). Throws `idempotency_conflict` for a key with another body. */
  create(
    campaign: NewCampaign,
    by: By & { readonly idempotency_key?: string; readonly body_hash?: string },
  ): Promise<{ campaign: Campaign; replayed: boolean }>;
  /** Throws `not_found`, and `illegal_transition` for one that is over. */
  steer(campaign_id: string, action: CampaignAction, by: By): Promise<Campaign>;
  /** Throws `not_found`. */
  get(campaign_id: string): Promise<{ campaign: Campaign; progress: Progress }>;
  /** A page, newest first. */
  list(after: string | undefined, limit: number): Promise<{ campaigns: Campaign[]; after?: string }>;
  /**
   * Takes one step of one campaign that is due: looks up `batch` recipients, or puts the messages of the next `horizonMs` into the outbox, at
   * most `limit`, and claims their deliveries. `open`: a campaign is due, or will be within a minute.
   */
  run(
    budget: { readonly limit: number; readonly horizonMs: number; readonly batch: number },
    now: Date,
  ): Promise<{ prepared: number; placed: number; failed: number; deliveries: Delivery[]; open: boolean }>;
}
