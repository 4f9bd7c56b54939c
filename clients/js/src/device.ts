import type { Ask, Request } from "./ask.ts";
import type { Box } from "./box.ts";
import { HubError, isDead } from "./error.ts";
import { pause } from "./pause.ts";
import type { ErrorCode, Opened, Session } from "./types.ts";

/** What the device holds. */
export interface Held {
  readonly token: string;
  readonly session_id: string;
  /** Another one for each session that this device opens. It is the same after a merge and after a scan. */
  readonly line: string;
  /** The tokens of links that were shown. The one of a used link is alive, and `token` is dead then. */
  readonly next: readonly string[];
}

/** `merged`: the session goes on, with more in it. `switched`: it is another one. `ended`: there is none. */
export type Change = "merged" | "switched" | "ended";

/** The device's token, how it changes, and the calls that are made with it. */
export interface Device {
  readonly held: Held | undefined;
  /** The session as last seen. */
  session: Session | undefined;
  /** The token and session that were held last: an ended session may still be rated. */
  readonly last: Held | undefined;
  /** Takes the token of a session that this device has opened. */
  take(token: string, session: Session): void;
  /** A call that opens a session, whose token is taken. */
  open(path: string, request: Request): Promise<Session>;
  /** Takes what another tab has put into the box. False if there is nothing. */
  reload(): boolean;
  /** Keeps the token of a link that is shown. */
  keep(next: string): void;
  /** Drops the token. Everything that uses it ends, with this code. */
  forget(code: ErrorCode): void;
  /**
   * A call with the token. Throws `no_session` without one. If the token was replaced, the call is made with the new one,
   * unless that opens another session.
   */
  ask<T>(path: string, request?: Request): Promise<T>;
  /** Looks for what replaced a dead token: a used link's, or another tab's. False if nothing did: it is forgotten. */
  revive(dead: string, code: ErrorCode): Promise<boolean>;
  watch(watcher: (change: Change, code?: ErrorCode) => void): () => void;
}

const NAME = "device";
/** As many links as the hub keeps of one device. */
const MOST_LINKS = 5;
const OTHER_TAB_MS = 2_000;
const OTHER_TAB_STEP_MS = 100;

export function deviceOf(ask: Ask, box: Box): Device {
  let held = box.get<Held>(NAME);
  let last = held;
  let reviving: Promise<boolean> | undefined;
  let opening: Promise<Session> | undefined;
  const watchers = new Set<(change: Change, code?: ErrorCode) => void>();

  function put(now: Held | undefined, change?: Change, code?: ErrorCode): void {
    held = now;
    last = now ?? last;
    if (!now) device.session = undefined;
    if (change) for (const watcher of [...watchers]) watcher(change, code);
  }

  function save(now: Held, change?: Change): void {
    box.set(NAME, now);
    put(now, change);
  }

  function reload(): boolean {
    const there = box.get<Held>(NAME);
    if (!there || there.token === held?.token) return false;
    put(there, there.line === held?.line ? "merged" : "switched");
    return true;
  }

  /**
   * Whether this tab or another one has a new token. A tab that is signing in gets it a moment after the hub closes the old
   * one's connections.
   */
  async function renewed(): Promise<boolean> {
    const dead = held?.token;
    await opening?.catch(() => undefined);
    for (let ms = 0; ; ms += OTHER_TAB_STEP_MS) {
      if (held?.token !== dead || reload()) return held !== undefined;
      if (!box.isShared || box.get<Held>(NAME) === undefined || ms >= OTHER_TAB_MS) return false;
      await pause(OTHER_TAB_STEP_MS);
    }
  }

  async function find(code: ErrorCode): Promise<boolean> {
    if (reload()) return true;
    for (const token of held!.next.toReversed()) {
      try {
        const { session } = await ask<{ session: Session }>("/session/restore", { body: {}, token });
        device.session = session;
        save({ ...held!, token, session_id: session.session_id, next: [] }, "merged");
        return true;
      } catch (error) {
        if (!isDead(error)) throw error;
      }
    }
    if (await renewed()) return true;
    if (held) device.forget(code);
    return false;
  }

  async function opened(path: string, request: Request): Promise<Session> {
    const { session_token, session } = await ask<Opened>(path, request);
    device.take(session_token, session);
    return session;
  }

  const device: Device = {
    get held() {
      return held;
    },
    get last() {
      return last;
    },
    session: undefined,
    take(token, session) {
      device.session = session;
      save({ token, session_id: session.session_id, line: randomId(), next: [] }, "switched");
    },
    open(path, request) {
      opening = opened(path, request);
      return opening;
    },
    reload,
    keep(next) {
      if (held) save({ ...held, next: [...held.next, next].slice(-MOST_LINKS) });
    },
    forget(code) {
      box.set(NAME, undefined);
      put(undefined, "ended", code);
      if (code === "no_session") last = undefined; // the customer has left: nothing of theirs stays here
    },
    async ask(path, request = {}) {
      const line = held?.line;
      for (;;) {
        const token = held?.token;
        if (!token) throw new HubError("no_session", "start or restore a session first");
        try {
          return await ask(path, { ...request, token });
        } catch (error) {
          if (!isDead(error) || !(await device.revive(token, error.code)) || held?.line !== line) throw error;
        }
      }
    },
    async revive(dead, code) {
      if (held?.token !== dead) return held !== undefined;
      reviving ??= find(code).finally(() => {
        reviving = undefined;
      });
      return reviving;
    },
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
  return device;
}

/** 128 random bits. `crypto.randomUUID` is missing on pages without TLS. */
export function randomId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
