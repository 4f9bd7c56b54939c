import type { Device } from "./device.ts";
import { HubError, isPassing } from "./error.ts";
import { type Pauses, pause, pauseAfter } from "./pause.ts";
import { connection, type SocketClass } from "./socket.ts";
import type { Frame, HubEvent, Message, Page } from "./types.ts";

/** A running subscription. */
export interface Subscription {
  /** The last message's cursor: the `after` of a later subscription. */
  readonly cursor: string;
  close(): void;
}

export interface Listening {
  /** The cursor after which it begins; without it, the beginning of the session. */
  readonly after?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface StreamSettings {
  readonly url: string;
  readonly Socket: () => SocketClass | undefined;
  readonly timeoutMs: number;
  readonly pingMs: number;
  readonly waitS: number;
  readonly pauses: Pauses;
}

const PAGE = 200;
/** How long a WebSocket that could not be opened is not tried again, in ms: at first, and at most. */
const SOCKET_PAUSES: Pauses = [2_000, 300_000];
/** How long a connection must last before the next failure counts as the first one. */
const STEADY_MS = 5_000;
/** The close codes of docs/live.md. */
const MERGED = 4001;
const CLOSED = 4003;
const CROWDED = 4008;
const FULL = 4009;

type EpochPage = Page & { readonly epoch?: string };

/**
 * The client's cursors: the hub's, and the epoch in which it was read. With the epoch a later reader sees that the
 * session has merged since.
 */
export function joined(cursor: string, epoch: string | undefined): string {
  return epoch ? `${cursor} ${epoch}` : cursor;
}

/** The hub's cursor and the epoch of a cursor of the client. */
export function split(cursor: string): [cursor: string, epoch: string | undefined] {
  const [at = "0", epoch] = cursor.split(" ");
  return [at, epoch];
}

/** Delivers a session's messages, each once, and what happens to them, until it is closed or the session is over. */
export function streamOf(
  device: Device,
  { url, Socket, timeoutMs, pingMs, waitS, pauses }: StreamSettings,
  listener: (event: HubEvent) => void,
  { after = "0", signal }: Listening,
): Subscription {
  if (!device.held) throw new HubError("no_session", "start or restore a session first");
  const seen = new Set<string>();
  let [cursor, epoch] = split(after);
  let isOver = false;
  let isReady = false;
  /** Ends the present connection. */
  let round = new AbortController();
  const unwatch = device.watch((change, code = "no_session") => {
    if (change === "ended") return end(code);
    rewind(change);
    round.abort();
  });

  function emit(event: HubEvent): void {
    if (isOver) return;
    try {
      listener(event);
    } catch (error) {
      // A mistake in the page is its own, and no reason to lose the messages that follow.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  function close(): void {
    isOver = true;
    unwatch();
    signal?.removeEventListener("abort", close);
    round.abort();
  }

  function end(code: Extract<HubEvent, { type: "ended" }>["code"]): void {
    emit({ type: "ended", code });
    close();
  }

  function deliver(message: Message, at: string): void {
    if (isOver) return;
    const isNew = !seen.has(message.message_id);
    seen.add(message.message_id);
    cursor = at;
    if (isNew) emit({ type: "message", message, cursor: joined(at, epoch) });
  }

  /** Reads from the beginning again. After a merge only what is new is delivered. */
  function rewind(type: "merged" | "switched"): void {
    cursor = "0";
    epoch = undefined;
    isReady = false;
    if (type === "switched") seen.clear();
    emit({ type });
  }

  /** Everything up to now was delivered; or the session has merged, and must be read again. Then it is false. */
  function arrive(now: string | undefined, isLive: boolean): boolean {
    if (epoch !== undefined && now !== epoch) {
      rewind("merged");
      return false;
    }
    epoch = now;
    if (!isReady) emit({ type: "ready", cursor: joined(cursor, epoch), live: isLive });
    isReady = true;
    return true;
  }

  function lose(): void {
    if (isReady) emit({ type: "lost" });
    isReady = false;
  }

  function take(frame: Frame): void {
    if (frame.type === "message") deliver(frame.message, frame.cursor);
    else if (frame.type !== "ready") emit(frame);
    else if (!arrive(frame.epoch, true)) round.abort();
  }

  async function poll(wait: number): Promise<void> {
    const path = `/session/messages?after=${cursor}&limit=${PAGE}&wait=${wait}`;
    const ours = round.signal;
    const page = await device.ask<EpochPage>(path, { signal: ours, limitMs: wait * 1_000 + timeoutMs });
    if (ours.aborted) return;
    for (const message of page.messages) deliver(message, String(message.seq));
    if (page.more) return poll(0);
    arrive(page.epoch, false);
  }

  async function run(): Promise<void> {
    let failures = 0;
    let refusals = 0;
    let socketAt = 0;
    while (!isOver) {
      round = new AbortController();
      const ours = round.signal;
      const token = device.held?.token;
      if (!token) return end("no_session");
      const Known = Socket();
      try {
        if (Known && Date.now() >= socketAt) {
          const since = Date.now();
          const live = `${url}/session/live?after=${cursor}`;
          const limits = { limitMs: timeoutMs, pingMs };
          const { code, isOpened } = await connection(
            { Socket: Known, url: live, token, signal: ours, ...limits },
            take,
          );
          if (ours.aborted) continue;
          if (isReady && Date.now() - since > STEADY_MS) failures = 0;
          if (isOpened) refusals = 0;
          if (code === CROWDED) return end("crowded");
          if (code === FULL) continue;
          if (code === MERGED) rewind("merged");
          lose();
          if (!isOpened) socketAt = Date.now() + pauseAfter(refusals++, SOCKET_PAUSES);
          // Says whether the token is dead, which a browser hides of a refused WebSocket.
          if (!isOpened || code === CLOSED) await poll(0);
          else await pause(pauseAfter(failures++, pauses), ours);
        } else {
          const wait = isReady ? waitS : 0;
          const [since, before] = [Date.now(), cursor];
          await poll(wait);
          failures = 0;
          // A hub that does not wait would be asked without end.
          if (cursor === before && Date.now() - since < wait * 500) await pause(pauseAfter(0, pauses), ours);
        }
      } catch (error) {
        if (isOver || ours.aborted) continue;
        if (!isPassing(error)) return end(error instanceof HubError ? error.code : "network");
        lose();
        await pause(Math.max(error.retryAfterMs ?? 0, pauseAfter(failures++, pauses)), ours);
      }
    }
  }

  signal?.addEventListener("abort", close);
  if (signal?.aborted) close();
  void run();
  return {
    get cursor() {
      return joined(cursor, epoch);
    },
    close,
  };
}
