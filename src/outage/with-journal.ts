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

/** Time limit of the store, with the replay of older entries. After it, events go to the journal. */
const STORE_MS = 3_000;
/** What a request replays before it is answered. */
const IN_A_REQUEST = { entries: 25, ms: 2_000 };
/**
 * What a request replays after its answer. Answering an entry takes several more calls, and a request has a limit of
 * them.
 */
const AFTER_A_REQUEST = { entries: 100, ms: 10_000 };
/** The reason of `unavailable` when older entries wait in the journal; the store itself may be up. */
const WAITS = "journal_waits";

type Customers = NonNullable<Store["features"]>["customers"];

/** The names by which a call opens a session. */
interface Named {
  readonly identities?: Identities;
  readonly customer_id?: string;
}

/** What the decorator needs besides the store. */
export interface JournalParts {
  readonly journal: Journal;
  /** One per isolate. */
  readonly watch: Watch;
  readonly cache: Pick<SessionCache, "knows">;
  readonly log: Log;
  readonly now: () => Date;
  /** Keeps work running after the answer. The work must not reject. */
  readonly later: (work: Promise<unknown>) => void;
  /** Publishes and answers the events that a replay has stored. */
  readonly replayed: (results: readonly Received[]) => void;
}

/**
 * The same store, with a journal for the events of `receive` while the store is down.
 * - `receive` calls the store first. While the store is down, or while older entries wait, the events go to the
 *   journal, and each result is `{type: "journaled"}`. The journal takes only events that the store will accept later:
 *   see `mayWait`.
 * - Some calls are made only after everything older is stored; until then they throw `unavailable` with reason
 *   `journal_waits`. These are: calls that end a session, a token, an identity or a person's data; updates with a
 *   message or a `customer_id`; and a `start` or `restore` with two names, which may join two customers and so end
 *   tokens.
 * - Every other `start` and `restore` first stores some of the waiting entries, so that the session holds the
 *   customer's latest messages. It is made even if entries are left.
 * - Every other call goes to the store directly, and throws `unavailable` while the store is down.
 */
export function withJournal(store: Store, parts: JournalParts): Store {
  const { journal, watch, cache, log, now, later, replayed } = parts;

  /** Replays some entries, if any wait. Returns whether the journal is empty. */
  async function catchUp(options?: { readonly ask: boolean }): Promise<boolean> {
    if (!(await watch.isWaiting(log, options))) return true;
    const { results, empty } = await replay({ store, journal, log, now }, IN_A_REQUEST);
    replayed(results);
    return empty;
  }

  /**
   * Replays entries in the background. Only one request of an isolate does so at a time. The others do not ask for the
   * lease: at hundreds of requests a second, asking would slow down the replay.
   */
  async function takeAlong(): Promise<void> {
    if (store.breaker?.() === "open" || !watch.beginReplay()) return;
    const { results } = await replay({ store, journal, log, now }, AFTER_A_REQUEST);
    watch.endReplay();
    replayed(results);
  }

  /**
   * Runs `work` with the store's time limit. Work that takes longer continues after the answer. While the breaker is open
   * nothing is asked, neither the journal nor the store: the breaker may end its pause at that very moment, and a call that
   * did not ask the journal would overtake what waits there.
   */
  async function inTime<T>(work: () => Promise<T>): Promise<T> {
    if (store.breaker?.() === "open")
      throw new HubError("unavailable", "the database does not answer", { reason: "breaker_open" });
    const working = work();
    try {
      return await withTimeout(STORE_MS, "store_timeout", () => working);
    } catch (thrown) {
      // The work may be a replay: it must end, and give the lease back.
      later(Promise.allSettled([working]));
      throw thrown;
    }
  }

  async function storeFirst(events: readonly InboundEvent[], at: Date): Promise<Received[]> {
    if (await watch.isWaiting(log)) throw waits();
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
      if (behind) later(takeAlong());
      return events.map(() => ({ type: "journaled" }));
    }
    if (!behind) throw why;
    // The store is up. Either no entries wait any more, or these events must not go to the journal. The latter must not
    // overtake entries that another request is replaying.
    const empty = await catchUp({ ask: true });
    if (!may && !empty) throw why;
    return store.conversations.receive(events, at);
  }

  /**
   * Makes a call once everything older is stored; else throws. With `ask` the journal is always asked, otherwise as
   * often as for `receive`.
   */
  async function afterOlder<T>(call: () => Promise<T>, options = { ask: true }): Promise<T> {
    if (!(await inTime(() => catchUp(options)))) throw waits();
    return call();
  }

  /** Replays some older entries, then makes the call even if entries are left: the session is then only less recent. */
  async function afterSome<T>(call: () => Promise<T>): Promise<T> {
    await inTime(() => catchUp());
    return call();
  }

  /** How to make a call that opens a session. With two names it may join two customers, which ends tokens of theirs. */
  function opening({ identities = {}, customer_id }: Named): <T>(call: () => Promise<T>) => Promise<T> {
    const names = Object.keys(identities).length + (customer_id === undefined ? 0 : 1);
    return names > 1 ? afterOlder : afterSome;
  }

  /** The same function, made only after everything older is stored. */
  function ordered<A extends unknown[], T>(call: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
    return (...args) => afterOlder(() => call(...args));
  }

  async function erase(...args: Parameters<Store["privacy"]["erase"]>) {
    // Throws while the journal does not answer: an erasure that cannot reach every copy must not begin.
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
      find: (query) => journal.find(query),
    },
  };
}

/**
 * Whether the store will accept these events once it is up again. It always accepts events from platforms and messages
 * of verified identities. A token or a session may have ended, so the cache must know it to be alive. A message of a
 * claimed identity is never journaled: only the store can judge it.
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
