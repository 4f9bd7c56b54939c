import type { ErrorCode } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import type { Content, ContentOf } from "../messages/content.ts";
import type { Address, Message } from "../messages/message.ts";
import type { CustomerProfile } from "../messages/profile.ts";
import type { Session } from "../sessions/session.ts";

/** What a bot is told of the customer whose session it is. */
export interface TurnCustomer {
  /** The shop's own name for them. */
  readonly customer_id?: string;
  /** What the shop calls them, else what their messenger does. */
  readonly name?: string;
  /** A language tag that they or the shop have chosen. */
  readonly preferred_language?: string;
  readonly plan: "basic" | "premium";
  readonly tags: readonly string[];
  readonly attributes: JsonObject;
  /** What their messenger says of them; `channel` is that which was first. */
  readonly profile: CustomerProfile;
}

/** One inbound message and its session, claimed by us until its lease ends. */
export interface Turn {
  readonly turn_id: string;
  /** Counts the claims, from 1. Only the newest claim may complete or fail the turn. */
  readonly attempt: number;
  readonly session: Session;
  /** Absent once their data was erased. */
  readonly customer?: TurnCustomer;
  /** The newest message of the turn: what the replies answer. */
  readonly message: Message;
  /** All messages of the turn in order: that one alone, unless the bot takes waiting messages together. */
  readonly messages: readonly Message[];
  /** Where the reply goes. */
  readonly channel: string;
  readonly account?: string;
  readonly address: Address;
  /** Earlier messages of the session, oldest first; as many as the bot asks for. */
  readonly history: readonly Message[];
}

/** What the bot wants said. */
export type Reply = ContentOf<"text">;

/** A reply as it goes into the outbox: whole for the history, in parts for the platform. */
export interface OutboundReply {
  readonly content: Reply;
  /** One delivery each, sent in this order. Empty on a channel whose customers fetch their replies themselves. */
  readonly parts: readonly Reply[];
}

/** One part of a reply on its way, claimed by us until its lease ends. */
export interface Delivery {
  readonly delivery_id: string;
  readonly message_id: string;
  readonly session_id: string;
  /** Counts the attempts, from 1. Only the newest may settle it. */
  readonly attempt: number;
  readonly channel: string;
  readonly account?: string;
  readonly address: Address;
  readonly content: Content;
  /** Not to be sent before: the platform's pace, or the wait it asked for. The lease counts from then. */
  readonly send_at?: Date;
}

/** Why something did not work out: the hub's code for it, and the platform's or the bot's own. */
export interface Failure {
  readonly code: ErrorCode;
  readonly reason: string;
}

/** How an attempt at a delivery ended. */
export type Outcome = { readonly delivery_id: string; readonly attempt: number } & (
  | { readonly state: "sent"; readonly external_id?: string }
  | ({ readonly state: "pending"; readonly retry_at: Date } & Failure)
  | ({ readonly state: "dead" } & Failure)
);

/** A turn or delivery we stopped trying, as operators see it. */
export interface DeadLetter {
  /** Of the turn or the delivery. */
  readonly id: string;
  readonly type: "turn" | "delivery";
  readonly session_id: string;
  /** The inbound message of a turn, the reply of a delivery. */
  readonly message_id: string;
  readonly channel: string;
  readonly attempt: number;
  readonly code: ErrorCode;
  readonly reason: string;
  readonly created_at: Date;
}
