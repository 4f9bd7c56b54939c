import type { Frame } from "./types.ts";

/** The part of a WebSocket that is used: a browser's, Node's from version 22 on, or that of the package `ws`. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(): void;
}
export type SocketClass = new (url: string, protocols: string[]) => Socket;

export interface Dialling {
  readonly Socket: SocketClass;
  readonly url: string;
  readonly token: string;
  /** How long opening may take, in ms. */
  readonly limitMs: number;
  /** How often the connection is tried, in ms. It is dead if no answer came until the next time. */
  readonly pingMs: number;
  readonly signal: AbortSignal;
}

const PROTOCOL = "hub.v1";
/** The code of a connection that ended without one. */
const BROKEN = 1006;

/** One connection until its end: its close code, and whether it was ever open. Calls `take` with each frame. */
export function connection(
  { Socket, url, token, limitMs, pingMs, signal }: Dialling,
  take: (frame: Frame) => void,
): Promise<{ code: number; isOpened: boolean }> {
  return new Promise((resolve) => {
    let isOpened = false;
    let isAnswered = true;
    let beat: ReturnType<typeof setInterval> | undefined;
    const socket = new Socket(url.replace(/^http/, "ws"), [PROTOCOL, token]);
    const late = setTimeout(() => end(BROKEN), limitMs);
    const abort = () => end(BROKEN);

    function end(code: number): void {
      clearTimeout(late);
      clearInterval(beat);
      signal.removeEventListener("abort", abort);
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
      resolve({ code, isOpened });
    }

    function ping(): void {
      if (isAnswered) socket.send("ping");
      else end(BROKEN);
      isAnswered = false;
    }

    socket.onerror = () => {}; // `close` follows
    socket.onopen = () => {
      clearTimeout(late);
      isOpened = true;
      ping();
      beat = setInterval(ping, pingMs);
    };
    socket.onmessage = ({ data }: { data: string }) => {
      if (data === "pong") isAnswered = true;
      else take(JSON.parse(data));
    };
    socket.onclose = ({ code }: { code: number }) => end(code);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
  });
}
