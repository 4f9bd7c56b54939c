import type { Hub } from "../../src/core/hub.ts";
import type { Store } from "../../src/core/store.ts";
import { type Connection, connectionOf, remember } from "../../src/http/live/connection.ts";
import type { RoomEvent } from "../../src/http/live/frames.ts";
import { liveRoom } from "../../src/http/live/room.ts";

export interface PlayedSocket {
  readonly frames: any[];
  readonly closed: number | undefined;
  readonly connection: Connection;
}

/**
 * A room outside of workerd: its runtime is played, with sockets that are there from the start. What a real one does with
 * connections is for `live.test.ts`; here time and failures are in the test's hand.
 */
export function playedRoom(store: Partial<Store>, log: Hub["log"] = () => {}) {
  const sockets: (WebSocket & PlayedSocket)[] = [];
  const waiting = new Set<Promise<unknown>>();
  const context = {
    id: { name: "the session" },
    alarm: null as number | null,
    setWebSocketAutoResponse: () => {},
    getWebSockets: (tag?: string) =>
      sockets.filter(({ connection }) => tag === undefined || connection.token_hash === tag),
    acceptWebSocket: (socket: WebSocket & PlayedSocket) => void sockets.push(socket),
    waitUntil: (work: Promise<unknown>) => void waiting.add(work),
    storage: {
      getAlarm: async () => context.alarm,
      setAlarm: async (at: number) => {
        context.alarm = at;
      },
    },
  };
  Object.assign(globalThis, { WebSocketRequestResponsePair: Object });
  const LiveRoom = liveRoom(() => ({ store: store as Store, close: async () => {} }), log);
  const room = new LiveRoom(context as never, {});

  return {
    room,
    context,
    /** A device that connected and knows nothing yet. */
    join(session_id: string, token_hash: string, over: Partial<Connection> = {}): PlayedSocket {
      const socket = playedSocket();
      sockets.push(socket);
      const standing = { since: 0, cursor: 0, ready: false, seen: 0, sent: 0, heard: 0 };
      remember(socket, { session_id, token_hash, ...standing, ...over });
      return socket;
    },
    /** Tells the room, and waits until it has done what that takes. */
    async tell(...events: RoomEvent[]): Promise<void> {
      await room.fetch(new Request("http://room/", { method: "POST", body: JSON.stringify(events) }));
      await Promise.all(waiting);
    },
  };
}

/** In the place of `WebSocketPair`. */
export class PlayedPair {
  readonly 0 = {};
  readonly 1 = playedSocket();
}

/** In the place of `Response`, which allows no 101 outside of workerd. */
export class PlayedResponse {
  constructor(_body: null, init: object) {
    Object.assign(this, init);
  }
}

function playedSocket(): WebSocket & PlayedSocket {
  let attachment: unknown;
  const socket = {
    frames: [] as any[],
    closed: undefined as number | undefined,
    get readyState() {
      return socket.closed === undefined ? WebSocket.OPEN : WebSocket.CLOSED;
    },
    send: (text: string) => void socket.frames.push(JSON.parse(text)),
    close: (code: number) => {
      socket.closed = code;
    },
    serializeAttachment: (value: unknown) => {
      attachment = structuredClone(value);
    },
    deserializeAttachment: () => structuredClone(attachment),
    get connection() {
      return connectionOf(socket as never);
    },
  };
  return socket as never;
}
