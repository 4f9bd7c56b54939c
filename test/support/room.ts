import type { Hub } from "../../src/core/hub.ts";
import type { Store } from "../../src/core/store.ts";
import { mediaLinks } from "../../src/features/media/links.ts";
import { type Connection, connectionOf, remember } from "../../src/http/live/connection.ts";
import type { RoomEvent } from "../../src/http/live/frames.ts";
import { liveRoom } from "../../src/http/live/room.ts";

export interface FakeSocket {
  readonly frames: any[];
  readonly closed: number | undefined;
  readonly connection: Connection;
}

/**
 * A room outside workerd, on a fake runtime with fake sockets. The test controls time and failures. `live.test.ts`
 * tests real connections.
 */
export function fakeRoom(store: Partial<Store>, log: Hub["log"] = () => {}) {
  const sockets: (WebSocket & FakeSocket)[] = [];
  const waiting = new Set<Promise<unknown>>();
  const context = {
    id: { name: "the session" },
    alarm: null as number | null,
    setWebSocketAutoResponse: () => {},
    getWebSockets: (tag?: string) =>
      sockets.filter(({ connection }) => tag === undefined || connection.token_hash === tag),
    acceptWebSocket: (socket: WebSocket & FakeSocket) => void sockets.push(socket),
    waitUntil: (work: Promise<unknown>) => void waiting.add(work),
    storage: {
      getAlarm: async () => context.alarm,
      setAlarm: async (at: number) => {
        context.alarm = at;
      },
    },
  };
  Object.assign(globalThis, { WebSocketRequestResponsePair: Object });
  const LiveRoom = liveRoom(
    () => ({ store: store as Store, links: mediaLinks([], undefined), close: async () => {} }),
    log,
  );
  const room = new LiveRoom(context as never, {});

  return {
    room,
    context,
    /** A device that has connected and has no messages yet. */
    join(session_id: string, token_hash: string, over: Partial<Connection> = {}): FakeSocket {
      const socket = fakeSocket();
      sockets.push(socket);
      const initial = { since: 0, cursor: 0, ready: false, checked_at: 0, sent: 0, received: 0 };
      remember(socket, { session_id, token_hash, ...initial, ...over });
      return socket;
    },
    /** Publishes events to the room, and waits until it has handled them. */
    async publish(...events: RoomEvent[]): Promise<void> {
      await room.fetch(new Request("http://room/", { method: "POST", body: JSON.stringify(events) }));
      await Promise.all(waiting);
    },
  };
}

/** Replaces `WebSocketPair`. */
export class FakePair {
  readonly 0 = {};
  readonly 1 = fakeSocket();
}

/** Replaces `Response`, which does not allow the status 101 outside workerd. */
export class FakeResponse {
  constructor(_body: null, init: object) {
    Object.assign(this, init);
  }
}

function fakeSocket(): WebSocket & FakeSocket {
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
