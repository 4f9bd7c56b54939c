import { HubError } from "../errors.ts";
import type { Identities } from "../identity/identity.ts";
import type { JsonObject } from "../json.ts";

export type SessionStatus = "active" | "logged_out" | "expired" | "merged";

/**
 * One customer's window of talk, on all channels: the row of `sessions` without secrets, and what its customer is known
 * by, a key per kind of identity (`phone`, `telegram_chat_id`, …). One that is over shows what its customer holds now.
 */
export interface Session extends Identities {
  readonly session_id: string;
  /** The shop's own name for the customer, of all their sessions. Always text: "103" stays "103". */
  readonly customer_id?: string;
  /** Where it began. */
  readonly channel: string;
  /** Each channel once, in order of first use. */
  readonly channels: readonly string[];
  readonly status: SessionStatus;
  readonly merged_into?: string;
  /** The same customer's session before this one. */
  readonly previous_session_id?: string;
  /** There while its phone is only claimed: typed at a kiosk, and proven by nobody. */
  readonly phone_verified?: false;
  readonly language?: string;
  /** Cart and whatever the frontends keep. */
  readonly data: JsonObject;
  readonly metadata: JsonObject;
  /** Moves with `data`, `metadata`, `language` and `status`; what `If-Match` is compared with. */
  readonly version: number;
  /** All messages of the session, both directions. */
  readonly message_count: number;
  readonly rating?: number;
  readonly feedback?: string;
  readonly summary?: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly last_activity: Date;
  readonly expires_at: Date;
  readonly ended_at?: Date;
}

/** A session by something only its holder or a trusted caller knows. */
export type SessionRef = { readonly token_hash: string } | { readonly session_id: string };

/** Whether a session itself is meant, and not who a person is. */
export function isSessionRef(who: Identities | SessionRef): who is SessionRef {
  return "token_hash" in who || "session_id" in who;
}

/** What a session's `data` and `metadata` may grow to together, in bytes of JSON. */
export const DOCUMENT_BYTES = 262_144;
/** Sessions that a look-up finds at most. */
export const MOST_FOUND = 20;

/** Throws `payload_too_large` when a session's documents would grow past 256 KiB. What merging made larger may still shrink. */
export function refuseGrowth(before: Documents, after: Documents): void {
  const size = sizeOf(after);
  if (size > DOCUMENT_BYTES && size > sizeOf(before)) throw new HubError("payload_too_large", TOO_LARGE);
}

/** What is said then. */
export const TOO_LARGE = `the session's data and metadata would be larger than ${DOCUMENT_BYTES} bytes together`;

type Documents = Pick<Session, "data" | "metadata">;

function sizeOf({ data, metadata }: Documents): number {
  return new TextEncoder().encode(JSON.stringify(data) + JSON.stringify(metadata)).byteLength;
}
