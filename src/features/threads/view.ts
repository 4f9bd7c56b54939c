import { z } from "@hono/zod-openapi";
import { instant } from "../../http/shapes.ts";
import type { Thread } from "./thread.ts";
import type { KeptThread, ThreadSummary } from "./threads.ts";

export const HOUR_MS = 3_600_000;

/** A JSON object that is kept with a thread. */
export const documentsSchema = z.record(z.string(), z.unknown());

const summary = {
  thread_id: z.string(),
  user_id: z.string().nullable(),
  ttl_hours: z.number().openapi({ description: "Its lifetime after its last use." }),
  version: z
    .int()
    .openapi({ description: "Compared with `If-Match`; also the ETag. Rises with each change." }),
  created_at: instant,
  updated_at: instant,
  expires_at: instant,
};

/** A thread as callers see it. */
export const threadSchema = z
  .object({ ...summary, data: documentsSchema, metadata: documentsSchema })
  .openapi("Thread");

/** A thread without its documents. */
export const threadSummarySchema = z
  .object({
    ...summary,
    bytes: z.int().openapi({ description: "Of `data` and `metadata` as compact JSON." }),
  })
  .openapi("ThreadSummary");

/** A thread in an export. An expired one has no documents. */
export const keptThreadSchema = z.object({
  ...summary,
  data: documentsSchema.nullable(),
  metadata: documentsSchema.nullable(),
});

export function viewThread(thread: Thread): z.infer<typeof threadSchema> {
  return { ...viewRow(thread), data: thread.data, metadata: thread.metadata };
}

export function viewSummary(thread: ThreadSummary): z.infer<typeof threadSummarySchema> {
  return { ...viewRow(thread), bytes: thread.bytes };
}

export function viewKept(thread: KeptThread): z.infer<typeof keptThreadSchema> {
  return { ...viewRow(thread), data: thread.data ?? null, metadata: thread.metadata ?? null };
}

function viewRow(thread: KeptThread) {
  return {
    thread_id: thread.thread_id,
    user_id: thread.user_id ?? null,
    ttl_hours: thread.ttl_ms / HOUR_MS,
    version: thread.version,
    created_at: thread.created_at.toISOString(),
    updated_at: thread.updated_at.toISOString(),
    expires_at: thread.expires_at.toISOString(),
  };
}
