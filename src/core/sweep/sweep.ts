import { indexMessages } from "../../features/search/index-messages.ts";
import { answer } from "../answer/answer.ts";
import { deliver } from "../deliver/deliver.ts";
import { failureOf, toHubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { publish } from "../receive/publish.ts";

const REPLAY_MS = 10_000;
const INDEXING = { batch: 1_000, ms: 15_000 };

export interface SweepBudget {
  /** Turns and deliveries claimed at a time, each. */
  readonly batch: number;
  /** Batches at most in one run. */
  readonly batches: number;
  /** Sessions marked or purged at most in one run, each. */
  readonly sessions: number;
  /** How long a dead session is kept. */
  readonly retentionMs: number;
  /** How long a message is kept; absent means as long as its session. */
  readonly messageRetentionMs?: number;
  /** How long a password is kept that lets nobody in; absent means for good. */
  readonly passwordRetentionMs?: number;
  /** How long an identity is kept that nobody showed; absent means for good. */
  readonly identityRetentionMs?: number;
}

export interface Swept {
  /** Entries of the journal that the store has now. */
  readonly replayed: number;
  readonly turns: number;
  readonly deliveries: number;
  readonly expired: number;
  readonly purged: number;
  /** Messages that came into the search's index. */
  readonly indexed: number;
}

/**
 * Picks up what was dropped: what waits in the journal, unanswered turns, due deliveries; then, once nothing waits in
 * the journal, marks and purges dead sessions; last, brings the search's index up to date. Takes up a bounded number of sessions a run, and answers each to its end.
 */
export async function sweep(hub: Hub, budget: SweepBudget): Promise<Swept> {
  const { replayed, empty } = await drain(hub, budget);
  let turns = 0;
  let deliveries = 0;
  for (let batch = 0; batch < budget.batches; batch++) {
    const due = await hub.store.conversations.due(hub.now(), budget.batch);
    turns += due.turns.length;
    deliveries += due.deliveries.length;
    await Promise.all([
      ...due.turns.map((turn) => guarded(hub, () => answer(hub, turn))),
      ...bySession(due.deliveries).map((line) => guarded(hub, () => deliver(hub, line))),
    ]);
    if (due.turns.length < budget.batch && due.deliveries.length < budget.batch) break;
  }
  // What still waits may have come before its session expired, and would find it dead.
  const expired = empty ? await hub.store.housekeeping.expire(hub.now(), budget.sessions) : 0;
  const purged = empty ? await purge(hub, budget) : 0;
  const indexed = await indexMessages(hub, INDEXING);
  const swept = { replayed, turns, deliveries, expired, purged, indexed };
  hub.log("info", "sweep", swept);
  return swept;
}

/** Deletes what has been kept long enough, of each kind. */
function purge(hub: Hub, budget: SweepBudget): Promise<number> {
  const { retentionMs, messageRetentionMs, passwordRetentionMs, identityRetentionMs, sessions } = budget;
  const now = hub.now();
  const ago = (ms: number) => new Date(now.getTime() - ms);
  return hub.store.housekeeping.purge(ago(retentionMs), sessions, {
    now,
    ...(messageRetentionMs !== undefined && { messages_before: ago(messageRetentionMs) }),
    ...(passwordRetentionMs !== undefined && { passwords_before: ago(passwordRetentionMs) }),
    ...(identityRetentionMs !== undefined && { identities_before: ago(identityRetentionMs) }),
  });
}

/** Stores what waits in the journal, and answers each batch before the next: an answer takes a while, and its turn has a lease. */
async function drain(
  hub: Hub,
  { batch, batches }: SweepBudget,
): Promise<{ replayed: number; empty: boolean }> {
  const { journal } = hub.store;
  if (!journal) return { replayed: 0, empty: true };
  let replayed = 0;
  for (let done = 0; done < batches; done++) {
    const { taken, results, empty } = await journal.replay({ entries: batch, ms: REPLAY_MS });
    replayed += taken;
    for (const result of results) publish(hub, result);
    const turns = results.flatMap(({ turn }) => turn ?? []);
    await Promise.all(turns.map((turn) => guarded(hub, () => answer(hub, turn))));
    if (empty) return { replayed, empty };
    if (taken === 0) break;
  }
  return { replayed, empty: false };
}

/** One customer's trouble must not stop the others'; the claim's lease brings the work back. */
async function guarded(hub: Hub, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    hub.log("error", "sweep.dropped", failureOf(toHubError(error)));
  }
}

function bySession<T extends { session_id: string }>(items: readonly T[]): T[][] {
  return Object.values(Object.groupBy(items, (item) => item.session_id)).filter(
    (group) => group !== undefined,
  );
}
