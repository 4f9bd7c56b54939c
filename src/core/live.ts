import type { DeliveryStatus, Message, TurnState } from "./messages/message.ts";
import type { Session } from "./sessions/session.ts";

/** What a session's open devices are told at once. */
export type LiveEvent =
  /** Something new lies behind their cursor. */
  | { readonly type: "messages" }
  /** A message they may have seen has changed: edited, deleted, or further on its way. */
  | { readonly type: "message"; readonly message: Message }
  | { readonly type: "status"; readonly message_id: string; readonly status: DeliveryStatus }
  /** The bot is at work on a message of this channel, the one with this `seq`. */
  | { readonly type: "typing"; readonly channel: string; readonly seq: number }
  /** A turn has failed: no reply comes now, and only with `retrying` later. */
  | { readonly type: "turn"; readonly message_id: string; readonly turn: TurnState }
  | { readonly type: "session"; readonly session: Session }
  /** The session has merged with another one: its devices belong to the survivor, with a history they have not seen. */
  | { readonly type: "moved" }
  /** The session has ended, or this device's token has died (without one: every device's). */
  | { readonly type: "closed"; readonly token_hash?: string };

/** The open devices of a session, wherever they are connected. */
export interface Live {
  /** Tells them, in the background. What cannot be told is found by cursor; nothing is thrown. */
  publish(session_id: string, event: LiveEvent): void;
}
