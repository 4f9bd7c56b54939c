import { HubError } from "../errors.ts";
import type { Identities } from "../identity/identity.ts";
import type { JsonObject } from "../json.ts";

export type SessionStatus = "active" | "logged_out" | "expired" | "merged";

/**
 * One customer's window of talk, on all channels: the row of `sessions` without secrets, and the customer's identities,
 * one key per kind (`phone`, `telegram_chat_id`, …). A session that is over shows the identities that its customer has
 * now.
 */
export interface Session extends Identities {
  readonly session_id: string;
  /** The shop's own id of the customer, the same in all their sessions. Always text: "103" stays "103". */
  readonly customer_id?: string;
  /** The channel on which it began. */
  readonly channel: string;
  /** Each channel once, in order of first use. */
  readonly channels: readonly string[];
  readonly status: SessionStatus;
  readonly merged_into?: string;
  /** The same customer's session before this one. */
  readonly previous_session_id?: string;
  /** Present only while the phone is claimed and not verified: typed at a kiosk. */
  readonly phone_verified?: false;
  readonly language?: string;
  /** Its customer's: present only if it is set. */
  readonly preferred_language?: string;
  /** Its customer's: present only if it is not `basic`. */
  readonly plan?: "premium";
  /** Who has its customer's conversation, if it is not the bot: nobody yet, or a person of the shop. */
  readonly holder?: "waiting" | "person";
  /** The cart, and any other data of the frontends. */
  readonly data: JsonObject;
  readonly metadata: JsonObject;
  /**
   * Rises with each change of `data`, `metadata`, `language`, `customer_id` or `status`, with a merge, and with a lost
   * identity. `If-Match` is compared with it.
   */
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

/** Names a session by something that only its holder or a trusted caller knows. */
export type SessionRef = { readonly token_hash: string } | { readonly session_id: string };

/** Whether the value names a session, not identities. */
export function isSessionRef(who: Identities | SessionRef): who is SessionRef {
  return "token_hash" in who || "session_id" in who;
}

/** The limit of a session's `data` and `metadata` together, in bytes of JSON. */
export const DOCUMENT_BYTES = 262_144;
/** The most sessions that a look-up returns. */
export const MOST_FOUND = 20;

/**
 * Throws `payload_too_large` if a session's documents would grow past 256 KiB. Larger ones, made by a merge, may
 * shrink.
 */
export function refuseGrowth(before: Documents, after: Documents): void {
  const size = documentsSize(after);
  if (size > DOCUMENT_BYTES && size > documentsSize(before))
    throw new HubError("payload_too_large", TOO_LARGE);
}

/** The message of that error. */
export const TOO_LARGE = `the session's data and metadata would be larger than ${DOCUMENT_BYTES} bytes together`;

type Documents = Pick<Session, "data" | "metadata">;

/** The size of two documents, in bytes of compact JSON. */
export function documentsSize({ data, metadata }: Documents): number {
  return new TextEncoder().encode(JSON.stringify(data) + JSON.stringify(metadata)).byteLength;
}
