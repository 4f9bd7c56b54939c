import type { Rendering } from "../dispatches/dispatch.ts";
import type { Purpose } from "../opt-outs/opt-out.ts";
import type { SegmentFilter } from "../segments/filter.ts";

/** Local times of day between which nobody is written to. */
export interface QuietHours {
  /** Such as 21:00. */
  readonly from: string;
  readonly to: string;
  /** Of customers who have no `attributes.timezone`. */
  readonly timezone: string;
}

export interface NewCampaign {
  readonly name: string;
  readonly purpose: Purpose;
  /** The channels that may be used. Absent: any. */
  readonly channels?: readonly string[];
  /** Who gets it: a segment, or customers by `customer_id` or `customer_key`. */
  readonly segment?: SegmentFilter;
  readonly customers?: readonly string[];
  /** By language tag, then by channel. */
  readonly renderings: Readonly<Record<string, Readonly<Record<string, Rendering>>>>;
  /** The language for customers whose own has no content. */
  readonly language: string;
  /** The most messages in a second. */
  readonly rate: number;
  readonly quiet?: QuietHours;
  /** Reasons of platforms that pause it. */
  readonly pausing: readonly string[];
  readonly starts_at?: Date;
  readonly expires_at?: Date;
}

export interface Campaign extends Omit<NewCampaign, "renderings" | "customers" | "pausing"> {
  readonly campaign_id: string;
  /** `preparing`: recipients are looked up. */
  readonly state: "preparing" | "running" | "paused" | "cancelled" | "done";
  /** Why it was paused by itself. */
  readonly reason?: string;
  readonly starts_at: Date;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** How far a campaign is. `sent` counts those that were delivered and read too. */
export interface Progress {
  readonly recipients: number;
  readonly queued: number;
  readonly sending: number;
  readonly sent: number;
  readonly delivered: number;
  readonly read: number;
  /** Who has written within three days. */
  readonly replied: number;
  /** By reason. */
  readonly failed: Readonly<Record<string, number>>;
}

export type CampaignAction = "pause" | "resume" | "cancel";
