import { failureOf, toHubError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Journal } from "./journal.ts";

/** How long a journal that was empty is taken to be empty. */
const QUIET_MS = 3_000;
/** How long a journal that did not answer is not asked again. */
const SILENT_MS = 10_000;
/** How long a journal that does not answer is taken to hold what was seen in it. */
const SURE_MS = 60_000;
/** How long the journal is asked each time after trouble: other isolates may still find the store down. */
const WATCH_MS = 10_000;
/** After this a request that began to replay was cut off, for its lease is over. */
const REPLAY_MS = 20_000;

/** What one isolate knows of the journal. */
export interface Watch {
  /**
   * Whether something waits in the journal, which nothing new may overtake. With `ask` the journal is asked, whatever is
   * known.
   */
  isWaiting(log: Log, options?: { readonly ask?: boolean }): Promise<boolean>;
  /** The store has failed: the journal is asked each time from now on. */
  storeFailed(): void;
  /** Something was appended: should the journal fall silent, nothing may overtake that. */
  appended(): void;
  /** Whether the caller may replay in the background: no other request of this isolate does. */
  beginReplay(): boolean;
  endReplay(): void;
}

/**
 * Watches the journal for one isolate, which asks it at most every 3 s while all is well. Two windows remain.
 * - Another isolate cannot reach the store and this one can, or an outage begins and ends between two questions: a
 *   message may be stored up to 3 s too early.
 * - The journal itself does not answer. An isolate that saw something wait there within a minute says so, and callers
 *   are told to come again. An isolate that saw nothing cannot know, and asks the store.
 *
 * What is stored out of order is still stored once and answered once.
 */
export function watchJournal(journal: Journal, now: () => Date): Watch {
  /** All in Unix ms. */
  let quietUntil = 0;
  let watchUntil = 0;
  let sureUntil = 0;
  let replayingUntil = 0;

  function storeFailed(): void {
    quietUntil = 0;
    watchUntil = now().getTime() + WATCH_MS;
  }

  function appended(): void {
    sureUntil = now().getTime() + SURE_MS;
  }

  return {
    storeFailed,
    appended,
    beginReplay() {
      const time = now().getTime();
      if (time < replayingUntil) return false;
      replayingUntil = time + REPLAY_MS;
      return true;
    },
    endReplay() {
      replayingUntil = 0;
    },
    async isWaiting(log, { ask = false } = {}) {
      const time = now().getTime();
      if (!ask && time < quietUntil) return false;
      try {
        const { depth } = await journal.depth();
        if (depth > 0) {
          storeFailed();
          appended();
          return true;
        }
        sureUntil = 0;
        if (time >= watchUntil) quietUntil = time + QUIET_MS;
        return false;
      } catch (thrown) {
        log("warn", "journal.unknown", failureOf(toHubError(thrown)));
        if (time < sureUntil) return true;
        quietUntil = time + SILENT_MS;
        return false;
      }
    },
  };
}
