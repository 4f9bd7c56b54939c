import { failureOf, toHubError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Journal } from "./journal.ts";

/** How long the journal counts as empty after it was found empty. */
const QUIET_MS = 3_000;
/** How long the journal is not asked again after it did not answer. */
const SILENT_MS = 10_000;
/** How long a journal that does not answer counts as holding the entries last seen in it. */
const SURE_MS = 60_000;
/** How long the journal is asked before every call, after the store failed: it may still be down for other isolates. */
const WATCH_MS = 10_000;
/** After this a request that began a replay counts as cut off, for its lease has ended. */
const REPLAY_MS = 20_000;

/** What one isolate knows of the journal. */
export interface Watch {
  /**
   * Whether entries wait in the journal; no new event may overtake them. With `ask` the journal is always asked, even
   * within the time in which it counts as empty.
   */
  isWaiting(log: Log, options?: { readonly ask?: boolean }): Promise<boolean>;
  /** Records that the store has failed: for the next 10 s the journal is asked every time. */
  storeFailed(): void;
  /** Records that an entry was appended: for 60 s it counts as waiting, even if the journal stops answering. */
  appended(): void;
  /** Whether the caller may replay in the background. Only one request of the isolate may at a time. */
  beginReplay(): boolean;
  endReplay(): void;
}

/**
 * Watches the journal for one isolate. While all is well the isolate asks it at most every 3 s. Two gaps remain, in
 * which a message can be stored before older ones:
 * - Another isolate cannot reach the store while this one can, or an outage begins and ends between two questions. A
 *   message may then be stored up to 3 s too early.
 * - The journal does not answer. An isolate that saw entries there within the last minute treats them as waiting, and
 *   callers are asked to try again. An isolate that saw none cannot know of any, and calls the store.
 *
 * A message that is stored out of order is still stored once and answered once.
 */
export function watchJournal(journal: Journal, now: () => Date): Watch {
  // All in ms since 1970.
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
