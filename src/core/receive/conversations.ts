import type { Delivery, Failure, OutboundReply, Outcome, Turn } from "../answer/turn.ts";
import type { DeliveryStatus, Inbound, Message } from "../messages/message.ts";
import type { Session } from "../sessions/session.ts";

/** Everything of one webhook that is kept, in its order. */
export type InboundEvent = Exclude<Inbound, { type: "ignored" }>;

/** What a proof of who somebody is has changed beside their own session; each absent when there is nothing. */
export interface Effects {
  /** Sessions that it showed to be another one's, and that were merged into it. */
  readonly merged?: readonly string[];
  /** Hashes of tokens that died: anybody may have held them before the session was somebody's. */
  readonly closed?: readonly string[];
  /** Sessions that lost an identity, and have a message more that says so. */
  readonly notified?: readonly string[];
  /** What a trusted caller said of the customer and is not so here: nothing was changed by it. */
  readonly conflicts?: readonly "customer_id"[];
  /** Notices, ours to send now. */
  readonly deliveries?: readonly Delivery[];
}

/** A session as a device gets it. */
export type Opened = Session & Effects;

/** What became of one kept thing. */
export type Received = Effects &
  (
    | {
        readonly type: "message";
        readonly message: Message;
        readonly session: Session;
        /** It was here before; nothing changed. */
        readonly duplicate: boolean;
        /** Ours to answer now: this message's turn or an earlier unfinished one of its session. */
        readonly turn?: Turn;
      }
    /** `applied` is false when what it speaks of is not known here, is newer already, or has no session. */
    | {
        readonly type: "echo" | "receipt" | "edit" | "identity_change" | "reachability";
        readonly applied: boolean;
        /** The message that is new or has changed. */
        readonly message?: Message;
        /** An edit that wakes the bot. */
        readonly turn?: Turn;
      }
    /** A message that was here and has been erased since: its platform delivered it again. Nothing is kept of it. */
    | { readonly type: "erased"; readonly message?: never; readonly turn?: never }
    /** It is durable in the journal and will be stored once the store is back. Nothing more is known of it. */
    | { readonly type: "journaled"; readonly message?: never; readonly turn?: never }
  );

/** What follows a turn: of each line of deliveries (session and channel) the first is ours to send now. */
export interface Completed {
  /** Somebody else has claimed or finished the turn since; nothing was saved. */
  readonly stale: boolean;
  readonly messages: readonly Message[];
  readonly deliveries: readonly Delivery[];
  /** The session's next turn, when one waits. */
  readonly next?: Turn;
}

export interface Settled {
  readonly deliveries: readonly Delivery[];
  /** Our messages whose status has moved. */
  readonly changed: readonly {
    readonly session_id: string;
    readonly message_id: string;
    readonly status: DeliveryStatus;
  }[];
}

export interface Due {
  readonly turns: readonly Turn[];
  readonly deliveries: readonly Delivery[];
}

/**
 * Durable conversation state. One method is one round trip. All throw `unavailable` when the store refuses, hangs
 * past its limit or dies; nothing is half done then.
 */
export interface Conversations {
  /**
   * For each message: resolves, opens or merges the session, saves the message once, appends the channel, slides the
   * expiry, and claims the session's next turn when none is running. All of a webhook in one transaction, results in
   * its order. A message with a `link_hash` joins its sender to the session that waits for it, is kept as what came of
   * it (`linked` or `link_failed`), and is answered with a notice. Throws `session_not_found` or `session_expired` when
   * a message names a session that is not active, and `verification_required` when it claims one it may not have.
   */
  receive(events: readonly InboundEvent[], now: Date): Promise<Received[]>;
  /** Saves the replies with their deliveries, ends the turn, and hands over what comes next. */
  complete(turn: Turn, replies: readonly OutboundReply[], now: Date): Promise<Completed>;
  /** Gives the turn back to be tried again at `retryAt`, or ends it as a dead letter without one. */
  fail(turn: Turn, failure: Failure, retryAt: Date | undefined, now: Date): Promise<Completed>;
  /** Records how attempts ended and hands over the next delivery of each line. */
  settle(outcomes: readonly Outcome[], now: Date): Promise<Settled>;
  /** Claims unanswered turns and due deliveries that nobody holds, at most `limit` of each, oldest first. */
  due(now: Date, limit: number): Promise<Due>;
}
