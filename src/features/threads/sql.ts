import type { JsonObject } from "../../core/json.ts";
import { cursorOf, type Row } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import { compact, type Thread } from "./thread.ts";
import type { KeptThread, ThreadSummary, Threads } from "./threads.ts";

/** Memory for bots and tools, by functions of the database. Documents are sent as the text that the database keeps. */
export function sqlThreads(ask: SqlCall, standard_ttl_ms: number): Threads {
  return {
    async put(thread_id, { data, metadata, ...change }, now, if_version) {
      const { thread, created } = await ask("hub_put_thread", {
        now,
        thread_id,
        ...change,
        data: compact(data),
        ...(metadata !== undefined && { metadata: metadata && compact(metadata) }),
        standard_ttl_ms,
        ...(if_version !== undefined && { if_version }),
      });
      return { thread: toThread(thread as Row) as Thread, created: created as boolean };
    },
    async get(thread_id, now) {
      return toThread((await ask("hub_thread", { now, thread_id })).thread as Row) as Thread;
    },
    async delete(thread_id, now, if_version) {
      const given = { now, thread_id, ...(if_version !== undefined && { if_version }) };
      return (await ask("hub_delete_thread", given)).deleted as boolean;
    },
    async list(user_id, after, limit, now) {
      const page = await ask("hub_threads", { now, user_id, after, limit });
      const threads = (page.threads as Row[]).map(
        (row): ThreadSummary => ({ ...toThread(row), bytes: row.bytes as number }),
      );
      return { threads, ...cursorOf(page) };
    },
    async kept(user_id, after, limit) {
      const { threads } = await ask("hub_threads_kept", { user_id, after, limit });
      return (threads as Row[]).map(toThread);
    },
  };
}

function toThread(row: Row): KeptThread {
  const document = (text: unknown) => JSON.parse(text as string) as JsonObject;
  return {
    thread_id: row.thread_id as string,
    ...(row.user_id != null && { user_id: row.user_id as string }),
    ...(row.data != null && { data: document(row.data), metadata: document(row.metadata) }),
    ttl_ms: row.ttl_ms as number,
    version: row.version as number,
    created_at: new Date(row.created_at as string),
    updated_at: new Date(row.updated_at as string),
    expires_at: new Date(row.expires_at as string),
  };
}
