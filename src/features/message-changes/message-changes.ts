import type { Delivery, OutboundReply } from "../../core/answer/turn.ts";
import type { Message } from "../../core/messages/message.ts";
import type { OperatedBy } from "../../core/operations.ts";

/** Changes of earlier messages by an operator. One method is one round trip and one transaction. */
export interface MessageChanges {
  /** The channel of a message. Throws `not_found`. */
  channelOf(message_id: string): Promise<string>;
  /**
   * Saves an edit, a deletion, a reaction or a pin of this message: in its session's history as a message of its own, on the message itself, in
   * the outbox and in the audit. The same change again changes nothing. Throws `not_found`, and `not_changeable` with the reason in
   * `details.why`. Throws `unauthorized` for a token of nobody, and `conversation_taken` for the conversation of a colleague.
   */
  change(message_id: string, change: OutboundReply, by: OperatedBy, now: Date): Promise<ChangedMessage>;
}

export interface ChangedMessage {
  /** The message as it is now. */
  readonly message: Message;
  /** Whether this call has changed it. */
  readonly changed: boolean;
  /** The first part of the change, claimed by the caller, which sends it now. */
  readonly deliveries: readonly Delivery[];
}
