import { CLOSE } from "./frames.ts";

/** One open connection, as the runtime keeps it for us while the room sleeps. */
export interface Connection {
  readonly session_id: string;
  readonly token_hash: string;
  /** When it connected, in milliseconds. */
  readonly since: number;
  /** Everything up to here was sent to it. */
  readonly cursor: number;
  /** Whether it has been told that it knows everything; before that it gets messages only. */
  readonly ready: boolean;
  /** When its token was last seen alive, in milliseconds; 0 while it was not. */
  readonly seen: number;
  /** How many characters it was sent. */
  readonly sent: number;
  /** How many messages that are no `ping` came from it. */
  readonly heard: number;
}

/**
 * Characters that one connection carries at most. The runtime keeps what a device does not read, without saying how much
 * that is, so the total is bounded: the device connects again with its last cursor and misses nothing.
 */
const MOST_SENT = 2 * 1024 * 1024;

/** What a device is sent after its token has died is what comes within this time. */
const TRUSTED_MS = 30_000;

/** Whether its token must be looked at before it is sent anything more of its session. */
export function isDoubtful({ seen }: Connection, now: number): boolean {
  return seen + TRUSTED_MS <= now;
}

/** What the room knows of a socket. */
export function connectionOf(socket: WebSocket): Connection {
  return socket.deserializeAttachment() as Connection;
}

/** Remembers it, also while the room sleeps. */
export function remember(socket: WebSocket, connection: Connection): void {
  socket.serializeAttachment(connection);
}

/** Whether anything can still be sent. */
export function isOpen(socket: WebSocket): boolean {
  return socket.readyState === WebSocket.OPEN;
}

/**
 * Sends frames to a socket that may be gone: then they are found by cursor. A socket that has carried `MOST_SENT` is closed
 * before the next frame.
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

/** Closes a socket that may be gone. */
export function hangUp(socket: WebSocket, why: keyof typeof CLOSE): void {
  if (isOpen(socket)) socket.close(CLOSE[why], why);
}
