import { HubError } from "../../core/errors.ts";
import { isDeeper, type JsonObject, PATCH_DEPTH } from "../../core/json.ts";

/** A document that a bot or tool keeps under an id of its own, for as long as it is used. */
export interface Thread {
  readonly thread_id: string;
  /** The caller's own name for a user. Where it is a `customer_id`, the thread is that customer's. */
  readonly user_id?: string;
  readonly data: JsonObject;
  readonly metadata: JsonObject;
  /** Its life after its last use. */
  readonly ttl_ms: number;
  /** Rises with each change, also from one life of the id to the next; what `If-Match` is compared with. */
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly expires_at: Date;
}

/** What a thread may be called: letters, digits and `. _ : @ + = ~ -`. */
export const THREAD_ID = /^(?!\.{1,2}$)[A-Za-z0-9._:@+=~-]{1,128}$/;
/** What a thread's `data` and `metadata` may come to together, in bytes of compact JSON. */
export const THREAD_BYTES = 1_048_576;
/** How long an expired thread is known as expired. */
export const EXPIRED_THREAD_DAYS = 7;
/** How long a thread lives after its last use, unless something else is said. */
export const THREAD_TTL_MS = 24 * 60 * 60_000;

/** A thread's documents as they are kept, and measured. */
export function compact(document: JsonObject): string {
  return JSON.stringify(document);
}

/** What a thread's documents come to, in bytes. */
export function bytesOf({ data, metadata }: Pick<Thread, "data" | "metadata">): number {
  return new TextEncoder().encode(compact(data) + compact(metadata)).byteLength;
}

/** Throws `payload_too_large` for a document that nests deeper than those of a session may. */
export function refuseDeep(document: JsonObject): void {
  if (isDeeper(document, PATCH_DEPTH))
    throw new HubError("payload_too_large", `a document may nest ${PATCH_DEPTH} levels deep`);
}
