import { z } from "@hono/zod-openapi";
import type { LiveEvent } from "../../core/live.ts";
import type { Message } from "../../core/messages/message.ts";
import type { FileLinks } from "../../features/media/of-message.ts";
import { epochSchema } from "../messages.ts";
import { messageSchema, sessionSchema, turnSchema, viewMessage, viewSession } from "../shapes.ts";

/** The WebSocket subprotocol of `/session/live`: the version of its frames. */
export const PROTOCOL = "hub.v1";

/** The close codes with which the hub closes a connection. */
export const CLOSE = {
  /** The session has merged with another one: read it again from its beginning, and connect again. */
  moved: 4001,
  /** The session has ended or expired, or the device's token has died: the token is no longer valid. */
  closed: 4003,
  /** The session or the device has too many connections; the oldest is closed. */
  crowded: 4008,
  /** The connection has carried its maximum of characters: connect again with the last cursor. */
  full: 4009,
  /** The device has sent too many messages other than `ping`. */
  tooMuch: 1008,
  /** The device has sent a message that is too long. */
  tooLong: 1009,
} as const;

const cursor = z.string().openapi({ description: "Opaque: pass it as `after`." });
const frame = {
  message: z.object({ type: z.literal("message"), message: messageSchema, cursor }),
  ready: z.object({ type: z.literal("ready"), cursor, epoch: epochSchema }),
  changed: z.object({ type: z.literal("changed"), message: messageSchema }),
  status: z.object({
    type: z.literal("status"),
    message_id: z.uuid(),
    status: messageSchema.shape.status.unwrap(),
  }),
  typing: z.object({ type: z.literal("typing"), channel: z.string() }),
  turn: z.object({ type: z.literal("turn"), message_id: z.uuid(), turn: turnSchema }),
  session: z.object({ type: z.literal("session"), session: sessionSchema }),
};

/** A frame that a device receives, as one JSON text. */
export const frameSchema = z
  .discriminatedUnion("type", [
    frame.message,
    frame.ready,
    frame.changed,
    frame.status,
    frame.typing,
    frame.turn,
    frame.session,
  ])
  .openapi("LiveFrame");

type Frame = z.infer<typeof frameSchema>;

/** A frame that is passed on to the devices without reading the store. */
export type Notice = Extract<Frame, { type: "changed" | "status" | "typing" | "turn" | "session" }>;

/** An event for a room: read new messages, close connections, or pass a frame on. */
export type RoomEvent =
  | Extract<LiveEvent, { type: "messages" | "moved" | "closed" | "typing" }>
  | Exclude<Notice, { type: "typing" }>;

/** A live event in the form that a room receives. */
export function toRoomEvent(event: LiveEvent, files: FileLinks): RoomEvent {
  switch (event.type) {
    case "message":
      return { type: "changed", message: viewMessage(event.message, files) };
    case "session":
      return { type: "session", session: viewSession(event.session) };
    default:
      return event;
  }
}

/** The frame of a new message. */
export function messageFrame(message: Message, files: FileLinks): string {
  return text({ type: "message", message: viewMessage(message, files), cursor: String(message.seq) });
}

/** The frame that says that the device has all messages up to this cursor. */
export function readyFrame(at: number, epoch: string): string {
  return text({ type: "ready", cursor: String(at), epoch });
}

function text(value: Frame): string {
  return JSON.stringify(value);
}
