import { toHubError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Env } from "../../core/settings.ts";
import type { Store } from "../../core/store.ts";
import type { MediaLinks } from "../../features/media/links.ts";
import { catchUp } from "./catch-up.ts";
import { connectionOf, hangUp, isCheckDue, isOpen, remember, send } from "./connection.ts";
import { type Notice, PROTOCOL, type RoomEvent } from "./frames.ts";
import { newest } from "./newest.ts";

/** The most connections of one session. */
const MOST_CONNECTIONS = 32;
/**
 * The most connections of one token. A device with many pages closes its own oldest ones, not those of other devices.
 */
const MOST_OF_DEVICE = 8;
/** Limits on what a device sends. It needs only `ping`, which does not wake the room; every other message does. */
const LONGEST_MESSAGE = 1024;
const MOST_MESSAGES = 100;
/** How often a room checks its devices' tokens, and looks for messages that were not published to it. */
const CHECK_MS = 5 * 60_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

/** A store for one look, and a function that closes its connection. */
interface OpenStore {
  readonly store: Store;
  readonly links: MediaLinks;
  readonly close: () => Promise<void>;
}

/** A device that connects, as described by the Worker, which has checked its token. */
export interface Joining {
  readonly session_id: string;
  readonly token_hash: string;
  readonly after: number;
  /** Whether the device asked for the subprotocol. */
  readonly asked: boolean;
}

type Typing = Extract<RoomEvent, { type: "typing" }>;

/** The header in which the Worker describes the connecting device to the room. */
export const JOINING_HEADER = "x-hub-joining";

/**
 * The Durable Object class for the connected devices of one session. It hibernates between events. For an event
 * `messages` it reads the store after each device's cursor, so events may arrive in any order: no message is missed,
 * sent twice or out of order. https://developers.cloudflare.com/durable-objects/best-practices/websockets/
 */
export function liveRoom(open: (env: Env) => OpenStore, log: Log) {
  return class LiveRoom {
    readonly #context: DurableObjectState;
    readonly #env: Env;
    readonly #isNewest = newest();
    readonly #notices: Notice[] = [];
    #typing: Typing[] = [];
    #mustLook = false;
    #busy = false;
    #failures = 0;

    constructor(context: DurableObjectState, env: Env) {
      this.#context = context;
      this.#env = env;
      context.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    }

    async fetch(request: Request): Promise<Response> {
      const joining = request.headers.get(JOINING_HEADER);
      if (joining) return this.#connect(JSON.parse(joining) as Joining);
      if (this.#sockets().length > 0) {
        for (const event of (await request.json()) as RoomEvent[]) this.#take(event);
        this.#mustLook ||= this.#notices.length > 0 && this.#sockets().some(mustCheck);
        this.#context.waitUntil(this.#work());
      }
      return new Response(null, { status: 204 });
    }

    webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
      const length = typeof message === "string" ? message.length : message.byteLength;
      const received = connectionOf(socket).received + 1;
      remember(socket, { ...connectionOf(socket), received });
      if (length > LONGEST_MESSAGE) hangUp(socket, "tooLong");
      else if (received > MOST_MESSAGES) hangUp(socket, "tooMuch");
    }

    /** Answers a device that closes the connection. The runtime does not, and the device would wait for the answer. */
    webSocketClose(socket: WebSocket): void {
      socket.close();
    }

    /** Checks every token again, and looks for messages that were not published here. */
    async alarm(): Promise<void> {
      if (this.#sockets().length === 0) return;
      await this.#context.storage.setAlarm(Date.now() + CHECK_MS * (0.8 + 0.4 * Math.random()));
      this.#mustLook = true;
      await this.#work();
    }

    #connect({ session_id, token_hash, after, asked }: Joining): Response {
      makeRoom(this.#context.getWebSockets(token_hash).filter(isOpen), MOST_OF_DEVICE);
      makeRoom(this.#sockets(), MOST_CONNECTIONS);
      const { 0: client, 1: server } = new WebSocketPair();
      this.#context.acceptWebSocket(server, [token_hash]);
      const since = Date.now();
      const initial = { cursor: after, ready: false, checked_at: 0, sent: 0, received: 0 };
      remember(server, { session_id, token_hash, since, ...initial });
      this.#mustLook = true;
      this.#context.waitUntil(Promise.all([this.#work(), this.#setAlarm()]));
      return new Response(null, {
        status: 101,
        webSocket: client,
        ...(asked && { headers: { "Sec-WebSocket-Protocol": PROTOCOL } }),
      });
    }

    async #setAlarm(): Promise<void> {
      const { storage } = this.#context;
      if ((await storage.getAlarm()) === null) await storage.setAlarm(Date.now() + CHECK_MS);
    }

    /**
     * Looks for messages and passes notices on. Only one run at a time; events that arrive during it wait for its end.
     */
    async #work(): Promise<void> {
      if (this.#busy) return;
      this.#busy = true;
      try {
        while (this.#mustLook || this.#notices.length > 0) {
          const typing = this.#typing.splice(0);
          if (this.#mustLook) await this.#look();
          for (const event of typing) this.#passTyping(event, (cursor) => cursor === event.seq);
          for (const notice of this.#notices.splice(0)) if (this.#isNewest(notice)) this.#pass(notice);
        }
      } finally {
        this.#busy = false;
      }
    }

    /** Sends all devices the messages after their cursors. If the store does not answer, an alarm tries again later. */
    async #look(): Promise<void> {
      this.#mustLook = false;
      try {
        await this.#withStore(({ sessions }, links) => catchUp(this.#sockets(), sessions, links));
        this.#failures = 0;
      } catch (thrown) {
        const { code, reason } = toHubError(thrown);
        log("warn", "live.look_failed", { session_id: this.#context.id.name, code, reason });
        const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
        await this.#context.storage.setAlarm(Date.now() + wait);
      }
    }

    async #withStore(work: (store: Store, links: MediaLinks) => Promise<void>): Promise<void> {
      const { store, links, close } = open(this.#env);
      try {
        await work(store, links);
      } finally {
        await close();
      }
    }

    #take(event: RoomEvent): void {
      switch (event.type) {
        case "messages":
          this.#mustLook = true;
          break;
        case "closed":
          for (const socket of this.#context.getWebSockets(event.token_hash)) hangUp(socket, "closed");
          break;
        case "moved":
          for (const socket of this.#sockets()) hangUp(socket, "moved");
          break;
        case "typing":
          this.#takeTyping(event);
          break;
        default:
          this.#notices.push(event);
      }
    }

    /**
     * Devices that have the message get `typing` at once: after a look, the reply could come before it. The others get
     * it after the look that brings them the message, if no later message came with it, because that could be the
     * reply.
     */
    #takeTyping(event: Typing): void {
      this.#passTyping(event, (cursor) => cursor >= event.seq);
      if (this.#sockets().every((socket) => connectionOf(socket).cursor >= event.seq)) return;
      this.#typing.push(event);
      this.#mustLook = true;
    }

    #passTyping({ channel }: Typing, isFor: (cursor: number) => boolean): void {
      const frame = JSON.stringify({ type: "typing", channel } satisfies Notice);
      for (const socket of this.#sockets()) {
        const { cursor, ready } = connectionOf(socket);
        if (ready && isFor(cursor)) send(socket, [frame]);
      }
    }

    /**
     * Passes a notice on. A `changed` message after a device's cursor is left out: the device gets that message later.
     */
    #pass(notice: Notice): void {
      const frame = JSON.stringify(notice);
      for (const socket of this.#sockets()) {
        const { cursor, ready } = connectionOf(socket);
        if (!ready || (notice.type === "changed" && notice.message.seq > cursor)) continue;
        if (!mustCheck(socket)) send(socket, [frame]);
      }
    }

    #sockets(): WebSocket[] {
      return this.#context.getWebSockets().filter(isOpen);
    }
  };
}

function mustCheck(socket: WebSocket): boolean {
  return isCheckDue(connectionOf(socket), Date.now());
}

/** Closes the oldest sockets, so that with a new one there are at most `most`. */
function makeRoom(sockets: WebSocket[], most: number): void {
  const oldest = sockets.sort((a, b) => connectionOf(a).since - connectionOf(b).since);
  for (const socket of oldest.slice(0, Math.max(0, sockets.length + 1 - most))) hangUp(socket, "crowded");
}
