import { answer } from "../core/answer/answer.ts";
import type { Turn } from "../core/answer/turn.ts";
import { failureOf, HubError, toHubError } from "../core/errors.ts";
import type { Hub } from "../core/hub.ts";
import type { InboundEvent, Opened } from "../core/receive/conversations.ts";
import { opened, runInBackground } from "../core/receive/effects.ts";
import { publish } from "../core/receive/publish.ts";
import { isOutage, type Journal, type JournalEntry, type Standby, type WaitingEntry } from "./journal.ts";

/** Entries read at a time. */
const PAGE = 50;
/** Messages taken to the store in one call. */
const TOGETHER = 25;
/** Longer than a replay may take with the store call it is in, so that two never replay at once. */
const LEASE_MS = 20_000;
/** Refusals by a store that answers otherwise, before an entry stops holding up the others. */
const MAX_FAILURES = 5;

/** What one caller may spend on replaying. */
export interface ReplayBudget {
  readonly entries: number;
  /** At most 10 s: the lease covers no more. */
  readonly ms: number;
}

export interface Replayed {
  readonly taken: number;
  /** Ours to answer now. */
  readonly turns: readonly Turn[];
  /** Nothing waits any more. */
  readonly empty: boolean;
}

/** A request pays for a few; the sweep for the rest. Each answer takes several calls more, and a request has not many. */
const IN_A_REQUEST: ReplayBudget = { entries: 25, ms: 2_000 };
/** How long an empty journal is taken to be empty. */
const QUIET_MS = 3_000;
/** How long a journal that did not answer is left alone. */
const SHY_MS = 10_000;
/** How long something is taken to wait in a journal that does not answer, when it was seen there. */
const SURE_MS = 60_000;
/** How long it is asked each time after trouble: others may still find the store down when we don't. */
const WATCH_MS = 10_000;

/** The store has failed us: the journal is asked each time from now on. */
export function watch(hub: Hub, standby: Standby): void {
  standby.quietUntil = 0;
  standby.watchUntil = hub.now().getTime() + WATCH_MS;
}

/** Something stands in the journal: should it fall silent, nothing may overtake that. */
export function beSure(hub: Hub, standby: Standby): void {
  standby.sureUntil = hub.now().getTime() + SURE_MS;
}

/**
 * Whether something waits in the journal, which nothing new may overtake.
 *
 * An isolate asks at most every 3 s while all is well, so two windows remain. When another isolate cannot reach the
 * store and we can, or when an outage begins and ends between two of our questions, a message may be stored up to 3 s
 * too early. And while the journal itself does not answer, an isolate that saw something wait there within a minute says
 * so, and whoever comes is told to come again; one that did not cannot know, and asks the store. What is stored out of
 * order is still stored once and answered once.
 */
export async function isWaiting(hub: Hub, standby: Standby, { ask = false } = {}): Promise<boolean> {
  const now = hub.now().getTime();
  if (!ask && now < standby.quietUntil) return false;
  try {
    const { depth } = await standby.journal.depth();
    if (depth > 0) {
      watch(hub, standby);
      beSure(hub, standby);
    } else {
      standby.sureUntil = 0;
      if (now >= standby.watchUntil) standby.quietUntil = now + QUIET_MS;
    }
    return depth > 0;
  } catch (thrown) {
    hub.log("warn", "journal.unknown", failureOf(toHubError(thrown)));
    if (now < standby.sureUntil) return true;
    standby.quietUntil = now + SHY_MS;
    return false;
  }
}

/** Replays some of what waits, when something does, and has it answered. `empty` tells whether nothing is left. */
export async function catchUp(
  hub: Hub,
  standby: Standby,
  options?: { readonly ask: boolean },
): Promise<{ readonly empty: boolean; readonly taken: number }> {
  if (!(await isWaiting(hub, standby, options))) return { empty: true, taken: 0 };
  const { turns, ...replayed } = await replay(hub, standby, IN_A_REQUEST);
  for (const turn of turns) runInBackground(hub, "journal.not_answered", answer(hub, turn));
  return replayed;
}

/**
 * Takes the journal's entries to the store, oldest first and by one replayer at a time, until it is empty or the limits
 * are reached. An entry is removed only once the store has it; taken twice it changes nothing. One that the store
 * refuses for good is set aside and holds up nobody. Throws nothing: what fails is logged and waits.
 */
export async function replay(hub: Hub, { journal }: Standby, budget: ReplayBudget): Promise<Replayed> {
  const until = hub.now().getTime() + budget.ms;
  const turns: Turn[] = [];
  let taken = 0;
  let release: (() => Promise<void>) | undefined;
  try {
    release = await journal.lease(LEASE_MS);
    while (release) {
      const waiting = await journal.read(Math.max(1, Math.min(PAGE, budget.entries - taken)));
      if (waiting.length === 0) return { taken, turns, empty: true };
      if (taken >= budget.entries) break;
      for (const group of together(asTheyCame(waiting))) {
        if (hub.now().getTime() > until) return { taken, turns, empty: false };
        await settle(hub, journal, group, turns);
        taken += group.length;
      }
    }
  } catch (thrown) {
    hub.log("warn", "journal.waits", { taken, ...failureOf(toHubError(thrown)) });
  } finally {
    if (release) await giveBack(hub, release);
  }
  return { taken, turns, empty: false };
}

/** Takes entries to the store, then removes them. Throws what says that the store or the journal is down. */
async function settle(
  hub: Hub,
  journal: Journal,
  group: readonly WaitingEntry[],
  turns: Turn[],
): Promise<void> {
  try {
    turns.push(...(await take(hub, group)));
  } catch (thrown) {
    const error = toHubError(thrown);
    if (error.reason === "breaker_open") throw error;
    if (group.length === 1) return refuse(hub, journal, group[0]!, error);
    for (const one of group) await settle(hub, journal, [one], turns);
    return;
  }
  await journal.remove(group.map(({ id }) => id));
}

/** Sets an entry aside that will never be taken. Throws when it is the store that is down. */
async function refuse(
  hub: Hub,
  journal: Journal,
  { id, entry }: WaitingEntry,
  error: HubError,
): Promise<void> {
  if (isOutage(error)) {
    await hub.store.ping();
    if ((await journal.countFailure(id)) < MAX_FAILURES) throw error;
  }
  const failure = failureOf(error);
  await journal.quarantine(id, failure.reason);
  hub.log("error", "journal.quarantined", { entry_id: id, type: entry?.type, ...failure });
}

async function take(hub: Hub, group: readonly WaitingEntry[]): Promise<Turn[]> {
  const { conversations, sessions } = hub.store;
  const entry = group[0]!.entry;
  switch (entry?.type) {
    case undefined:
      throw new HubError("malformed", "the entry cannot be read", { reason: "unreadable" });
    case "receive": {
      const kept = group.flatMap((one) => (one.entry?.type === "receive" ? cameThen(one.entry) : []));
      const results = await conversations.receive(kept, hub.now());
      for (const result of results) publish(hub, result);
      return results.flatMap(({ turn }) => turn ?? []);
    }
    case "start":
      await remember(hub, entry.start.token_hash, await sessions.start(entry.start, entry.at));
      return [];
    case "restore":
      await remember(hub, entry.who.token_hash, await sessions.restore(entry.who, entry.channel, entry.at));
      return [];
    case "update": {
      const session = await sessions.update({ token_hash: entry.token_hash }, entry.changes, entry.at);
      if (entry.changes.message) hub.live.publish(session.session_id, { type: "messages" });
      hub.live.publish(session.session_id, { type: "session", session });
      await remember(hub, entry.token_hash, session);
      return [];
    }
  }
}

/** Sets right what the cache was told meanwhile. */
function remember(hub: Hub, token_hash: string | undefined, session: Opened): Promise<void> {
  return hub.cache.put(token_hash, opened(hub, session), { used: false });
}

function cameThen({ kept, at }: Extract<JournalEntry, { type: "receive" }>): InboundEvent[] {
  return kept.map((item) =>
    item.type === "message" ? { ...item, message: { ...item.message, came_at: at } } : item,
  );
}

/** Who waited for a store that hangs came before others who did not, and stands behind them. */
function asTheyCame(waiting: readonly WaitingEntry[]): WaitingEntry[] {
  const came = ({ entry }: WaitingEntry) => entry?.at.getTime() ?? 0;
  return waiting.toSorted((a, b) => came(a) - came(b));
}

/** Entries in their order; what webhooks brought, one after the other, goes to the store in one call. */
function together(waiting: readonly WaitingEntry[]): WaitingEntry[][] {
  const groups: WaitingEntry[][] = [];
  let room = 0;
  for (const one of waiting) {
    const size = one.entry?.type === "receive" ? Math.max(1, one.entry.kept.length) : TOGETHER;
    const fits = size <= room;
    if (fits) groups.at(-1)!.push(one);
    else groups.push([one]);
    room = (fits ? room : TOGETHER) - size;
  }
  return groups;
}

async function giveBack(hub: Hub, release: () => Promise<void>): Promise<void> {
  try {
    await release();
  } catch (thrown) {
    hub.log("warn", "journal.not_released", failureOf(toHubError(thrown)));
  }
}
