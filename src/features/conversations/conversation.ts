import type { Delivery, OutboundReply, Turn } from "../../core/answer/turn.ts";
import type { Reply } from "../../core/content/reply.ts";
import type { Address, Message } from "../../core/messages/message.ts";

/** Exactly one has a conversation at a time: the bot, nobody yet (a person is asked for), or a person. */
export const HOLDERS = ["bot", "waiting", "person"] as const;
export type Holder = (typeof HOLDERS)[number];

export const VIEWS = ["mine", "unassigned", "waiting", "held", "snoozed", "all"] as const;
export type View = (typeof VIEWS)[number];

/** A person of the staff as colleagues see them. */
export interface Colleague {
  readonly user_id: string;
  readonly name: string;
}

/** One time that a person had, or was to have, a conversation. */
export interface Handoff {
  readonly handoff_id: string;
  /** Where it began. Absent where a person took the conversation of somebody without a session. */
  readonly session_id?: string;
  readonly channel?: string;
  readonly requested_by: "bot" | "customer" | "operator";
  readonly reason?: string;
  /** Whom the bot has asked for. */
  readonly wanted?: string;
  readonly requested_at: Date;
  readonly accepted_at?: Date;
  readonly accepted_by?: Colleague;
  readonly overdue_at?: Date;
  readonly ended_at?: Date;
  readonly outcome?: "given_back" | "closed" | "merged" | "erased";
}

/** A customer's conversation, over all their sessions and channels. */
export interface Conversation {
  readonly customer_key: string;
  readonly customer_id?: string;
  readonly name?: string;
  /** A phone, an e-mail or an account by which staff know them. */
  readonly contact?: string;
  readonly tags: readonly string[];
  readonly plan: "basic" | "premium";
  readonly language?: string;
  /** The session that counts now. */
  readonly session_id?: string;
  readonly session_status?: string;
  readonly channel?: string;
  readonly channels?: readonly string[];
  readonly holder: Holder;
  /** Who has it. Only with the holder `person`. */
  readonly user?: Colleague;
  /** Rises with each change of the holder; 0 if the bot has always had it. */
  readonly version: number;
  readonly unread: number;
  readonly waiting_since?: Date;
  readonly overdue_at?: Date;
  readonly snoozed_until?: Date;
  readonly handoff?: Handoff;
  readonly last?: {
    readonly message_id: string;
    readonly seq: number;
    readonly role: Message["role"];
    readonly author?: string;
    readonly kind: string;
    /** At most 160 characters. */
    readonly text: string;
    readonly channel: string;
    readonly status?: Message["status"];
    readonly at: Date;
  };
  readonly last_at: Date;
}

export interface Counts {
  readonly mine: number;
  readonly unassigned: number;
  readonly waiting: number;
  readonly overdue: number;
  readonly snoozed: number;
  readonly held: number;
}

export interface Note {
  readonly note_id: string;
  readonly user: Colleague;
  readonly text: string;
  readonly mentions: readonly Colleague[];
  readonly created_at: Date;
}

export interface Presence {
  readonly user: Colleague;
  readonly typing: boolean;
}

/** Replies that staff send again and again. */
export interface CannedReply {
  readonly reply_id: string;
  readonly shortcut: string;
  readonly title: string;
  readonly replies: readonly Reply[];
  readonly language?: string;
  readonly version: number;
  readonly updated_by: Colleague;
  readonly updated_at: Date;
}

/** A change of who has a conversation, or of what is known of it. `from` names the person from whom it is taken. */
export type Holding = (
  | { readonly action: "take" | "close" | "seen" }
  | { readonly action: "assign"; readonly to?: string }
  | { readonly action: "give_back"; readonly ask?: boolean }
  | { readonly action: "snooze"; readonly until?: Date }
) & { readonly from?: string; readonly if_version?: number };

export interface Held {
  readonly conversation: Conversation;
  readonly session_id?: string;
  /** Claimed for the bot, which has the conversation again: the caller answers it now. */
  readonly turn?: Turn;
}

/** Where an answer goes. */
export interface ReplyTarget {
  readonly customer_key: string;
  readonly channel: string;
  readonly account?: string;
  /** Absent where the customer cannot be reached on that channel. */
  readonly address?: Address;
  readonly language?: string;
  /** The platform's id of the customer's newest message there. */
  readonly external_id?: string;
}

export interface OperatorReply {
  readonly channel: string;
  readonly account?: string;
  readonly address: Address;
  readonly replies: readonly OutboundReply[];
  /** The `seq` up to which the person has read. */
  readonly seen?: number;
  readonly idempotency_key?: string;
  /** What the call said, to compare it with another call of the same key. */
  readonly fields: unknown;
}

export interface Sent {
  readonly conversation: Conversation;
  readonly session_id?: string;
  readonly messages: readonly Message[];
  /** Claimed by the caller, which sends them now. */
  readonly deliveries: readonly Delivery[];
  /** The call was made before: nothing was sent now. */
  readonly replayed: boolean;
}
