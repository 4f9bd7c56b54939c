import { failureOf, HubError, toHubError } from "../core/errors.ts";
import type { Identities } from "../core/identity/identity.ts";
import type { Log } from "../core/log.ts";
import type { InboundEvent, Received } from "../core/receive/conversations.ts";
import type { SessionCache } from "../core/sessions/cache.ts";
import { isSessionRef } from "../core/sessions/session.ts";
import type { Store } from "../core/store.ts";
import { withTimeout } from "../core/timeout.ts";
import { isOutage, type Journal } from "./journal.ts";
import { replay } from "./replay.ts";
import type { Watch } from "./watch.ts";

/** What the store may take, with the replay of older entries, before the journal is the better place. */
const STORE_MS = 3_000;
/** A request pays for a few entries, the sweep for the rest: each answer takes several calls more, and a request has not many. */
const IN_A_REQUEST = { entries: 25, ms: 2_000 };
/** Why a call does not go to the store though the store may be up. */
const WAITS = "journal_waits";

type Customers = NonNullable<Store["features"]>["customers"];

/** By what a session is opened. */
interface Named {
  readonly identities?: Identities;
  readonly customer_id?: string;
}

/** What the decorator works with beside the store. */
export interface JournalParts {
  readonly journal: Journal;
  /** One per isolate. */
  readonly watch: Watch;
  readonly cache: Pick<SessionCache, "knows">;
  readonly log: Log;
  readonly now: () => Date;
  /** Lets work go on after the answer. It never rejects. */
  readonly later: (work: Promise<unknown>) => void;
  /** Publishes and answers what a replay has stored. */
  readonly replayed: (results: readonly Received[]) => void;
}

/**
 * The same store with a journal before it, in which `receive` waits while the store is down.
 * - `receive` asks the store first. While the store is down, or while older entries wait, the journal takes the events,
 *   and each result is `{type: "journaled"}`. The journal takes only what the store will take later: see `mayWait`.
 * - Calls that end something (a session, a token, an identity, a person's data), and messages that an update tells, are
 *   made only after everything older is stored. Until then they throw `unavailable` with reason `journal_waits`. A call
 *   that names a customer by two identities, or by `customer_id` too, is such: where it joins two customers, tokens die.
 * - Every other `start` and `restore` stores some of what waits first, so that a session is as the customer's messages
 *   have made it. They do not insist.
 * - Every other call goes straight to the store, and throws `unavailable` while the store is down.
 */
export function withJournal(store: Store, parts: JournalParts): Store {
  const { journal, watch, cache, log, now, later, replayed } = parts;

  /** Stores some of what waits, when something does. Returns whether nothing is left. */
  async function catchUp(options?: { readonly ask: boolean }): Promise<boolean> {
    if (!(await watch.isWaiting(log, options))) return true;
    const { results, empty } = await replay({ store, journal, log, now }, IN_A_REQUEST);
    replayed(results);
    return empty;
  }

  /** Runs `work` for as long as the store may take. Work that takes longer goes on after the answer. */
  async function inTime<T>(work: () => Promise<T>): Promise<T> {
    const working = work();
    try {
      return await withTimeout(STORE_MS, "store_timeout", () => working);
    } catch (thrown) {
      // It may be replaying: let it end and give the lease back.
      later(Promise.allSettled([working]));
      throw thrown;
    }
  }

  async function storeFirst(events: readonly InboundEvent[], at: Date): Promise<Received[]> {
    // With an open breaker the store is not asked at all, so that the journal need not be asked either.
    if (store.breaker?.() !== "open" && (await watch.isWaiting(log))) throw waits();
    return store.conversations.receive(events, at);
  }

  async function receive(events: readonly InboundEvent[], at: Date): Promise<Received[]> {
    let why: HubError;
    try {
      return await inTime(() => storeFirst(events, at));
    } catch (thrown) {
      why = toHubError(thrown);
      if (!isOutage(why)) throw thrown;
    }
    const behind = why.reason === WAITS;
    if (!behind) watch.storeFailed();
    const may = await mayWait(events, cache);
    if (may && (await journal.append({ type: "receive", at, events }, { behind }))) {
      watch.appended();
      log("warn", "degraded", { events: events.length, ...failureOf(why) });
      if (behind) later(catchUp({ ask: true }));
      return events.map(() => ({ type: "journaled" }));
    }
    if (!behind) throw why;
    // The store is up. Either nothing waits any more, or these events may not wait, and then they must not overtake what
    // somebody else is replaying.
    const empty = await catchUp({ ask: true });
    if (!may && !empty) throw why;
    return store.conversations.receive(events, at);
  }

  /** Makes a call once everything that came before it is stored. The journal is asked for sure, or as often as for `receive`. */
  async function afterOlder<T>(call: () => Promise<T>, options = { ask: true }): Promise<T> {
    if (store.breaker?.() !== "open" && !(await inTime(() => catchUp(options)))) throw waits();
    return call();
  }

  /** Makes a call once what came before is stored as far as that is quick: a session that opens late is no less right. */
  async function afterSome<T>(call: () => Promise<T>): Promise<T> {
    if (store.breaker?.() !== "open") await inTime(() => catchUp());
    return call();
  }

  /** How a session is opened: by two names of a customer it may join two, and then tokens of theirs die. */
  function opening({ identities = {}, customer_id }: Named): <T>(call: () => Promise<T>) => Promise<T> {
    const names = Object.keys(identities).length + (customer_id === undefined ? 0 : 1);
    return names > 1 ? afterOlder : afterSome;
  }

  /** `afterOlder` for all calls of a kind. */
  function ordered<A extends unknown[], T>(call: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
    return (...args) => afterOlder(() => call(...args));
  }

  async function erase(...args: Parameters<Store["privacy"]["erase"]>) {
    // Throws while the journal does not answer: an erasure that cannot reach every copy is not begun.
    await journal.depth();
    const erased = await afterOlder(() => store.privacy.erase(...args));
    const identities = erased.identities.map(({ value }) => value);
    try {
      await journal.forget({ ...erased, identities });
    } catch (thrown) {
      log("error", "journal.not_erased", {
        session_ids: erased.session_ids,
        ...failureOf(toHubError(thrown)),
      });
      throw thrown;
    }
    return erased;
  }

  /** A back office's word may join two customers, and then tokens of theirs die. */
  function customersAfterOlder(customers: Customers): Customers {
    return {
      ...customers,
      put: ordered(customers.put),
      patch: ordered(customers.patch),
      upsert: ordered(customers.upsert),
      merge: ordered(customers.merge),
    };
  }

  const { conversations, sessions, proofs, privacy, features } = store;
  return {
    ...store,
    conversations: { ...conversations, receive },
    sessions: {
      ...sessions,
      start: (start, at) => opening(start)(() => sessions.start(start, at)),
      restore: (who, channel, at) => opening(who)(() => sessions.restore(who, channel, at)),
      update: (of, changes, at) => {
        const update = () => sessions.update(of, changes, at);
        if (changes.customer_id !== undefined) return afterOlder(update);
        return changes.message ? afterOlder(update, { ask: false }) : update();
      },
      end: ordered(sessions.end),
      signOut: ordered(sessions.signOut),
    },
    proofs: {
      ...proofs,
      confirmCode: ordered(proofs.confirmCode),
      logIn: ordered(proofs.logIn),
      revokeDevice: ordered(proofs.revokeDevice),
      unlink: ordered(proofs.unlink),
    },
    privacy: { ...privacy, erase },
    ...(features && { features: { ...features, customers: customersAfterOlder(features.customers) } }),
    journal: {
      replay: (budget) => replay({ store, journal, log, now }, budget),
      depth: () => journal.depth(),
    },
  };
}

/**
 * Whether the store will take these events when it is back. What platforms tell and what verified identities say it
 * always takes. A token or a session may have died, so it must be known here to be alive. What is only claimed the store
 * alone can judge.
 */
async function mayWait(
  events: readonly InboundEvent[],
  cache: Pick<SessionCache, "knows">,
): Promise<boolean> {
  for (const event of events) {
    if (event.type !== "message") continue;
    const { from, claimed } = event.message;
    if (claimed) return false;
    if (isSessionRef(from) && !(await cache.knows(from))) return false;
  }
  return true;
}

function waits(): HubError {
  return new HubError("unavailable", "what came before is still on its way to the database", {
    reason: WAITS,
  });
}
