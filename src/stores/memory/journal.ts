import { HubError } from "../../core/errors.ts";
import type { JournaledEvent } from "../../core/receive/journal.ts";
import { eventsFor, without } from "../../outage/erasure.ts";
import { isCallers, type Journal, type JournalEntry } from "../../outage/journal.ts";

interface MemoryJournalOptions {
  readonly now: () => Date;
  readonly limit?: number;
}

interface Held {
  readonly entry: JournalEntry;
  readonly since: Date;
  readonly reason?: string;
}

/** The journal in memory. */
export function memoryJournal({ now, limit = 100_000 }: MemoryJournalOptions): Journal {
  const waiting = new Map<string, { entry: JournalEntry; since: Date }>();
  const quarantined = new Map<string, { entry: JournalEntry; since: Date; reason: string }>();
  const failures = new Map<string, number>();
  let lease: { until: number } | undefined;
  let ids = 0;

  return {
    async append(entry, { behind }) {
      if (behind && waiting.size === 0) return false;
      if (waiting.size >= (isCallers(entry) ? limit / 2 : limit))
        throw new HubError("unavailable", "the journal is full", { reason: "journal_full" });
      waiting.set(`${++ids}-0`, { entry, since: now() });
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
      const count = (failures.get(id) ?? 0) + 1;
      failures.set(id, count);
      return count;
    },
    async quarantine(id, reason) {
      const found = waiting.get(id);
      if (found) quarantined.set(id, { entry: found.entry, since: now(), reason });
      waiting.delete(id);
    },
    async find(query) {
      const found = (state: JournaledEvent["state"], held: Iterable<Held>): JournaledEvent[] =>
        [...held].flatMap(({ entry, since, reason }) =>
          eventsFor(query, entry).map((event) => ({ state, since, ...(reason && { reason }), ...event })),
        );
      return [...found("waiting", waiting.values()), ...found("quarantined", quarantined.values())];
    },
    async forget(whom) {
      let changed = 0;
      for (const [id, { entry, ...about }] of quarantined) {
        const text = JSON.stringify(entry);
        const left = without(text, entry, whom);
        if (left === text) continue;
        changed++;
        if (left === "") quarantined.delete(id);
        else quarantined.set(id, { ...about, entry: JSON.parse(left) });
      }
      return changed;
    },
  };
}
