import type { ErrorCode } from "../errors.ts";
import type { Identities, IdentityKind } from "../identity/identity.ts";
import type { SessionRef } from "../sessions/session.ts";
import type { Content, ContentKind } from "./content.ts";
import type { Profile } from "./profile.ts";

/** Where a channel reaches a customer: chat and topic, or number and phone. Only the channel that wrote it reads it. */
export type Address = Readonly<Record<string, string>>;

/** What somebody said, in our terms. */
export interface InboundMessage {
  readonly channel: string;
  /**
   * Which of our accounts it came to (bot, phone number). `external_id` is unique within channel and account;
   * without an account it is unique within the session, as with keys that callers choose.
   */
  readonly account?: string;
  readonly external_id: string;
  /** Who sent it: everything the platform or a vouched caller proves, or the session itself. */
  readonly from: Identities | SessionRef;
  /** The identities are only claimed (a phone typed at a kiosk): they find or open only a session nobody has proven. */
  readonly claimed?: boolean;
  /** What the platform says of the sender. It names the customer where the shop has not. */
  readonly profile?: Profile;
  /** SHA-256 of a link token in it, which proves that its sender is the person at the page that showed it. */
  readonly link_hash?: string;
  /** Where the reply goes. */
  readonly address: Address;
  /**
   * The kind of `from` whose address it is: when that identity leaves the customer, so does the address. Absent: the
   * strongest. `null`: the address serves this answer only, for others may read along there; it is never kept as a way to
   * reach the customer, and no link is redeemed from it.
   */
  readonly address_of?: IdentityKind | null;
  readonly content: Content;
  /** `external_id` of the message it answers, or reacts to. */
  readonly reply_to?: string;
  /** The platform's time. */
  readonly sent_at?: Date;
  /** Whether it wakes the bot. A reaction is kept and wakes nobody. */
  readonly wakes: boolean;
  /** When it came, where that was before now: it has waited in the journal. */
  readonly came_at?: Date;
}

/** Something a person of ours wrote from the platform's own app: kept in the customer's session, never answered. */
export interface EchoMessage {
  readonly channel: string;
  readonly account?: string;
  readonly external_id: string;
  /** The customer it was written to. */
  readonly to: Identities;
  readonly content: Content;
  readonly sent_at?: Date;
}

/** How far a message of ours comes, in order; `failed` stands beside it. */
export const STATUS_LADDER = ["pending", "sent", "delivered", "read", "played"] as const;

export type DeliveryStatus = (typeof STATUS_LADDER)[number] | "failed";

/** What became of a message of ours, as the platform tells it. */
export interface Receipt {
  readonly channel: string;
  readonly account?: string;
  readonly external_id: string;
  readonly status: Exclude<DeliveryStatus, "pending">;
  readonly at?: Date;
  /** The platform's error code of a failure. */
  readonly reason?: string;
}

/** A message that now says something else, or is gone (`content: null`). */
export interface Edit {
  readonly channel: string;
  readonly account?: string;
  /** The original's id. */
  readonly external_id: string;
  readonly content: Content | null;
  readonly at?: Date;
  /** Where a reply would go, for a bot that hears of edits; absent where none may be sent. */
  readonly address?: Address;
  /** Whether it wakes the bot; absent means no. */
  readonly wakes?: boolean;
}

/** The same person under another identity of the same kind, as the platform tells it. */
export interface IdentityChange {
  readonly channel: string;
  readonly from: Identities;
  readonly to: Identities;
  /**
   * When it happened, by the platform's clock. Whoever verified the old identity after that is its next owner, and keeps
   * it: the news may be delivered again, or late.
   */
  readonly at?: Date;
}

/** Whether a customer may still be written to. */
export interface Reachability {
  readonly channel: string;
  readonly who: Identities;
  readonly reachable: boolean;
  readonly at?: Date;
}

/** One thing that a webhook says. What we don't handle is named, not dropped. */
export type Inbound =
  | { readonly type: "message"; readonly message: InboundMessage }
  | { readonly type: "echo"; readonly echo: EchoMessage }
  | { readonly type: "receipt"; readonly receipt: Receipt }
  | { readonly type: "edit"; readonly edit: Edit }
  | { readonly type: "identity_change"; readonly change: IdentityChange }
  | { readonly type: "reachability"; readonly reachability: Reachability }
  | Ignored;

/** Something accepted and not kept. */
export interface Ignored {
  readonly type: "ignored";
  readonly reason: IgnoredReason;
  /** The platform's name for it. */
  readonly what: string;
  /** Where the platform waits for a sign that it was seen all the same (a pressed button turns until then). */
  readonly seen?: { readonly address: Address; readonly external_id: string };
}

/**
 * Why something was accepted and not kept: `group` not a private talk, `own` written by a bot, `not_ours` a chat or
 * number of somebody whom no setting names, `no_sender` nobody to answer, `account` news about our own account, `call` a
 * phone call's progress, `history` a backfill, `foreign` another product of the platform, `test` the platform's own
 * sample, `unknown` a field or type we have no reading for, `unreadable` a shape that breaks its own platform's rules.
 */
export type IgnoredReason =
  | "group"
  | "own"
  | "not_ours"
  | "no_sender"
  | "account"
  | "call"
  | "history"
  | "preferences"
  | "foreign"
  | "test"
  | "unknown"
  | "unreadable";

/** A message as it is kept: the row of `messages`. */
export interface Message {
  readonly message_id: string;
  readonly session_id: string;
  /** Rises within a session, by the time of arrival in microseconds; the cursor of every page. */
  readonly seq: number;
  readonly channel: string;
  readonly external_id?: string;
  readonly direction: "inbound" | "outbound";
  readonly role: "user" | "assistant" | "operator" | "system";
  readonly kind: ContentKind;
  /** The trusted caller that told it, where that is not the sender itself: `key:<scope>:<first 8 hex of the key's SHA-256>`. */
  readonly author?: string;
  /** What a bot can read, for every kind; empty once deleted by its author. */
  readonly text: string;
  readonly content: Content;
  readonly reply_to?: string;
  /** Outbound only. */
  readonly status?: DeliveryStatus;
  readonly sent_at?: Date;
  readonly created_at: Date;
  readonly edited_at?: Date;
  readonly deleted_at?: Date;
  /** On pages of the history, of an inbound message that has no answer yet or will get none. */
  readonly turn?: TurnState;
}

/** How far the answer to a message has come. */
export interface TurnState {
  /** `retrying`: an attempt has failed and another follows. `dead`: none follows by itself. */
  readonly state: "waiting" | "running" | "retrying" | "dead";
  /** Attempts so far. */
  readonly attempt: number;
  /** Why the last attempt failed, where one did. */
  readonly code?: ErrorCode;
  readonly reason?: string;
}
