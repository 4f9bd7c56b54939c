import { HubError } from "../../core/errors.ts";
import { isDeeper, type JsonObject, PATCH_DEPTH } from "../../core/json.ts";

/** A document that a bot or tool keeps under an id of its own, for as long as it is used. */
export interface Thread {
  readonly thread_id: string;
  /** The caller's own name for a user. If it is a `customer_id`, the thread is that customer's. */
  readonly user_id?: string;
  readonly data: JsonObject;
  readonly metadata: JsonObject;
  /** Its lifetime after its last use, in ms. */
  readonly ttl_ms: number;
  /** Compared with `If-Match`. Rises with each change, also when an expired thread begins anew. */
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly expires_at: Date;
}

/** A thread's id: letters, digits and `. _ : @ + = ~ -`. */
export const THREAD_ID = /^(?!\.{1,2}$)[A-Za-z0-9._:@+=~-]{1,128}$/;
/** The limit for a thread's `data` and `metadata` together, in bytes of compact JSON. */
export const THREAD_BYTES = 1_048_576;
/** How many days the id of an expired thread answers `thread_expired`. */
export const EXPIRED_THREAD_DAYS = 7;
/** The default lifetime of a thread after its last use. */
export const THREAD_TTL_MS = 24 * 60 * 60_000;

/** A document as the text that is stored and measured. */
export function compact(document: JsonObject): string {
  return JSON.stringify(document);
}

/** Throws `payload_too_large` for a document that is nested deeper than a session's may be. */
export function refuseDeep(document: JsonObject): void {
  if (isDeeper(document, PATCH_DEPTH))
    throw new HubError("payload_too_large", `a document may nest ${PATCH_DEPTH} levels deep`);
}
