import type { Reply, ReplyKind } from "../content/reply.ts";
import type { ErrorCode } from "../errors.ts";
import type { Identities, IdentityKind } from "../identity/identity.ts";
import type { SessionRef } from "../sessions/session.ts";
import type { Content, ContentKind } from "./content.ts";
import type { Profile } from "./profile.ts";

/** Where a channel reaches a customer: chat and topic, or number and phone. Only the channel that made it reads it. */
export type Address = Readonly<Record<string, string>>;

/** One message from a customer, in the hub's own form. */
export interface InboundMessage {
  readonly channel: string;
  /**
   * The account of the shop that received it (bot, phone number). `external_id` is unique within channel and account.
   * Without an account it is unique within the session only: there the callers choose the ids.
   */
  readonly account?: string;
  readonly external_id: string;
  /** The sender: every identity that the platform or a trusted caller gives, or the session itself. */
  readonly from: Identities | SessionRef;
  /**
   * The identities are only claimed (a phone typed at a kiosk). They find or open only a session without a verified
   * identity.
   */
  readonly claimed?: boolean;
  /** The sender's profile at the platform. Its name is used while the shop has set none. */
  readonly profile?: Profile;
  /**
   * SHA-256 of the link token in the message. It proves that the sender is the person at the device that showed the
   * link.
   */
  readonly link_hash?: string;
  /** Where the reply goes. */
  readonly address: Address;
  /**
   * The kind of the identity in `from` that the address belongs to. When the customer loses that identity, they lose
   * the address too. Absent: the strongest kind. `null`: other people may read messages at the address. It is then used
   * for this answer only, is never saved as a way to reach the customer, and redeems no link.
   */
  readonly address_of?: IdentityKind | null;
  readonly content: Content;
  /** `external_id` of the message that this one answers or reacts to. */
  readonly reply_to?: string;
  /** When it was sent, by the platform's clock. */
  readonly sent_at?: Date;
  /** The language that its words show, as a tag. It becomes the session's if that has not decided one. */
  readonly language?: string;
  /**
   * Whether the bot gets a turn for it. Without one it is only saved: a reaction, unless the bot asks for reactions.
   */
  readonly wakes: boolean;
  /** Until when the platform takes free replies at the address because of this message. Absent: it always does. */
  readonly window_closes_at?: Date;
  /** Its words are only STOP (`out`) or START (`in`): what the customer wants of messages that the shop sends first. */
  readonly opt?: "out" | "in";
  /** When the hub received it; given only for a message that has waited in the journal. */
  readonly came_at?: Date;
}

/**
 * A message that an operator wrote in the platform's own app. It is saved in the customer's session, never answered.
 */
export interface EchoMessage {
  readonly channel: string;
  readonly account?: string;
  readonly external_id: string;
  /** The customer who received it. */
  readonly to: Identities;
  readonly content: Content;
  readonly sent_at?: Date;
}

/** The statuses of an outbound message, in order. `failed` is no step of the order. */
export const STATUS_LADDER = ["pending", "sent", "delivered", "read", "played"] as const;

export type DeliveryStatus = (typeof STATUS_LADDER)[number] | "failed";

/** A status of an outbound message, as the platform reports it. */
export interface Receipt {
  readonly channel: string;
  readonly account?: string;
  readonly external_id: string;
  readonly status: Exclude<DeliveryStatus, "pending">;
  readonly at?: Date;
  /** The platform's error code of a failure. */
  readonly reason?: string;
  /**
   * The failure's cause is that the reply window was closed: how long a window of the platform is, in ms. The delivery then does what
   * its sender wants outside the window.
   */
  readonly window_ms?: number;
}

/** An edited message, or a deleted one (`content: null`). */
export interface Edit {
  readonly channel: string;
  readonly account?: string;
  /** The id of the edited message. */
  readonly external_id: string;
  readonly content: Content | null;
  readonly at?: Date;
  /** Where a reply goes, for a bot that gets edits. Absent: no reply may be sent. */
  readonly address?: Address;
  /** Whether the bot gets a turn for it. Absent: no. */
  readonly wakes?: boolean;
}

/** A person's identity was replaced with another one of the same kind, as the platform reports it. */
export interface IdentityChange {
  readonly channel: string;
  readonly from: Identities;
  readonly to: Identities;
  /**
   * When it happened, by the platform's clock. A customer who verified the old identity after that time is its new
   * owner and keeps it, because the platform may deliver the event late or twice.
   */
  readonly at?: Date;
}

/** Whether the shop may still write to a customer. */
export interface Reachability {
  readonly channel: string;
  readonly who: Identities;
  readonly reachable: boolean;
  /**
   * When it happened, by the platform's clock, maybe in whole seconds. The news may be delivered again, or late, so it changes
   * nothing when newer news is known, and a block changes nothing when a message of the customer came on that channel at that
   * instant or since. Of two instants that are equal the customer who may be written to counts: should that be wrong, the
   * platform refuses the next reply. Absent: it counts in any case.
   */
  readonly at?: Date;
}

/** What a platform says of one of the shop's templates. */
export interface TemplateUpdate {
  readonly channel: string;
  /** The business account of the template. */
  readonly account: string;
  readonly name: string;
  readonly language: string;
  /** `DELETED`, or its new status. Absent: something else of it has changed. */
  readonly status?: string;
  /** The platform's reason for a refusal or a pause. */
  readonly reason?: string;
}

/** One event of a webhook. An event that the hub does not handle is returned as `ignored`, never dropped. */
export type Inbound =
  | { readonly type: "message"; readonly message: InboundMessage }
  | { readonly type: "echo"; readonly echo: EchoMessage }
  | { readonly type: "receipt"; readonly receipt: Receipt }
  | { readonly type: "edit"; readonly edit: Edit }
  | { readonly type: "identity_change"; readonly change: IdentityChange }
  | { readonly type: "reachability"; readonly reachability: Reachability }
  | { readonly type: "template"; readonly update: TemplateUpdate }
  | Ignored;

/** An event that the hub accepts and does not save. */
export interface Ignored {
  readonly type: "ignored";
  readonly reason: IgnoredReason;
  /** The platform's name for it. */
  readonly what: string;
  /** The address and id to acknowledge, if the platform waits for it: a pressed button shows a spinner until then. */
  readonly seen?: { readonly address: Address; readonly external_id: string };
}

/**
 * Why an event was accepted and not saved.
 * - `group`: not a private chat
 * - `own`: written by a bot
 * - `not_ours`: in a chat or at a number that no setting names
 * - `no_sender`: has no sender to answer
 * - `account`: about the shop's own account
 * - `call`: the progress of a phone call
 * - `history`: a backfill of old messages
 * - `preferences`: a customer's choice about marketing messages
 * - `foreign`: of another product of the platform
 * - `test`: the platform's own sample
 * - `unknown`: a field or type that the hub does not know
 * - `unreadable`: breaks the platform's own rules
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

/** A message as it is stored: the row of `messages`. */
export interface Message {
  readonly message_id: string;
  readonly session_id: string;
  /** Rises within a session: the time of arrival in microseconds plus the place in its webhook. The cursor of every page. */
  readonly seq: number;
  readonly channel: string;
  readonly external_id?: string;
  readonly direction: "inbound" | "outbound";
  readonly role: "user" | "assistant" | "operator" | "system";
  readonly kind: ContentKind | ReplyKind;
  /**
   * The caller that sent it for its sender: `key:<scope>:<first 8 hex of the key's SHA-256>`. Absent: the sender
   * itself.
   */
  readonly author?: string;
  /** The text for bots, for every kind; empty once its author has deleted the message. */
  readonly text: string;
  /** A customer's content, or a reply. */
  readonly content: Content | Reply;
  readonly reply_to?: string;
  /** Outbound only. */
  readonly status?: DeliveryStatus;
  readonly sent_at?: Date;
  readonly created_at: Date;
  readonly edited_at?: Date;
  readonly deleted_at?: Date;
  /** The emoji with which the shop has reacted to it. */
  readonly reaction?: string;
  /** When the shop pinned it; absent if it is not pinned. */
  readonly pinned_at?: Date;
  /** The turn's state, on pages of the history only, if the inbound message has no answer yet or will get none. */
  readonly turn?: TurnState;
}

/** The state of the turn of a message. */
export interface TurnState {
  /**
   * `retrying`: an attempt has failed, and another one follows. `dead`: no attempt follows, unless an operator retries.
   */
  readonly state: "waiting" | "running" | "retrying" | "dead";
  /** Attempts so far. */
  readonly attempt: number;
  /** Why the last attempt failed; absent if none did. */
  readonly code?: ErrorCode;
  readonly reason?: string;
}
