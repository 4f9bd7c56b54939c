import type { JsonObject } from "../../core/json.ts";
import type { Thread } from "./thread.ts";

/**
 * Memory for bots and tools. A thread is alive until it expires; each `put` and `get` slides the expiry. The next sweep
 * deletes the documents of an expired thread. Throws `thread_expired` for `EXPIRED_THREAD_DAYS` after the expiry, and
 * `thread_not_found` after that and for unknown ids. One method is one round trip.
 */
export interface Threads {
  /**
   * Writes a thread, alive or new. If nothing would change, only the expiry slides and `if_version` is not compared, so that
   * a call may be delivered twice. Throws `version_conflict` unless `if_version` is the thread's version; 0 stands for no
   * thread. Throws `payload_too_large` past `THREAD_BYTES`.
   */
  put(
    thread_id: string,
    change: ThreadChange,
    now: Date,
    if_version?: number,
  ): Promise<{ thread: Thread; created: boolean }>;
  get(thread_id: string, now: Date): Promise<Thread>;
  /** Deletes a thread. Returns whether it was alive. Throws `version_conflict` as `put`. */
  delete(thread_id: string, now: Date, if_version?: number): Promise<boolean>;
  /** A page of a user's threads that are alive, the newest first. No expiry slides. `after` is the cursor of the page before. */
  list(user_id: string, after: string | undefined, limit: number, now: Date): Promise<ThreadPage>;
  /** A user's threads, expired ones too, in the order of ids, after the id `after`. No expiry slides. */
  kept(user_id: string, after: string | undefined, limit: number): Promise<KeptThread[]>;
}

/** Absent keys are unchanged; null removes a value. */
export interface ThreadChange {
  /** Replaces the earlier `data` as a whole. */
  readonly data: JsonObject;
  readonly metadata?: JsonObject | null;
  readonly user_id?: string | null;
  /** Null: the hub's default. */
  readonly ttl_ms?: number | null;
}

/** A thread without its documents. */
export interface ThreadSummary extends Omit<Thread, "data" | "metadata"> {
  /** The size of its documents. */
  readonly bytes: number;
}

export interface ThreadPage {
  readonly threads: readonly ThreadSummary[];
  /** The cursor of the next page; absent on the last one. */
  readonly after?: string;
}

/** A thread, also an expired one. Without documents after the sweep. */
export type KeptThread = Omit<Thread, "data" | "metadata"> & Partial<Pick<Thread, "data" | "metadata">>;
