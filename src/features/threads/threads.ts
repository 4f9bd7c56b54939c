import type { JsonObject } from "../../core/json.ts";
import type { Thread } from "./thread.ts";

/**
 * Memory for bots and tools. A thread is alive until it expires; each `put` and `get` slides that. Its documents are gone
 * after the next sweep, and for `EXPIRED_THREAD_DAYS` more its id is told as expired. Throws `thread_not_found` for an id
 * that nobody uses and `thread_expired` for one that has expired. One method is one round trip.
 */
export interface Threads {
  /**
   * Writes a thread, alive or new. Writing what it holds already only slides it, whatever `if_version` says, so that a call
   * may be delivered twice. Throws `version_conflict` unless `if_version` is the thread's version; 0 says that none is
   * alive. Throws `payload_too_large` past `THREAD_BYTES`.
   */
  put(
    thread_id: string,
    change: ThreadChange,
    now: Date,
    if_version?: number,
  ): Promise<{ thread: Thread; created: boolean }>;
  get(thread_id: string, now: Date): Promise<Thread>;
  /** Deletes a thread. Whether it was alive. Throws `version_conflict` as `put`. */
  delete(thread_id: string, now: Date, if_version?: number): Promise<boolean>;
  /** A page of a user's threads that are alive, the newest first; none slides. `after` is the cursor of the page before. */
  list(user_id: string, after: string | undefined, limit: number, now: Date): Promise<ThreadPage>;
  /** Everything kept of a user's threads, after the one with id `after`, in the order of ids; none slides. */
  kept(user_id: string, after: string | undefined, limit: number): Promise<KeptThread[]>;
}

/** What a `put` says. What it leaves out stays as it was; null takes it away. */
export interface ThreadChange {
  /** Replaces what was there as a whole. */
  readonly data: JsonObject;
  readonly metadata?: JsonObject | null;
  readonly user_id?: string | null;
  /** Null stands for the hub's standard. */
  readonly ttl_ms?: number | null;
}

/** A thread without what it holds. */
export interface ThreadSummary extends Omit<Thread, "data" | "metadata"> {
  /** What its documents come to. */
  readonly bytes: number;
}

export interface ThreadPage {
  readonly threads: readonly ThreadSummary[];
  /** The cursor of the next page; absent on the last one. */
  readonly after?: string;
}

/** A thread, also one that has expired; without documents once the sweep was there. */
export type KeptThread = Omit<Thread, "data" | "metadata"> & Partial<Pick<Thread, "data" | "metadata">>;
