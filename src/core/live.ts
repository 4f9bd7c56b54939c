import type { DeliveryStatus, Message, TurnState } from "./messages/message.ts";
import type { Session } from "./sessions/session.ts";

/** An event that is published to a session's connected devices at once. */
export type LiveEvent =
  /** There are new messages after the devices' cursors. */
  | { readonly type: "messages" }
  /** A message that a device may have has changed: it was edited or deleted, or its delivery status moved. */
  | { readonly type: "message"; readonly message: Message }
  | { readonly type: "status"; readonly message_id: string; readonly status: DeliveryStatus }
  /** The bot works on the message of this channel with this `seq`. */
  | { readonly type: "typing"; readonly channel: string; readonly seq: number }
  /**
   * The bot's answer so far to the message `reply_to`, which has this `seq`: the whole text. It stands until the answer comes. An empty text takes it away.
   * A draft of an older message, or of an earlier attempt at the same one, is void.
   */
  | {
      readonly type: "draft";
      readonly channel: string;
      readonly reply_to: string;
      readonly seq: number;
      readonly attempt: number;
      readonly text: string;
      readonly format?: "plain" | "markdown";
    }
  /** A turn has failed: no reply comes now. With the state `retrying` the bot is asked again later. */
  | { readonly type: "turn"; readonly message_id: string; readonly turn: TurnState }
  | { readonly type: "session"; readonly session: Session }
  /** The session has merged with another one. Its devices now belong to the merged session, whose history is longer. */
  | { readonly type: "moved" }
  /** The session has ended, or a token has died: the one given, or without `token_hash` the token of every device. */
  | { readonly type: "closed"; readonly token_hash?: string };

/** The connected devices of a session. */
export interface Live {
  /** Publishes in the background, and never throws. A device that misses an event finds the change by its cursor. */
  publish(session_id: string, event: LiveEvent): void;
}
