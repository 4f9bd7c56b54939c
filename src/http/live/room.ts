import { toHubError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Env } from "../../core/settings.ts";
import type { Store } from "../../core/store.ts";
import { catchUp } from "./catch-up.ts";
import { connectionOf, hangUp, isDoubtful, isOpen, remember, send } from "./connection.ts";
import { type Notice, PROTOCOL, type RoomEvent } from "./frames.ts";
import { newest } from "./newest.ts";

const MOST_CONNECTIONS = 32;
/** Of one token: a device with many open pages closes its own, and no other device's. */
const MOST_OF_DEVICE = 8;
/** Devices have nothing to say but `ping`, which wakes no room; all else does, and is bounded. */
const LONGEST_MESSAGE = 1024;
const MOST_MESSAGES = 100;
/** How often a room looks whether its devices' tokens live, and for what nobody told it. */
const CHECK_MS = 5 * 60_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

/** A store for one look, and how to hang up after it. */
interface OpenStore {
  readonly store: Store;
  readonly close: () => Promise<void>;
}

/** Who connects, as told by the Worker that has checked the token. */
export interface Guest {
  readonly session_id: string;
  readonly token_hash: string;
  readonly after: number;
  /** Whether it asked for the subprotocol. */
  readonly asked: boolean;
}

type Typing = Extract<RoomEvent, { type: "typing" }>;

/** The header in which a room is told who connects. */
export const GUEST_HEADER = "x-hub-guest";

/**
 * The Durable Object class of one session's open devices, asleep between events. Told of messages, it reads the store
 * after each device's cursor: however such news overtake each other, nothing is missed, doubled or out of order.
 * https://developers.cloudflare.com/durable-objects/best-practices/websockets/
 */
export function liveRoom(open: (env: Env) => OpenStore, log: Log) {
  return class LiveRoom {
    readonly #context: DurableObjectState;
    readonly #env: Env;
    readonly #isNews = newest();
    readonly #inbox: Notice[] = [];
    #typing: Typing[] = [];
    #poked = false;
    #busy = false;
    #failures = 0;

    constructor(context: DurableObjectState, env: Env) {
      this.#context = context;
      this.#env = env;
      context.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    }

    async fetch(request: Request): Promise<Response> {
      const guest = request.headers.get(GUEST_HEADER);
      if (guest) return this.#admit(JSON.parse(guest) as Guest);
      if (this.#sockets().length > 0) {
        for (const event of (await request.json()) as RoomEvent[]) this.#heed(event);
        this.#poked ||= this.#inbox.length > 0 && this.#sockets().some(isInDoubt);
        this.#context.waitUntil(this.#work());
      }
      return new Response(null, { status: 204 });
    }

    webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
      const length = typeof message === "string" ? message.length : message.byteLength;
      const heard = connectionOf(socket).heard + 1;
      remember(socket, { ...connectionOf(socket), heard });
      if (length > LONGEST_MESSAGE) hangUp(socket, "tooLong");
      else if (heard > MOST_MESSAGES) hangUp(socket, "tooMuch");
    }

    /** The runtime leaves it to us to answer a device that hangs up; without that it waits. */
    webSocketClose(socket: WebSocket): void {
      socket.close();
    }

    /** Checks every token again, and looks for what nobody told. */
    async alarm(): Promise<void> {
      if (this.#sockets().length === 0) return;
      await this.#context.storage.setAlarm(Date.now() + CHECK_MS * (0.8 + 0.4 * Math.random()));
      this.#poked = true;
      await this.#work();
    }

    #admit({ session_id, token_hash, after, asked }: Guest): Response {
      makeRoom(this.#context.getWebSockets(token_hash).filter(isOpen), MOST_OF_DEVICE);
      makeRoom(this.#sockets(), MOST_CONNECTIONS);
      const { 0: client, 1: server } = new WebSocketPair();
      this.#context.acceptWebSocket(server, [token_hash]);
      const since = Date.now();
      const standing = { cursor: after, ready: false, seen: 0, sent: 0, heard: 0 };
      remember(server, { session_id, token_hash, since, ...standing });
      this.#poked = true;
      this.#context.waitUntil(Promise.all([this.#work(), this.#keepWatch()]));
      return new Response(null, {
        status: 101,
        webSocket: client,
        ...(asked && { headers: { "Sec-WebSocket-Protocol": PROTOCOL } }),
      });
    }

    async #keepWatch(): Promise<void> {
      const { storage } = this.#context;
      if ((await storage.getAlarm()) === null) await storage.setAlarm(Date.now() + CHECK_MS);
    }

    /** One at a time: what comes meanwhile waits, and many pokes make one look. */
    async #work(): Promise<void> {
      if (this.#busy) return;
      this.#busy = true;
      try {
        while (this.#poked || this.#inbox.length > 0) {
          const typing = this.#typing.splice(0);
          if (this.#poked) await this.#look();
          for (const event of typing) this.#passTyping(event, (cursor) => cursor === event.seq);
          for (const notice of this.#inbox.splice(0)) if (this.#isNews(notice)) this.#pass(notice);
        }
      } finally {
        this.#busy = false;
      }
    }

    /** Brings all devices up to date; a store that does not answer is asked again later. */
    async #look(): Promise<void> {
      this.#poked = false;
      try {
        await this.#withStore(({ sessions }) => catchUp(this.#sockets(), sessions));
        this.#failures = 0;
      } catch (thrown) {
        const { code, reason } = toHubError(thrown);
        log("warn", "live.look_failed", { session_id: this.#context.id.name, code, reason });
        const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
        await this.#context.storage.setAlarm(Date.now() + wait);
      }
    }

    async #withStore(work: (store: Store) => Promise<void>): Promise<void> {
      const { store, close } = open(this.#env);
      try {
        await work(store);
      } finally {
        await close();
      }
    }

    #heed(event: RoomEvent): void {
      switch (event.type) {
        case "messages":
          this.#poked = true;
          break;
        case "closed":
          for (const socket of this.#context.getWebSockets(event.token_hash)) hangUp(socket, "closed");
          break;
        case "moved":
          for (const socket of this.#sockets()) hangUp(socket, "moved");
          break;
        case "typing":
          this.#heedTyping(event);
          break;
        default:
          this.#inbox.push(event);
      }
    }

    /**
     * Devices that have the message are told at once: behind a look it could come after the reply that it announces.
     * The others are told when a look has brought them the message and nothing after it, which could be the reply.
     */
    #heedTyping(event: Typing): void {
      this.#passTyping(event, (cursor) => cursor >= event.seq);
      if (this.#sockets().every((socket) => connectionOf(socket).cursor >= event.seq)) return;
      this.#typing.push(event);
      this.#poked = true;
    }

    #passTyping({ channel }: Typing, isTold: (cursor: number) => boolean): void {
      const frame = JSON.stringify({ type: "typing", channel } satisfies Notice);
      for (const socket of this.#sockets()) {
        const { cursor, ready } = connectionOf(socket);
        if (ready && isTold(cursor)) send(socket, [frame]);
      }
    }

    /** A message beyond a device's cursor comes to it as it then is; a change to it would be one of nothing. */
    #pass(notice: Notice): void {
      const frame = JSON.stringify(notice);
      for (const socket of this.#sockets()) {
        const { cursor, ready } = connectionOf(socket);
        if (!ready || (notice.type === "changed" && notice.message.seq > cursor)) continue;
        if (!isInDoubt(socket)) send(socket, [frame]);
      }
    }

    #sockets(): WebSocket[] {
      return this.#context.getWebSockets().filter(isOpen);
    }
  };
}

function isInDoubt(socket: WebSocket): boolean {
  return isDoubtful(connectionOf(socket), Date.now());
}

/** Closes the oldest of these, so that with one more there are `most`. */
function makeRoom(sockets: WebSocket[], most: number): void {
  const oldest = sockets.sort((a, b) => connectionOf(a).since - connectionOf(b).since);
  for (const socket of oldest.slice(0, Math.max(0, sockets.length + 1 - most))) hangUp(socket, "crowded");
}
