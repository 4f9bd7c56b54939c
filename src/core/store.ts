import type { Features } from "../features/features.ts";
import type { Privacy } from "../features/privacy/privacy.ts";
import type { Threads } from "../features/threads/threads.ts";
import type { Notices } from "./identity/notices.ts";
import type { Proofs } from "./identity/proofs.ts";
import type { LanguagePolicy } from "./language/policy.ts";
import type { Operations } from "./operations.ts";
import type { Conversations } from "./receive/conversations.ts";
import type { Backlog } from "./receive/journal.ts";
import type { Sessions } from "./sessions/sessions.ts";
import type { Housekeeping } from "./sweep/housekeeping.ts";

/** The set of ports that a store offers. */
export interface Store {
  readonly conversations: Conversations;
  readonly sessions: Sessions;
  readonly housekeeping: Housekeeping;
  readonly operations: Operations;
  readonly proofs: Proofs;
  readonly privacy: Privacy;
  readonly threads: Threads;
  /** What only a database stores, by domain. Absent on the memory store. */
  readonly features?: Features;
  /** The journal's waiting entries. Absent without Upstash: `receive` then throws while the store is down. */
  readonly journal?: Backlog;
  /** Resolves when the store answers; throws `unavailable`. */
  ping(): Promise<void>;
  /** The breaker's state: calls go through, fail at once, or one may try. Absent on a store that cannot fail. */
  readonly breaker?: () => BreakerState;
}

export type BreakerState = "closed" | "open" | "half_open";

/** The settings of a store. */
export interface StoreSettings {
  /** A session's lifetime after its last activity, in ms. */
  readonly sessionTtlMs: number;
  /** The lease of a claimed turn or delivery, in ms. */
  readonly leaseMs: number;
  /** How many earlier messages a turn carries. */
  readonly history: number;
  /** Whether messages from one address that wait behind a turn are put into one turn. */
  readonly batch?: boolean;
  /** How long before its `send_at` a delivery may be claimed, in ms. The claimer then waits until `send_at`. */
  readonly patienceMs?: number;
  /** Messages per second, by channel, of the channels that have a limit. */
  readonly pace?: Readonly<Record<string, number>>;
  /** The language of new sessions. */
  readonly language?: string;
  /** Which languages sessions may have. Absent: any, and messages decide none. */
  readonly languages?: LanguagePolicy;
  /** How long a kiosk's token lives without use, in ms. Absent: as long as its session. */
  readonly kioskIdleMs?: number;
  /** How long a thread lives after its last use, in ms, unless it has its own lifetime. Absent: a day. */
  readonly threadTtlMs?: number;
  /** Texts that replace the hub's own notices, in every language. */
  readonly notices?: Partial<Notices>;
}
