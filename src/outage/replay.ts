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
/** Longer than a replay may take with the store call it is in, so that two never replay at once. */
const LEASE_MS = 20_000;
/** Refusals by a store that answers otherwise, before an entry stops holding up the others. */
const MAX_FAILURES = 5;

/** What a replay works with. */
export interface ReplayParts {
  readonly store: Store;
  readonly journal: Journal;
  readonly log: Log;
  readonly now: () => Date;
}

/**
 * Stores the journal's entries, oldest first and by one replayer at a time, until it is empty or the budget is spent. An
 * entry is removed only once the store has it; stored twice it changes nothing. An entry that the store refuses for good
 * goes to the quarantine and holds up nobody. Throws nothing: what fails is logged and waits on.
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

/** Stores entries, then removes them. Throws an error that says that the store or the journal is down. */
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

/** Moves an entry that will never be stored to the quarantine. Throws when it is the store that is down. */
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

/** The events with the time of their arrival; a clock that was ahead must not extend a session. */
function arrived({ events, at }: JournalEntry, now: Date): InboundEvent[] {
  const came_at = at < now ? at : now;
  return events.map((event) =>
    event.type === "message" ? { ...event, message: { ...event.message, came_at } } : event,
  );
}

/** Entries by arrival: a request that waited for a slow store is journaled after requests that arrived later. */
function byArrival(waiting: readonly WaitingEntry[]): WaitingEntry[] {
  const at = ({ entry }: WaitingEntry) => entry?.at.getTime() ?? 0;
  return waiting.toSorted((a, b) => at(a) - at(b));
}

/** Entries in their order, grouped so that one call stores few events. An entry that cannot be read stands alone. */
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
