import type { MediaOptions } from "../features/media/options.ts";
import type { Bot } from "./answer/bot.ts";
import type { Channel } from "./channel.ts";
import type { LanguagePolicy } from "./language/policy.ts";
import type { Live } from "./live.ts";
import type { Log } from "./log.ts";
import type { SessionCache } from "./sessions/cache.ts";
import type { Store } from "./store.ts";

/** All parts that the verbs (accept, answer, deliver, sweep) work with. `compose/hub.ts` puts them together. */
export interface Hub {
  readonly channels: Readonly<Record<string, Channel>>;
  readonly store: Store;
  readonly cache: SessionCache;
  readonly bot: Bot;
  /** Which languages sessions may have. Absent: messages decide none. */
  readonly languages?: LanguagePolicy;
  readonly live: Live;
  /** How files are given out. Absent: `DEFAULT_MEDIA`. */
  readonly media?: MediaOptions;
  readonly log: Log;
  /** The one clock; tests set it. */
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
  /** Keeps the Worker alive until `work` ends, as `waitUntil` does. `work` never rejects. */
  readonly later?: (work: Promise<unknown>) => void;
  readonly policy: RetryPolicy;
  /** Whether endpoints may be http and at private addresses: on a developer's machine only. */
  readonly openTargets?: boolean;
}

export interface RetryPolicy {
  /** Time limit of one call to the bot, in ms. A bot that takes longer has failed. */
  readonly botMs: number;
  /** Time limit of one call to a platform, in ms. A call that takes longer has failed. */
  readonly sendMs: number;
  /** How many times a turn is claimed before it becomes a dead letter. */
  readonly turnAttempts: number;
  /** How many times a delivery is attempted before it becomes a dead letter. */
  readonly deliveryAttempts: number;
}

export const DEFAULT_POLICY: RetryPolicy = {
  botMs: 25_000,
  sendMs: 10_000,
  turnAttempts: 8,
  deliveryAttempts: 12,
};
