import { HubError } from "../../core/errors.ts";
import type { Journal, JournalEntry } from "../../outage/journal.ts";

interface MemoryJournalOptions {
  readonly now: () => Date;
  readonly limit?: number;
}

/** What the hub promises of a journal, said in the plainest way. */
export function memoryJournal({ now, limit = 100_000 }: MemoryJournalOptions): Journal {
  const waiting = new Map<string, { entry: JournalEntry; since: Date }>();
  const quarantined = new Map<string, JournalEntry>();
  const strikes = new Map<string, number>();
  let lease: { until: number } | undefined;
  let ids = 0;

  return {
    async append(entries, { behind }) {
      if (behind && waiting.size === 0) return false;
      const room = entries.some(({ type }) => type === "receive") ? limit : limit / 2;
      if (waiting.size + entries.length > room)
        throw new HubError("unavailable", "the journal is full", { reason: "journal_full" });
      for (const entry of entries) waiting.set(`${++ids}-0`, { entry, since: now() });
      return true;
    },
    read: async (limit) => [...waiting].slice(0, limit).map(([id, { entry }]) => ({ id, entry })),
    async remove(ids) {
      for (const id of ids) waiting.delete(id);
    },
    async depth() {
      const [oldest] = waiting.values();
      return {
        depth: waiting.size,
        ...(oldest && { oldest_at: oldest.since }),
        quarantined: quarantined.size,
      };
    },
    async lease(ms) {
      if (lease && lease.until > now().getTime()) return undefined;
      const ours = { until: now().getTime() + ms };
      lease = ours;
      return async () => {
        if (lease === ours) lease = undefined;
      };
    },
    async countFailure(id) {
      const count = (strikes.get(id) ?? 0) + 1;
      strikes.set(id, count);
      return count;
    },
    async quarantine(id) {
      const found = waiting.get(id);
      if (found) quarantined.set(id, found.entry);
      waiting.delete(id);
    },
  };
}
