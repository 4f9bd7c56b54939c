export const GROUPINGS = ["hour", "day", "channel", "language"] as const;
export type Grouping = (typeof GROUPINGS)[number];

export interface StatisticsQuery {
  /** ISO 8601: an instant, or a day, which means its beginning in `tz`. Widened to whole quarter-hours, as `to` is. */
  readonly from: string;
  /** Excluded. */
  readonly to: string;
  readonly by: Grouping;
  /** The IANA name of a time zone. */
  readonly tz: string;
}

interface OrderSum {
  readonly currency: string;
  readonly count: number;
  readonly sum: string;
  readonly paid_count: number;
  readonly paid_sum: string;
}

/** What happened in one hour or day, on one channel, or in one language. */
export interface Figures {
  readonly sessions: number;
  /** Sessions that used two channels or more. */
  readonly multichannel_sessions: number;
  readonly new_customers: number;
  readonly messages_in: number;
  readonly messages_out: number;
  /** Of sessions: from the customer's first message to the first reply. At most 1 % away from the exact percentile. */
  readonly first_reply: {
    readonly count: number;
    readonly median_ms: number | null;
    readonly p95_ms: number | null;
  };
  /** Sessions with a message of the customer and no reply to it. */
  readonly unanswered: number;
  readonly dead_letters: number;
  readonly ratings: {
    readonly count: number;
    readonly average: number | null;
    /** How many gave one star, two stars, up to five. */
    readonly stars: readonly number[];
  };
  /** Orders that are not cancelled, by currency; sums are exact decimals. */
  readonly orders: readonly OrderSum[];
}

/** The figures of a time. */
export interface Answer {
  /** Since when changes may be missing, by the database's clock. */
  readonly as_of: Date;
  /** The time between `as_of` and the answer. */
  readonly age_ms: number;
  readonly from: Date;
  readonly to: Date;
  /** Each hour or day, or each channel or language that has any. `key` is null where that is unknown. */
  readonly rows: readonly (Figures & { readonly key: string | null })[];
  readonly total: Figures;
}

/** Statistics of sessions, customers and messages. */
export interface Statistics {
  /** Throws `malformed` for a time that is empty or too long: 400 days, or 32 by hour; and for an unknown time zone. */
  figures(query: StatisticsQuery): Promise<Answer>;
  /**
   * Brings the statistics up to date for at most `limit` changed sessions and customers. Returns how many, and whether more
   * are left.
   */
  count(limit: number): Promise<{ readonly counted: number; readonly more: boolean }>;
}
