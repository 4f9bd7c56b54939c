import type { Bot } from "./answer/bot.ts";
import type { Channel } from "./channel.ts";
import type { Live } from "./live.ts";
import type { Log } from "./log.ts";
import type { SessionCache } from "./sessions/cache.ts";
import type { Store } from "./store.ts";

/** Everything the verbs work with: the parts that the composition root has put together. */
export interface Hub {
  readonly channels: Readonly<Record<string, Channel>>;
  readonly store: Store;
  readonly cache: SessionCache;
  readonly bot: Bot;
  readonly live: Live;
  readonly log: Log;
  /** The one clock; tests set it. */
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
  /** Lets work go on after what is being done now. It never rejects. */
  readonly later?: (work: Promise<unknown>) => void;
  readonly policy: RetryPolicy;
}

export interface RetryPolicy {
  /** A bot that takes longer has failed. */
  readonly botMs: number;
  /** A call to a platform that takes longer has failed. */
  readonly sendMs: number;
  /** Claims of a turn before it becomes a dead letter. */
  readonly turnAttempts: number;
  /** Attempts at a delivery before it becomes a dead letter. */
  readonly deliveryAttempts: number;
}

export const DEFAULT_POLICY: RetryPolicy = {
  botMs: 25_000,
  sendMs: 10_000,
  turnAttempts: 8,
  deliveryAttempts: 12,
};
