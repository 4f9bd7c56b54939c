import type { Content, ContentOf } from "./content.ts";
import type { Address, Message } from "./message.ts";
import type { Session } from "./session.ts";

/** One inbound message and its session, claimed by us until its lease ends. */
export interface Turn {
  readonly turn_id: string;
  /** Counts the claims, from 1. Only the newest claim may complete or fail the turn. */
  readonly attempt: number;
  readonly session: Session;
  readonly message: Message;
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
}

/** How an attempt at a delivery ended. */
export type Outcome = { readonly delivery_id: string; readonly attempt: number } & (
  | { readonly state: "sent"; readonly external_id?: string }
  | { readonly state: "pending"; readonly retry_at: Date; readonly reason: string }
  | { readonly state: "dead"; readonly reason: string }
);
