import { runCampaigns } from "../../features/campaigns/run.ts";
import { placeDispatches } from "../../features/dispatches/place.ts";
import { drainEvents } from "../../features/endpoints/drain.ts";
import { embedKnowledge } from "../../features/knowledge/embed.ts";
import { deleteUploads } from "../../features/media/delete-uploads.ts";
import { indexMessages } from "../../features/search/index-messages.ts";
import { countStatistics } from "../../features/statistics/count-statistics.ts";
import { syncTemplates } from "../../features/templates/sync.ts";
import { answer } from "../answer/answer.ts";
import { deliver } from "../deliver/deliver.ts";
import { failureOf, toHubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { publish } from "../receive/publish.ts";

const REPLAY_MS = 10_000;
const POSTING = { ms: 15_000, events: 500 };
const INDEXING = { batch: 1_000, ms: 15_000 };
const OVERDUE_AT_ONCE = 1_000;
const EMBEDDING_MS = 10_000;
const CAMPAIGN_MS = 45_000;
const COUNTING = { batch: 1_000, ms: 10_000 };

export interface SweepBudget {
  /** The most turns, and the most deliveries, claimed at a time. */
  readonly batch: number;
  /** The most batches in one run. */
  readonly batches: number;
  /** The most sessions marked as expired, and the most purged, in one run. */
  readonly sessions: number;
  /** How long a session is kept after its end. */
  readonly retentionMs: number;
  /** How long a message is kept. Absent: as long as its session. */
  readonly messageRetentionMs?: number;
  /** How long a password is kept without a log-in. Absent: for good. */
  readonly passwordRetentionMs?: number;
  /** How long an identity is kept after it was last seen. Absent: for good. */
  readonly identityRetentionMs?: number;
  /** How long a reservation is kept after its day, and an order after it was made. Absent: for good. */
  readonly bookingRetentionMs?: number;
  /** How long an event is kept. Absent: for good. */
  readonly eventRetentionMs?: number;
}

export interface Swept {
  /** How many entries of the journal were stored or moved to the quarantine. */
  readonly replayed: number;
  readonly turns: number;
  readonly deliveries: number;
  /** Messages that the shop sends first, put into the outbox. */
  readonly placed: number;
  /** Recipients of campaigns whose message was put into the outbox. */
  readonly campaigned: number;
  readonly expired: number;
  readonly purged: number;
  /** Messages that were indexed for the search. */
  readonly indexed: number;
  /** Events that were posted to endpoints of the shop, attempts included. */
  readonly events: number;
  /** Changed sessions and customers that were counted for the statistics. */
  readonly counted: number;
  /** Parts of documents that were given their vectors. */
  readonly embedded: number;
  /** Conversations whose customers have waited for a person longer than the limit, found in this run. */
  readonly overdue: number;
}

/**
 * Finishes work that was dropped: entries of the journal, unanswered turns, due deliveries. Once the journal is empty
 * it also marks expired sessions and purges old ones. At the end it updates the search's index and the statistics, posts
 * events to endpoints, sends campaigns, and has the vectors of documents made. One run starts a bounded
 * number of turns and deliveries, and finishes each.
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
      ...bySession(due.deliveries).map((deliveries) => guarded(hub, () => deliver(hub, deliveries))),
    ]);
    if (due.turns.length < budget.batch && due.deliveries.length < budget.batch) break;
  }
  const placed = await placeDispatches(hub);
  // A message in the journal may have arrived before its session expired, so no session may be marked before it is
  // stored.
  const expired = empty ? await hub.store.housekeeping.expire(hub.now(), budget.sessions) : 0;
  const purged = empty ? await purge(hub, budget) : 0;
  if (empty) await deleteUploads(hub);
  const indexed = await indexMessages(hub, INDEXING);
  await syncTemplates(hub);
  // After the index: both read one list of changed messages.
  const counted = await countStatistics(hub, COUNTING);
  // Before the events: each that is found is one.
  const overdue = await markOverdue(hub);
  const { posts: events } = await drainEvents(hub, POSTING);
  // After these, for it goes on as long as the campaigns do.
  const campaigned = await runCampaigns(hub, CAMPAIGN_MS);
  // Last: an endpoint that hangs uses all of its time, and customers wait for the rest.
  const embedded = await embedKnowledge(hub, EMBEDDING_MS);
  const swept = {
    replayed,
    turns,
    deliveries,
    placed,
    campaigned,
    expired,
    purged,
    indexed,
    counted,
    embedded,
    overdue,
    events,
  };
  hub.log("info", "sweep", swept);
  return swept;
}

/** Marks and reports conversations whose customers have waited for a person longer than the limit. */
async function markOverdue({ store, desk, now, log }: Hub): Promise<number> {
  if (!store.features || desk?.waitLimitMs === undefined) return 0;
  try {
    const before = new Date(now().getTime() - desk.waitLimitMs);
    const marked = await store.features.conversations.markOverdue(before, OVERDUE_AT_ONCE, now());
    if (marked > 0)
      log("warn", "conversation.overdue", {
        conversations: marked,
        advice: "customers wait for a person; see the desk, view waiting",
      });
    return marked;
  } catch (error) {
    log("error", "sweep.dropped", failureOf(toHubError(error)));
    return 0;
  }
}

/** Deletes everything that is past its retention time. */
function purge(hub: Hub, budget: SweepBudget): Promise<number> {
  const { retentionMs, messageRetentionMs, passwordRetentionMs, identityRetentionMs, sessions } = budget;
  const { bookingRetentionMs, eventRetentionMs } = budget;
  const now = hub.now();
  const ago = (ms: number) => new Date(now.getTime() - ms);
  return hub.store.housekeeping.purge(ago(retentionMs), sessions, {
    now,
    ...(messageRetentionMs !== undefined && { messages_before: ago(messageRetentionMs) }),
    ...(passwordRetentionMs !== undefined && { passwords_before: ago(passwordRetentionMs) }),
    ...(identityRetentionMs !== undefined && { identities_before: ago(identityRetentionMs) }),
    ...(bookingRetentionMs !== undefined && { bookings_before: ago(bookingRetentionMs) }),
    ...(eventRetentionMs !== undefined && { events_before: ago(eventRetentionMs) }),
  });
}

/** Stores the journal's entries in batches. Each batch is answered before the next, within the leases of its turns. */
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

/**
 * Runs work for one customer. A failure is only logged, so that it does not stop the others; the lease brings it back.
 */
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
