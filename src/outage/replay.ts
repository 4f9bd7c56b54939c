import { failureOf, HubError, toHubError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { InboundEvent, Received } from "../core/receive/conversations.ts";
import type { ReplayBudget, Replayed } from "../core/receive/journal.ts";
import type { Store } from "../core/store.ts";
import { isOutage, type Journal, type JournalEntry, type WaitingEntry } from "./journal.ts";

/** Entries read at a time. */
const PAGE = 50;
/** Events stored in one call. */
const TOGETHER = 25;
/** Lease of a replay, longer than a replay with its last store call: so two never replay at the same time. */
const LEASE_MS = 20_000;
/** An entry that fails this often, while the store answers other calls, is moved to the quarantine. */
const MAX_FAILURES = 5;

/** What a replay works with. */
export interface ReplayParts {
  readonly store: Store;
  readonly journal: Journal;
  readonly log: Log;
  readonly now: () => Date;
}

/**
 * Stores the journal's entries, oldest first, until the journal is empty or the budget is spent. Only one replayer
 * works at a time. An entry is removed only after the store has it; storing it twice changes nothing. An entry that the
 * store refuses for good is moved to the quarantine, so that it does not delay the others. Never throws: a failure is
 * logged, and the entry stays.
 */
export async function replay(parts: ReplayParts, budget: ReplayBudget): Promise<Replayed> {
  const { journal, log, now } = parts;
  const until = now().getTime() + budget.ms;
  const results: Received[] = [];
  let taken = 0;
  let release: (() => Promise<void>) | undefined;
  try {
    release = await journal.lease(LEASE_MS);
    while (release) {
      const waiting = await journal.read(Math.max(1, Math.min(PAGE, budget.entries - taken)));
      if (waiting.length === 0) return { taken, results, empty: true };
      if (taken >= budget.entries) break;
      for (const group of together(byArrival(waiting))) {
        if (now().getTime() > until) return { taken, results, empty: false };
        await settle(parts, group, results);
        taken += group.length;
      }
    }
  } catch (thrown) {
    log("warn", "journal.waits", { taken, ...failureOf(toHubError(thrown)) });
  } finally {
    if (release) await giveBack(log, release);
  }
  return { taken, results, empty: false };
}

/** Stores entries, then removes them. Throws when the store or the journal is down. */
async function settle(
  parts: ReplayParts,
  group: readonly WaitingEntry[],
  results: Received[],
): Promise<void> {
  try {
    results.push(...(await take(parts, group)));
  } catch (thrown) {
    const error = toHubError(thrown);
    if (error.reason === "breaker_open") throw error;
    if (group.length === 1) return refuse(parts, group[0]!, error);
    for (const one of group) await settle(parts, [one], results);
    return;
  }
  await parts.journal.remove(group.map(({ id }) => id));
}

/** Moves an entry to the quarantine when it will never be stored. Throws when the store is down instead. */
async function refuse(
  { store, journal, log }: ReplayParts,
  { id, entry }: WaitingEntry,
  error: HubError,
): Promise<void> {
  if (isOutage(error)) {
    await store.ping();
    if ((await journal.countFailure(id)) < MAX_FAILURES) throw error;
  }
  const failure = failureOf(error);
  await journal.quarantine(id, failure.reason);
  log("error", "journal.quarantined", { entry_id: id, events: entry?.events.length, ...failure });
}

function take({ store, now }: ReplayParts, group: readonly WaitingEntry[]): Promise<Received[]> {
  const time = now();
  const events = group.flatMap(({ entry }) => {
    if (!entry) throw new HubError("malformed", "the entry cannot be read", { reason: "unreadable" });
    return arrived(entry, time);
  });
  return store.conversations.receive(events, time);
}

/** Gives each message the time of its arrival. A time in the future becomes `now`: it must not extend a session. */
function arrived({ events, at }: JournalEntry, now: Date): InboundEvent[] {
  const came_at = at < now ? at : now;
  return events.map((event) =>
    event.type === "message" ? { ...event, message: { ...event.message, came_at } } : event,
  );
}

/** Sorts entries by arrival: a request that waited for a slow store is journaled after requests that arrived later. */
function byArrival(waiting: readonly WaitingEntry[]): WaitingEntry[] {
  const at = ({ entry }: WaitingEntry) => entry?.at.getTime() ?? 0;
  return waiting.toSorted((a, b) => at(a) - at(b));
}

/** Groups entries in their order, at most `TOGETHER` events to a call. An unreadable entry is a group of its own. */
function together(waiting: readonly WaitingEntry[]): WaitingEntry[][] {
  const groups: WaitingEntry[][] = [];
  let room = 0;
  for (const one of waiting) {
    const size = one.entry ? Math.max(1, one.entry.events.length) : TOGETHER;
    const fits = size <= room;
    if (fits) groups.at(-1)!.push(one);
    else groups.push([one]);
    room = (fits ? room : TOGETHER) - size;
  }
  return groups;
}

async function giveBack(log: Log, release: () => Promise<void>): Promise<void> {
  try {
    await release();
  } catch (thrown) {
    log("warn", "journal.not_released", failureOf(toHubError(thrown)));
  }
}
