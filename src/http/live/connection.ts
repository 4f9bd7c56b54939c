import { CLOSE } from "./frames.ts";

/** The state of one connection. The runtime keeps it while the room hibernates. */
export interface Connection {
  readonly session_id: string;
  readonly token_hash: string;
  /** When it connected, in ms since 1970. */
  readonly since: number;
  /** The `seq` of the last message that was sent to it. */
  readonly cursor: number;
  /** Whether the frame `ready` was sent to it; before that it gets messages only. */
  readonly ready: boolean;
  /** The epoch of the session at the last read; absent before the first one. */
  readonly epoch?: string;
  /** When its token was last found alive, in ms since 1970; 0 if not checked yet. */
  readonly checked_at: number;
  /** How many characters were sent to it. */
  readonly sent: number;
  /** How many messages other than `ping` came from it. */
  readonly received: number;
}

/**
 * The most characters that one connection carries. The runtime buffers everything that a device does not read, and does
 * not show how much, so the total is bounded. The device then connects again with its last cursor and misses nothing.
 */
const MOST_SENT = 2 * 1024 * 1024;

/**
 * How long a token counts as alive after a check. A device gets events for at most this long after its token has died.
 */
const TRUSTED_MS = 30_000;

/** Whether the token must be checked again before anything more is sent to the device. */
export function isCheckDue({ checked_at }: Connection, now: number): boolean {
  return checked_at + TRUSTED_MS <= now;
}

/** The stored state of a socket. */
export function connectionOf(socket: WebSocket): Connection {
  return socket.deserializeAttachment() as Connection;
}

/** Stores the state of a socket; it is kept while the room hibernates. */
export function remember(socket: WebSocket, connection: Connection): void {
  socket.serializeAttachment(connection);
}

/** Whether the socket is open, so that frames can be sent. */
export function isOpen(socket: WebSocket): boolean {
  return socket.readyState === WebSocket.OPEN;
}

/**
 * Sends frames to a socket. If it is closed, the device finds the messages by its cursor. A socket that has carried
 * `MOST_SENT` is closed before the next frame.
 */
export function send(socket: WebSocket, frames: readonly string[]): void {
  const connection = connectionOf(socket);
  let { sent } = connection;
  for (const frame of frames) {
    if (sent >= MOST_SENT) hangUp(socket, "full");
    if (!isOpen(socket)) return;
    socket.send(frame);
    sent += frame.length;
  }
  remember(socket, { ...connection, sent });
}

/** Closes a socket, if it is still open. */
export function hangUp(socket: WebSocket, why: keyof typeof CLOSE): void {
  if (isOpen(socket)) socket.close(CLOSE[why], why);
}
