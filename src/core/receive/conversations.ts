import type { Action } from "../../features/actions/action.ts";
import type { Handoff } from "../answer/bot.ts";
import type { Delivery, Failure, OutboundReply, Outcome, Turn } from "../answer/turn.ts";
import type { DeliveryStatus, Inbound, Message } from "../messages/message.ts";
import type { Session } from "../sessions/session.ts";

/** One event of a webhook that is saved. */
export type InboundEvent = Exclude<Inbound, { type: "ignored" | "template" }>;

/** What a proof of identity has changed besides the customer's own session. A field is absent if it would be empty. */
export interface Effects {
  /** Sessions that the proof showed to belong to the same customer. They were merged into the customer's session. */
  readonly merged?: readonly string[];
  /** Hashes of tokens that died, because other people may have held them before the session had a customer. */
  readonly closed?: readonly string[];
  /** Sessions that lost an identity. Each has a new message that says so. */
  readonly notified?: readonly string[];
  /** The fields in which a trusted caller contradicts what is known of the customer. Nothing was changed. */
  readonly conflicts?: readonly "customer_id"[];
  /** Notices, claimed by the caller, which must send them now. */
  readonly deliveries?: readonly Delivery[];
}

/** A session as it is opened for a device, with the effects of the proof. */
export type Opened = Session & Effects;

/** The result for one inbound event. */
export type Received = Effects &
  (
    | {
        readonly type: "message";
        readonly message: Message;
        readonly session: Session;
        /** The message was stored before; nothing changed. */
        readonly duplicate: boolean;
        /** The caller has claimed this turn and answers it now: of this message or an earlier one of its session. */
        readonly turn?: Turn;
      }
    /**
     * `applied` is false if the message or person is unknown or has no session, or if a newer event was applied before.
     */
    | {
        readonly type: "echo" | "receipt" | "edit" | "identity_change" | "reachability";
        readonly applied: boolean;
        /** The new or changed message. */
        readonly message?: Message;
        /** The claimed turn of an edit that wakes the bot. */
        readonly turn?: Turn;
      }
    /** The platform delivered a message again that was erased after its first delivery. Nothing was saved. */
    | { readonly type: "erased"; readonly message?: never; readonly turn?: never }
    /** The event is durable in the journal, and is stored once the store is back. Its result is not known yet. */
    | { readonly type: "journaled"; readonly message?: never; readonly turn?: never }
  );

/**
 * The result of a turn. `deliveries` holds the first delivery of each lane, claimed by the caller, which sends it now.
 */
export interface Completed {
  /** Another worker has claimed or finished the turn in the meantime; nothing was saved. */
  readonly stale: boolean;
  readonly messages: readonly Message[];
  /** The earlier messages that edits, deletions, reactions and pins among the replies have changed. Absent if there are none. */
  readonly changed?: readonly Message[];
  readonly deliveries: readonly Delivery[];
  /** The session's next turn, claimed, if one waits. */
  readonly next?: Turn;
  /** What the actions and the handoff have changed. Absent without both. */
  readonly done?: Done;
}

/** The result of the actions of a bot's answer. */
export interface Done {
  /** The events of reservations and orders. They stand in the history before the replies. */
  readonly messages: readonly Message[];
  readonly session: Session;
  /** Hashes of the tokens that died with the session. */
  readonly closed: readonly string[];
}

export interface Settled {
  readonly deliveries: readonly Delivery[];
  /** The outbound messages whose status has moved. */
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
 * Durable conversation state. One method is one round trip and one transaction. All throw `unavailable` if the store
 * refuses, exceeds its time limit or dies.
 */
export interface Conversations {
  /**
   * For each message: resolves, opens or merges the session, saves the message once, appends the channel, slides the
   * expiry, and claims the session's next turn if none is running. All events of a webhook in one transaction; the
   * results have the order of the events.
   *
   * A message with a `link_hash` redeems the link: its sender and the session that shows the link become one customer.
   * The message is saved as `linked`, `merge_required` or `link_failed`, and is answered with a notice.
   *
   * Throws `session_not_found` or `session_expired` if a message names a session that is not active, and
   * `verification_required` if a message with claimed identities would get a session with verified ones.
   */
  receive(events: readonly InboundEvent[], now: Date): Promise<Received[]>;
  /**
   * Marks the session for a person (`handoff`), applies the actions, saves the replies with their deliveries, ends the turn, and claims the session's next turn and first
   * deliveries. If an action is refused, nothing is saved, and the error's `details.action` is the action's place: `not_found`,
   * `order_conflict`, `illegal_transition`, `payload_too_large`; `needs_database` on the memory store, for actions on customers,
   * reservations and orders.
   */
  complete(
    turn: Turn,
    replies: readonly OutboundReply[],
    now: Date,
    actions?: readonly Action[],
    handoff?: Handoff,
  ): Promise<Completed>;
  /** Releases the turn, to be tried again at `retryAt`. Without `retryAt` the turn becomes a dead letter. */
  fail(turn: Turn, failure: Failure, retryAt: Date | undefined, now: Date): Promise<Completed>;
  /** Records how attempts ended, and claims the next delivery of each lane. */
  settle(outcomes: readonly Outcome[], now: Date): Promise<Settled>;
  /** Claims unanswered turns and due deliveries without a live claim, at most `limit` of each, oldest first. */
  due(now: Date, limit: number): Promise<Due>;
}
