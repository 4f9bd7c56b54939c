import { askOf, type Request } from "./ask.ts";
import { boxOf, type KeptIn } from "./box.ts";
import { deviceOf, type Held } from "./device.ts";
import { HubError, isDead } from "./error.ts";
import { outboxOf } from "./outbox.ts";
import type { Pauses } from "./pause.ts";
import type { SocketClass } from "./socket.ts";
import { joined, type Listening, type Subscription, split, streamOf } from "./stream.ts";
import type {
  Call,
  Changes,
  Closing,
  Content,
  HubEvent,
  Links,
  Message,
  Opened,
  Outgoing,
  Page,
  Rating,
  Sent,
  Session,
  Start,
  Upload,
  Who,
} from "./types.ts";

export interface HubOptions {
  /** The hub's address, as `https://hub.example`. */
  readonly url: string;
  /** The shop's public id (`WEB_PUBLIC_ID`), for a page. It is no secret. */
  readonly publicId?: string;
  /** An API key: for a kiosk, or a program on a server. A page that customers open must not hold one. */
  readonly key?: string;
  /** The channel of this device. */
  readonly channel?: "web" | "kiosk";
  /**
   * Where the token and the messages that are not sent yet are kept. `memory`, the default: until the page is left.
   * `local`: in `localStorage`, shared by all tabs, readable by every script of the page. A kiosk keeps nothing.
   */
  readonly storage?: "memory" | "local" | KeptIn;
  /** The time limit of each call, in ms. Default 10,000. */
  readonly timeoutMs?: number;
  /** How often a live connection is tried, in ms. Default 30,000. */
  readonly pingMs?: number;
  /** How long one long poll waits, in seconds. Default 25. */
  readonly waitSeconds?: number;
  /** The first and the longest pause between two tries, in ms. Default 500 and 60,000. */
  readonly pauses?: Pauses;
  readonly fetch?: typeof fetch;
  /** Another WebSocket class, such as that of the package `ws`; `false`: long poll only. */
  readonly WebSocket?: unknown;
}

/** One device of a customer at a hub. Every method throws `HubError`, or the reason of the signal. */
export interface HubClient {
  readonly session: {
    /** The session as last seen; absent without one. */
    readonly current: Session | undefined;
    /**
     * Opens a session. With an API key it may name the customer, whose active session it is then; with a public id the
     * `identity` that the shop's server has signed.
     */
    start(start?: Start, call?: Call): Promise<Session>;
    /** The session of the kept token; or with an API key that of the customer. Undefined if there is none any more. */
    restore(who?: Who, call?: Call): Promise<Session | undefined>;
    /** Changes `data`, `metadata`, `language` and more. With `ifVersion` only at that version: else `version_conflict`. */
    update(changes: Changes, call?: Call & { readonly ifVersion?: number }): Promise<Session>;
    /** Ends the session on every channel. */
    end(closing?: Closing, call?: Call): Promise<Session>;
    /** Forgets the session on this device at once, and signs its token out. The session lives on elsewhere. */
    signOut(call?: Call): Promise<void>;
    /** Rates the session; also for a day after its end. */
    rate(rating: Rating, call?: Call): Promise<void>;
  };
  readonly verify: {
    /** Sends a code to the messenger of this phone, if the hub knows one. */
    request(phone: string, call?: Call): Promise<void>;
    /** Gives the code. The device then holds the phone's session. See `merge_required` in docs/identity.md. */
    confirm(phone: string, code: string, call?: Call & { readonly merge?: boolean }): Promise<Session>;
    /** Logs in by phone and password. The device then holds the phone's session. */
    login(phone: string, password: string, call?: Call): Promise<Session>;
    /** Makes links to scan. Once the customer has used one, the device goes on in the merged session by itself. */
    link(call?: Call): Promise<Links>;
  };
  /** Those that the hub does not have yet, the oldest first. */
  readonly pending: readonly Outgoing[];
  /** Sends a message, in order, once, as soon as the hub can be reached. Aborting takes it back if it was not sent. */
  send(
    message: string | Content,
    call?: Call & { readonly externalId?: string; readonly replyTo?: string },
  ): Promise<Sent>;
  /**
   * Uploads a picture, a voice message or another file of at most 16 MB. `send({ kind, media: { upload } })` then sends it; a file that is
   * not sent is deleted after a day. A `File` gives its name. In a browser `onProgress` is called with the part that has gone, from 0 to 1.
   */
  upload(
    file: Blob,
    call?: Call & { readonly name?: string; readonly onProgress?: (part: number) => void },
  ): Promise<Upload>;
  /** Reads a message's file with the token: for links that have ended. `card`: the picture of this card of a carousel, from 1. */
  file(message: Pick<Message, "message_id">, call?: Call & { readonly card?: number }): Promise<Blob>;
  /** The whole address of a message's file; undefined without one. It ends within two hours; a later `history` has a new one. */
  fileUrl(message: Message): string | undefined;
  /** A page of messages, from the beginning or after a cursor. */
  history(page?: Call & { readonly after?: string; readonly limit?: number }): Promise<Page>;
  /** Delivers messages and changes as they happen, until it is closed or the session is over. */
  subscribe(listener: (event: HubEvent) => void, listening?: Listening): Subscription;
  /** Ends everything that runs here. The token and unsent messages stay where they are kept. */
  close(): void;
}

/** A client of the hub for one device. It calls nothing until it is told to, except for messages that wait. */
export function createHub(options: HubOptions): HubClient {
  const { key, publicId, channel = "web", timeoutMs = 10_000, pingMs = 30_000, waitSeconds = 25 } = options;
  const { storage = "memory", pauses = [500, 60_000] } = options;
  if (channel === "kiosk" && storage !== "memory")
    throw new TypeError("a kiosk keeps nothing: the next customer would find it");
  if (key && channel !== "kiosk" && "document" in globalThis)
    throw new TypeError("an API key in a page is everybody's");

  const url = options.url.replace(/\/+$/, "");
  const closing = new AbortController();
  const ask = askOf({ url, key, timeoutMs, fetch: options.fetch });
  const box = boxOf(
    storage === "local" ? localStorageHere() : storage === "memory" ? undefined : storage,
    `${url} `,
  );
  const device = deviceOf(ask, box);
  const outbox = outboxOf(device, box, `/webhooks/${channel}`, pauses, closing.signal);
  const Socket = () =>
    (options.WebSocket ?? (globalThis as { WebSocket?: unknown }).WebSocket) as SocketClass;
  const settings = { url, Socket, timeoutMs, pingMs, waitS: waitSeconds, pauses };

  async function changed(path: string, request: Request): Promise<Session> {
    const { session } = await device.ask<{ session: Session }>(path, request);
    device.session = session;
    return session;
  }

  async function start(given: Start = {}, { signal }: Call = {}): Promise<Session> {
    const before = box.get<Held>("device")?.token;
    const body = { channel, ...(publicId && { public_id: publicId }), ...given };
    const answer = await ask<Opened>("/session/start", { body, signal });
    const isFirst = box.get<Held>("device")?.token === before;
    // Two tabs that open together share the session of the first.
    if (!isFirst && device.reload()) return (await restored(signal)) ?? start(given, { signal });
    device.take(answer.session_token, answer.session);
    return answer.session;
  }

  /** What was written before belongs to the session that the device has now. */
  async function proven(path: string, body: object, signal: AbortSignal | undefined): Promise<Session> {
    await within(outbox.drained(), timeoutMs, signal);
    return device.open(path, { body: { channel, ...body }, token: device.held?.token, signal });
  }

  async function restored(signal: AbortSignal | undefined): Promise<Session | undefined> {
    if (!device.held && !device.reload()) return undefined;
    try {
      return await changed("/session/restore", { body: { channel }, signal });
    } catch (error) {
      if (isDead(error)) return device.held && restored(signal);
      throw error;
    }
  }

  return {
    session: {
      get current() {
        return device.session;
      },
      start,
      async restore(who, { signal } = {}) {
        if (!who) return restored(signal);
        try {
          return await device.open("/session/restore", { body: { channel, ...who }, signal });
        } catch (error) {
          if (isDead(error)) return undefined;
          throw error;
        }
      },
      update: (body, { signal, ifVersion } = {}) =>
        changed("/session/update", { body, signal, version: ifVersion }),
      async end(body = {}, { signal } = {}) {
        const session = await changed("/session/end", { body, signal });
        device.forget("session_not_found");
        return session;
      },
      async signOut({ signal } = {}) {
        const token = device.held?.token;
        device.forget("no_session");
        if (token) await ask("/session/signout", { method: "POST", token, signal });
      },
      async rate(body, { signal } = {}) {
        const { last } = device;
        if (!last) throw new HubError("no_session", "start or restore a session first");
        await ask(`/api/sessions/${last.session_id}/rate`, { body, token: last.token, signal });
      },
    },
    verify: {
      async request(phone, { signal } = {}) {
        await ask("/session/verify", { body: { phone }, token: device.held?.token, signal });
      },
      confirm: (phone, code, { signal, merge } = {}) =>
        proven("/session/verify", { phone, code, ...(merge !== undefined && { merge }) }, signal),
      login: (phone, password, { signal } = {}) => proven("/auth/login", { phone, password }, signal),
      async link({ signal } = {}) {
        const { session_token, ...links } = await device.ask<Links & { session_token: string }>(
          "/session/link",
          {
            method: "POST",
            signal,
          },
        );
        device.keep(session_token);
        return links;
      },
    },
    get pending() {
      return outbox.pending;
    },
    send: (message, { signal, externalId, replyTo } = {}) =>
      outbox.send(
        {
          ...(typeof message === "string" ? { text: message } : { content: message }),
          ...(externalId !== undefined && { external_id: externalId }),
          ...(replyTo !== undefined && { reply_to: replyTo }),
        },
        { signal },
      ),
    async upload(file, { name = (file as File).name, signal, onProgress } = {}) {
      const { upload } = await device.ask<{ upload: Upload }>(
        `/api/media${name ? `?name=${encodeURIComponent(name.slice(0, 240))}` : ""}`,
        { body: file, limitMs: UPLOAD_MS, signal, onProgress },
      );
      return upload;
    },
    file: ({ message_id }, { signal, card } = {}) =>
      device.ask<Blob>(`/api/media/${message_id}${card ? `?card=${card}` : ""}`, {
        isFile: true,
        limitMs: UPLOAD_MS,
        signal,
      }),
    fileUrl: ({ media_url }) => (media_url ? new URL(media_url, `${url}/`).href : undefined),
    async history({ after = "0", limit = 50, signal } = {}) {
      const [at, epoch] = split(after);
      const page = await device.ask<Page & { epoch?: string }>(
        `/session/messages?after=${at}&limit=${limit}`,
        {
          signal,
        },
      );
      return { messages: page.messages, cursor: joined(page.cursor, epoch ?? page.epoch), more: page.more };
    },
    subscribe(listener, { after, signal } = {}) {
      const both = signal ? AbortSignal.any([signal, closing.signal]) : closing.signal;
      return streamOf(device, settings, listener, { ...(after !== undefined && { after }), signal: both });
    },
    close: () => closing.abort(),
  };
}

/** The hub's own limit for an upload, in ms. */
const UPLOAD_MS = 90_000;

/** `localStorage`; a browser may deny it by throwing. */
function localStorageHere(): KeptIn | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}

/** The result of work that must end within `ms`. Throws `timeout`. */
async function within(work: Promise<unknown>, ms: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let abort = () => {};
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new HubError("timeout", "messages wait to be sent")), ms);
    abort = () => reject(signal!.reason);
    signal?.addEventListener("abort", abort);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
