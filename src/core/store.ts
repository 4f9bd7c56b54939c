import type { Features } from "../features/features.ts";
import type { Privacy } from "../features/privacy/privacy.ts";
import type { Notices } from "./identity/notices.ts";
import type { Proofs } from "./identity/proofs.ts";
import type { Operations } from "./operations.ts";
import type { Conversations } from "./receive/conversations.ts";
import type { Backlog } from "./receive/journal.ts";
import type { Sessions } from "./sessions/sessions.ts";
import type { Housekeeping } from "./sweep/housekeeping.ts";

/** Where state lives. */
export interface Store {
  readonly conversations: Conversations;
  readonly sessions: Sessions;
  readonly housekeeping: Housekeeping;
  readonly operations: Operations;
  readonly proofs: Proofs;
  readonly privacy: Privacy;
  /** What a shop does with its data; absent where no database keeps it. */
  readonly features?: Features;
  /** What waits in a journal before the store; absent without Upstash, and then `receive` throws while the store is down. */
  readonly journal?: Backlog;
  /** Resolves when the store answers; throws `unavailable`. */
  ping(): Promise<void>;
  /** Whether calls go through, fail at once, or one may try; absent where nothing can break. */
  readonly breaker?: () => BreakerState;
}

export type BreakerState = "closed" | "open" | "half_open";

/** What a store needs to know beside its calls. */
export interface StoreSettings {
  /** A session's lifetime after its last activity. */
  readonly sessionTtlMs: number;
  /** How long a claim on a turn or delivery holds. */
  readonly leaseMs: number;
  /** How many earlier messages a turn carries. */
  readonly history: number;
  /** Whether messages that wait behind a turn from the same address are answered together. */
  readonly batch?: boolean;
  /** How far ahead of its time a delivery may be claimed by whoever then waits for it. */
  readonly patienceMs?: number;
  /** Messages per second that a channel takes in all, for those that say so. */
  readonly pace?: Readonly<Record<string, number>>;
  readonly language?: string;
  /** How long a kiosk's token lives without use; absent means as long as its session. */
  readonly kioskIdleMs?: number;
  /** What customers are told of their identities. */
  readonly notices?: Notices;
}
