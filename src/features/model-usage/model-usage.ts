/** An amount of tokens, and their cost in millionths of the currency. */
export interface Amount {
  readonly tokens: number;
  readonly cost: number;
}

/** What a call to the model has used. */
export interface Used {
  readonly input_tokens: number;
  readonly output_tokens: number;
  /** In millionths of the currency. */
  readonly cost: number;
}

export interface Spending {
  /** 1 at the start of an attempt. */
  readonly turns?: number;
  /** To set aside for a call. */
  readonly hold?: Amount;
  /** To give back of what was set aside. */
  readonly release?: Amount;
  readonly used?: Used;
}

/** Limits for one day (UTC): turns and tokens of one customer, and the cost of all customers together. Absent: no limit. */
export interface UsageLimits {
  readonly turns: number;
  readonly tokens: number;
  /** In millionths of the currency. */
  readonly cost?: number;
}

/**
 * `gone`: the turn no longer exists. `limit`: the limit that the spending would pass; nothing was set aside. Else `summary_seq`: the
 * `seq` of the last message that the session's summary covers, if that is known.
 */
export type Spent =
  | { readonly gone: true }
  | { readonly limit: keyof UsageLimits }
  | { readonly summary_seq?: number };

/** What the language model uses. It is counted for the turn's customer, whoever that is now, and for all customers together. */
export interface ModelUsage {
  /** One transaction; two calls at once never pass a limit together. `release` and `used` count also if a limit refuses the rest. */
  spend(turn_id: string, spending: Spending, limits: UsageLimits, now: Date): Promise<Spent>;
}
