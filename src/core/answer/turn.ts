import type { Reply } from "../content/reply.ts";
import type { ErrorCode } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import type { Address, Message } from "../messages/message.ts";
import type { CustomerProfile } from "../messages/profile.ts";
import type { Session } from "../sessions/session.ts";

/** The customer of a turn's session, as the bot gets them. */
export interface TurnCustomer {
  /** The shop's own id for them. */
  readonly customer_id?: string;
  /** The shop's name for them, else their messenger's. */
  readonly name?: string;
  /** A language tag that they or the shop have chosen. */
  readonly preferred_language?: string;
  readonly plan: "basic" | "premium";
  readonly tags: readonly string[];
  readonly attributes: JsonObject;
  /** Their profile at their messengers; `channel` is the first messenger that gave one. */
  readonly profile: CustomerProfile;
}

/** One inbound message and its session, claimed by the receiver until the lease ends. */
export interface Turn {
  readonly turn_id: string;
  /** Counts the claims, from 1. Only the newest claim may complete or fail the turn. */
  readonly attempt: number;
  readonly session: Session;
  /** Absent after an erasure of the customer. */
  readonly customer?: TurnCustomer;
  /** The newest message of the turn. The replies answer this one. */
  readonly message: Message;
  /** All messages of the turn in order: `message` alone, unless the bot takes waiting messages in one turn. */
  readonly messages: readonly Message[];
  /** Where the reply goes. */
  readonly channel: string;
  readonly account?: string;
  readonly address: Address;
  /** Until when the platform takes free replies there. Absent: it always does, or the window is closed. */
  readonly window_closes_at?: Date;
  /** Earlier messages of the session, oldest first; at most `Bot.history`. */
  readonly history: readonly Message[];
  /** Why the last attempt failed. Absent on the first attempt, and after one that was cut off. */
  readonly failure?: Failure;
}

/** One call to a platform: a plain text, or a call that the channel has rendered. */
export interface Part {
  readonly kind: "text";
  /** What the part says, in plain text. */
  readonly text: string;
  /** The platform's own call, as the channel made it. Absent: the text is sent. */
  readonly call?: JsonObject;
  /** The hub's id of the earlier message that the call is about. */
  readonly target?: string;
  /** The platform's ids of that message, once it was sent; set when the delivery is claimed. */
  readonly targets?: readonly string[];
  /** How long after the earlier message the platform takes the call, in ms. Absent: always. */
  readonly within_ms?: number;
  /** The category in which the bot says that the platform bills it. */
  readonly billed?: string;
  /**
   * What becomes of it if the platform takes free replies no longer: it waits for the customer to write, or this call is sent in
   * its place. Absent: it is a dead letter, `window_closed`.
   */
  readonly outside?: "hold" | OutsideCall;
}

/** What is sent in place of a part once its window is closed. */
export interface OutsideCall {
  readonly call: JsonObject;
  readonly billed?: string;
  /** The template that the call names. It is checked before it is sent. */
  readonly template?: { readonly name: string; readonly language: string };
}

/** A reply as it is saved: `content` goes into the history, each of `parts` becomes a delivery. */
export interface OutboundReply {
  readonly content: Reply;
  /** The parts, sent in this order. Empty on a channel whose customers fetch their replies themselves. */
  readonly parts: readonly Part[];
}

/** One part of a reply on its way, claimed by the receiver until the lease ends. */
export interface Delivery {
  readonly delivery_id: string;
  readonly message_id: string;
  readonly session_id: string;
  /** Counts the attempts, from 1. Only the newest attempt may settle the delivery. */
  readonly attempt: number;
  readonly channel: string;
  readonly account?: string;
  readonly address: Address;
  readonly content: Part;
  /** Until when the platform takes free replies at the address. Absent: the window is closed, or the channel has none. */
  readonly window_closes_at?: Date;
  /**
   * Earliest time to send: set by the platform's pace, or by the wait that it asked for. The lease counts from then.
   */
  readonly send_at?: Date;
}

/** Why something failed: `code` is the hub's code, `reason` the platform's or the bot's own. */
export interface Failure {
  readonly code: ErrorCode;
  readonly reason: string;
}

/** How an attempt at a delivery ended. */
export type Outcome = {
  readonly delivery_id: string;
  readonly attempt: number;
} /** `billed`: the category under which the platform bills it; absent if it costs nothing. */ & (
  | { readonly state: "sent"; readonly external_id?: string; readonly billed?: string }
  | ({ readonly state: "pending"; readonly retry_at: Date } & Failure)
  /**
   * It waits for the customer to write, at most until `until`. `seen` is the end of the window that the claim said, and `refused`
   * that the platform called that window closed.
   */
  | { readonly state: "held"; readonly until: Date; readonly seen?: Date; readonly refused?: boolean }
  | ({ readonly state: "dead" } & Failure)
);

/** A turn or delivery that we stopped trying, as operators see it. */
export interface DeadLetter {
  /** The id of the turn or the delivery. */
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
