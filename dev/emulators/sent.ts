import type { Fields } from "./fields.ts";
import type { Keep } from "./keep.ts";

/** One call that sent something. `n` rises by one and never restarts; `at` is in ms since 1970. */
export interface Sent extends Fields {
  readonly n: number;
  readonly at: number;
  readonly method: string;
  readonly chat_id?: number | string;
}

export interface SentFilter {
  readonly after: number;
  readonly chat?: string | undefined;
  readonly methods?: ReadonlySet<string> | undefined;
}

/** The calls of the bot, in order; only the newest `keep`. */
export interface SentLog {
  readonly last: number;
  add(fields: Fields & { method: string }): Sent;
  list(filter: SentFilter, limit?: number): Sent[];
  /** Resolves once `count` entries match the filter; `cancel` resolves it early. It does not poll. */
  wait(filter: SentFilter, count: number): { done: Promise<void>; cancel(): void };
  clear(): number;
}

interface Slot {
  readonly entry: Sent;
  /** The previous entry of the same chat. Listing a chat then reads only its own entries, not the whole log. */
  readonly previous: number;
}

interface Waiter {
  readonly filter: SentFilter;
  missing: number;
  resolve(): void;
}

export function createSentLog(keep: number, store: Keep, added: (entry: Sent) => void = () => {}): SentLog {
  const kept = store.table<Sent>("sent");
  const numbers = store.table<number>("sent_numbers");
  let ring: (Slot | undefined)[] = [];
  let cleared = numbers.get("cleared") ?? 0;
  let last = cleared;
  const newestOf = new Map<string, number>();
  const waiters = new Map<string | undefined, Set<Waiter>>();
  const oldest = () => Math.max(cleared, last - keep) + 1;
  for (const entry of [...kept.values()].sort((a, b) => a.n - b.n)) {
    last = entry.n;
    place(entry);
  }

  function add(fields: Fields & { method: string }): Sent {
    const entry: Sent = { n: ++last, at: Date.now(), ...fields };
    kept.set(String(entry.n), entry);
    const chat = place(entry);
    added(entry);
    if (waiters.size > 0) {
      notify(undefined, entry);
      notify(chat, entry);
    }
    return entry;
  }

  /** Adds an entry after the others of its chat. */
  function place(entry: Sent): string {
    const { n } = entry;
    const evicted = ring[n % keep]?.entry;
    if (evicted) kept.delete(String(evicted.n));
    if (evicted && newestOf.get(String(evicted.chat_id)) === evicted.n)
      newestOf.delete(String(evicted.chat_id));
    const chat = String(entry.chat_id);
    ring[n % keep] = { entry, previous: newestOf.get(chat) ?? 0 };
    newestOf.set(chat, n);
    return chat;
  }

  function notify(chat: string | undefined, entry: Sent): void {
    for (const waiter of waiters.get(chat) ?? []) {
      if (fits(entry, waiter.filter) && --waiter.missing <= 0) waiter.resolve();
    }
  }

  function list(filter: SentFilter, limit = Number.POSITIVE_INFINITY): Sent[] {
    const found: Sent[] = [];
    const from = Math.max(filter.after + 1, oldest());
    if (filter.chat === undefined) {
      for (let n = from; n <= last && found.length < limit; n++) {
        const entry = ring[n % keep]?.entry;
        if (entry && fits(entry, filter)) found.push(entry);
      }
      return found;
    }
    for (let n = newestOf.get(filter.chat) ?? 0; n >= from; ) {
      const slot = ring[n % keep] as Slot;
      if (fits(slot.entry, filter)) found.push(slot.entry);
      n = slot.previous;
    }
    return found.reverse().slice(0, limit);
  }

  function wait(filter: SentFilter, count: number): { done: Promise<void>; cancel(): void } {
    const missing = count - list(filter, count).length;
    if (missing <= 0) return { done: Promise.resolve(), cancel() {} };
    const { promise, resolve } = Promise.withResolvers<void>();
    const group = waiters.get(filter.chat) ?? new Set<Waiter>();
    const waiter: Waiter = { filter, missing, resolve: cancel };
    waiters.set(filter.chat, group.add(waiter));
    function cancel(): void {
      group.delete(waiter);
      if (group.size === 0 && waiters.get(filter.chat) === group) waiters.delete(filter.chat);
      resolve();
    }
    return { done: promise, cancel };
  }

  function clear(): number {
    const count = last - oldest() + 1;
    ring = [];
    newestOf.clear();
    cleared = last;
    numbers.set("cleared", cleared);
    kept.clear();
    return count;
  }

  return {
    get last() {
      return last;
    },
    add,
    list,
    wait,
    clear,
  };
}

function fits(entry: Sent, { after, methods }: SentFilter): boolean {
  return entry.n > after && (methods === undefined || methods.has(entry.method));
}
