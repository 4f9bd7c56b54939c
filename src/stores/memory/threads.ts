import { HubError } from "../../core/errors.ts";
import { documentsSize } from "../../core/sessions/session.ts";
import {
  compact,
  EXPIRED_THREAD_DAYS,
  THREAD_BYTES,
  THREAD_TTL_MS,
  type Thread,
} from "../../features/threads/thread.ts";
import type { KeptThread, ThreadChange, ThreadSummary, Threads } from "../../features/threads/threads.ts";
import { later, type Tables } from "./tables.ts";

/** The version that stands for no thread. */
const NONE = 0;
const EXPIRED_MS = EXPIRED_THREAD_DAYS * 24 * 60 * 60_000;

/** Memory for bots and tools, kept in this process. */
export function memoryThreads(tables: Tables): Threads {
  const { threads, settings } = tables;
  const standard = settings.threadTtlMs ?? THREAD_TTL_MS;
  return {
    async put(thread_id, change, now, if_version) {
      const before = threads.get(thread_id);
      const alive = before && isAlive(before, now) ? before : undefined;
      const next = changed(thread_id, alive, change, standard);
      if (alive && isSame(alive, next)) return { thread: structuredClone(slide(alive, now)), created: false };
      refuseOther(alive, if_version);
      if (documentsSize(next) > THREAD_BYTES)
        throw new HubError("payload_too_large", `a thread holds ${THREAD_BYTES} bytes at most`);
      const thread: Thread = {
        ...next,
        version: alive ? alive.version + 1 : Math.max((before?.version ?? 0) + 1, now.getTime()),
        created_at: alive?.created_at ?? now,
        updated_at: now,
        expires_at: later(now, next.ttl_ms),
      };
      threads.set(thread_id, structuredClone(thread));
      return { thread, created: alive === undefined };
    },

    async get(thread_id, now) {
      const thread = threads.get(thread_id);
      if (!thread) throw new HubError("thread_not_found", "there is no such thread");
      if (!isAlive(thread, now)) throw new HubError("thread_expired", "the thread has expired");
      return structuredClone(slide(thread, now));
    },

    async delete(thread_id, now, if_version) {
      const thread = threads.get(thread_id);
      const alive = thread && isAlive(thread, now) ? thread : undefined;
      refuseOther(alive, if_version);
      threads.delete(thread_id);
      return alive !== undefined;
    },

    async list(user_id, after, limit, now) {
      const listed = ofUser(tables, user_id)
        .filter((thread): thread is Thread => isAlive(thread, now))
        .sort((a, b) => b.created_at.getTime() - a.created_at.getTime() || byId(a, b));
      const from = listed.findIndex((thread) => after === undefined || isAfter(thread, after));
      const page = from < 0 ? [] : listed.slice(from, from + limit);
      const last = page.at(-1);
      return {
        threads: page.map(summaryOf),
        ...(last && last !== listed.at(-1) && { after: `${last.created_at.getTime()}.${last.thread_id}` }),
      };
    },

    async kept(user_id, after, limit) {
      return ofUser(tables, user_id)
        .sort(byId)
        .filter(({ thread_id }) => after === undefined || thread_id > after)
        .slice(0, limit)
        .map((thread) => structuredClone(thread));
    },
  };
}

/** Empties threads past their expiry, and deletes those that expired more than `EXPIRED_THREAD_DAYS` ago; at most `limit`. */
export function expireThreads({ threads }: Tables, now: Date, limit: number): void {
  const overdue = [...threads.values()].filter(
    (thread) => !isAlive(thread, now) && ("data" in thread || later(thread.expires_at, EXPIRED_MS) <= now),
  );
  for (const { data: _, metadata: __, ...rest } of overdue.slice(0, limit))
    if (later(rest.expires_at, EXPIRED_MS) <= now) threads.delete(rest.thread_id);
    else threads.set(rest.thread_id, rest);
}

/** Deletes all threads of a user, expired ones too. */
export function eraseThreads(tables: Tables, user_id: string): void {
  for (const { thread_id } of ofUser(tables, user_id)) tables.threads.delete(thread_id);
}

function isAlive(thread: KeptThread, now: Date): thread is Thread {
  return thread.data !== undefined && thread.expires_at > now;
}

function slide<T extends KeptThread>(thread: T, now: Date): T {
  const expires_at = later(now, thread.ttl_ms);
  if (expires_at > thread.expires_at) Object.assign(thread, { expires_at });
  return thread;
}

type Content = Pick<Thread, "thread_id" | "user_id" | "data" | "metadata" | "ttl_ms">;

/** The thread after a change. */
function changed(
  thread_id: string,
  before: Thread | undefined,
  change: ThreadChange,
  standard: number,
): Content {
  const { data, metadata = before?.metadata, user_id = before?.user_id, ttl_ms = before?.ttl_ms } = change;
  return {
    thread_id,
    ...(user_id != null && { user_id }),
    data,
    metadata: metadata ?? {},
    ttl_ms: ttl_ms ?? standard,
  };
}

function isSame(one: Content, other: Content): boolean {
  return (
    one.user_id === other.user_id &&
    one.ttl_ms === other.ttl_ms &&
    compact(one.data) === compact(other.data) &&
    compact(one.metadata) === compact(other.metadata)
  );
}

function refuseOther(alive: Thread | undefined, if_version: number | undefined): void {
  if (if_version !== undefined && (alive?.version ?? NONE) !== if_version)
    throw new HubError("version_conflict", "the thread has moved on from that version");
}

function ofUser({ threads }: Tables, user_id: string): KeptThread[] {
  return [...threads.values()].filter((thread) => thread.user_id === user_id);
}

function byId(a: KeptThread, b: KeptThread): number {
  return a.thread_id < b.thread_id ? -1 : 1;
}

/** Whether a thread comes after a cursor: the creation of the last one listed, in milliseconds, and its id. */
function isAfter({ created_at, thread_id }: KeptThread, cursor: string): boolean {
  const dot = cursor.indexOf(".");
  const at = Number(cursor.slice(0, dot));
  return created_at.getTime() < at || (created_at.getTime() === at && thread_id > cursor.slice(dot + 1));
}

function summaryOf({ data, metadata, ...thread }: Thread): ThreadSummary {
  return { ...thread, bytes: documentsSize({ data, metadata }) };
}
