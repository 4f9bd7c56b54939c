import type { Customer } from "../customers/customer.ts";
import type { SegmentFilter } from "./filter.ts";

/** A customer of a segment. What they did is as old as the statistics; absent while it is not counted yet. */
export interface Member {
  readonly customer: Customer;
  /** The channels that they have used. */
  readonly channels: readonly string[];
  /** Their preferred language, else that of their last session. */
  readonly language?: string;
  /** Exact to a quarter-hour. */
  readonly last_seen_at?: Date;
}

export interface SegmentPage {
  readonly members: readonly Member[];
  /** How many customers the segment has; on the first page only. */
  readonly count?: number;
  /** The cursor of the next page; absent on the last one. */
  readonly after?: string;
}

/** Customers who are alike. */
export interface Segments {
  /** A page after the cursor `after`, oldest customer first. */
  find(filter: SegmentFilter, after: string | undefined, limit: number): Promise<SegmentPage>;
}
