import { z } from "@hono/zod-openapi";
import type { LiveEvent } from "../../core/live.ts";
import type { Message } from "../../core/messages/message.ts";
import { messageSchema, sessionSchema, turnSchema, viewMessage, viewSession } from "../shapes.ts";

/** The subprotocol of `/session/live`: what its frames look like. */
export const PROTOCOL = "hub.v1";

/** Why the hub closes a device's connection. */
export const CLOSE = {
  /** The session has merged with another: read it again from its beginning, and connect again. */
  moved: 4001,
  /** The session has ended or expired, or the device's token has died: this token opens nothing any more. */
  closed: 4003,
  /** The session or the device has too many connections, and this was the oldest. */
  crowded: 4008,
  /** The connection has carried as much as one may: connect again with the last cursor. */
  full: 4009,
  /** The device says too much, though it has nothing to say but `ping`. */
  tooMuch: 1008,
  /** What the device sent is too long. */
  tooLong: 1009,
} as const;

const cursor = z.string().openapi({ description: "Opaque: give it back as `after`." });
const frame = {
  message: z.object({ type: z.literal("message"), message: messageSchema, cursor }),
  ready: z.object({ type: z.literal("ready"), cursor }),
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

/** What a device receives, one JSON text each. */
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

/** A frame that goes to the devices as it comes. */
export type Notice = Extract<Frame, { type: "changed" | "status" | "typing" | "turn" | "session" }>;

/** What a room is told: to look for messages, to close connections, or what to pass on. */
export type RoomEvent =
  | Extract<LiveEvent, { type: "messages" | "moved" | "closed" | "typing" }>
  | Exclude<Notice, { type: "typing" }>;

/** A live event as a room is told of it. */
export function toRoomEvent(event: LiveEvent): RoomEvent {
  switch (event.type) {
    case "message":
      return { type: "changed", message: viewMessage(event.message) };
    case "session":
      return { type: "session", session: viewSession(event.session) };
    default:
      return event;
  }
}

/** The frame of a new message. */
export function messageFrame(message: Message): string {
  return text({ type: "message", message: viewMessage(message), cursor: String(message.seq) });
}

/** The frame that says: up to here you know everything. */
export function readyFrame(at: number): string {
  return text({ type: "ready", cursor: String(at) });
}

function text(value: Frame): string {
  return JSON.stringify(value);
}
