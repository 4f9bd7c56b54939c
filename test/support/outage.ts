import echo from "../../src/bots/echo.ts";
import type { Channel } from "../../src/core/channel.ts";
import { HubError } from "../../src/core/errors.ts";
import { DEFAULT_POLICY, type Hub } from "../../src/core/hub.ts";
import type { InboundEvent } from "../../src/core/receive/conversations.ts";
import type { SessionCache } from "../../src/core/sessions/cache.ts";
import type { Session } from "../../src/core/sessions/session.ts";
import type { Store } from "../../src/core/store.ts";
import { type Journal, type Standby, standbyOf } from "../../src/outage/journal.ts";
import { memoryJournal } from "../../src/stores/memory/journal.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { settings } from "../contracts/given.ts";

/** What becomes of a call: it fails before anything happened, its answer is lost, or it never comes back. */
export type Fate = "down" | "lost" | "gone";

/** Decides the fate of each call of a store or journal by its name; undefined lets it through. */
export type Fates = (call: string) => Fate | undefined;

const down = () => new HubError("unavailable", "the database did not answer", { reason: "unreachable" });

/** The same port, some of whose calls have a fate. */
export function fated<T extends object>(port: T, name: string, fates: Fates): T {
  return new Proxy(port, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key);
      if (typeof member === "object" && member !== null)
        return fated(member, `${name}.${String(key)}`, fates);
      if (typeof member !== "function") return member;
      return async (...args: unknown[]) => {
        const fate = fates(`${name}.${String(key)}`);
        if (fate === "down") throw down();
        if (fate === "gone") return new Promise(() => {});
        const answer = await member.apply(target, args);
        if (fate === "lost") throw down();
        return answer;
      };
    },
  });
}

/** A cache in memory, which finds by token, id and identity. */
export function memoryCache(): SessionCache {
  const sessions = new Map<string, Session>();
  const names = new Map<string, string>();
  const ids = (session: object) =>
    ["telegram_chat_id", "whatsapp_user_id", "phone"].flatMap((kind) => {
      const value = (session as Record<string, unknown>)[kind];
      return value === undefined ? [] : [`${kind}:${value}`];
    });
  return {
    async get(who) {
      if ("session_id" in who) return sessions.get(who.session_id);
      const found = "token_hash" in who ? [who.token_hash] : ids(who.identities);
      const id = found.map((name) => names.get(name)).find((one) => one !== undefined);
      return id === undefined ? undefined : sessions.get(id);
    },
    async put(token_hash, session) {
      sessions.set(session.session_id, session);
      for (const name of ids(session)) names.set(name, session.session_id);
      if (token_hash !== undefined) names.set(token_hash, session.session_id);
    },
    async drop(token_hashes) {
      for (const token_hash of token_hashes) names.delete(token_hash);
    },
  };
}

/** A channel whose webhooks are what they say: the JSON of what is kept. */
function plainChannel(sent: string[]): Channel {
  return {
    verify: async () => {},
    parse: async ({ body }) => JSON.parse(new TextDecoder().decode(body)),
    split: (reply) => [reply],
    send: async (_to, part) => `${sent.push(part.text)}`,
    showTyping: async () => {},
    sendCode: async () => {},
  } as Channel;
}

/** Several isolates around one store, one journal and one clock, which the test moves. */
export function world() {
  const clock = { now: Date.UTC(2026, 10, 2, 10) };
  const now = () => new Date(clock.now);
  const store: Store = memoryStore({ ...settings, history: 0 });
  const journal: Journal = memoryJournal({ now });
  const cache = memoryCache();
  const sent: string[] = [];
  const calls: string[] = [];
  const lines: { level: string; event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const running = new Set<Promise<unknown>>();
  let fates: Fates = () => undefined;

  function isolate(): Hub & { readonly standby: Standby } {
    const noted: Fates = (call) => {
      calls.push(call);
      return fates(call);
    };
    return {
      channels: { whatsapp: plainChannel(sent), telegram: plainChannel(sent), web: plainChannel(sent) },
      store: fated(store, "store", noted),
      standby: standbyOf(fated(journal, "journal", noted), settings),
      cache,
      bot: echo(),
      live: { publish: () => {} },
      log: (level, event, fields) => lines.push({ level, event, fields }),
      now,
      sleep: async () => {},
      later: (work) => {
        running.add(work);
        void work.finally(() => running.delete(work));
      },
      policy: DEFAULT_POLICY,
    };
  }

  return {
    clock,
    store,
    journal,
    cache,
    sent,
    calls,
    lines,
    isolate,
    /** From now on. */
    fate: (decide: Fates) => {
      fates = decide;
    },
    /** Waits for what was left running. */
    idle: async () => {
      while (running.size > 0) await Promise.all(running);
    },
  };
}

/** The store answers nothing. */
export const storeDown: Fates = (call) => (call.startsWith("store.") ? "down" : undefined);
export const allDown: Fates = () => "down";
export const allUp: Fates = () => undefined;

/** A message of a platform's customer. */
export function from(phone: string, external_id: string): InboundEvent {
  return {
    type: "message",
    message: {
      channel: "whatsapp",
      account: "number-1",
      external_id,
      from: { phone },
      address: { to: phone },
      content: { kind: "text", text: external_id },
      wakes: true,
    },
  };
}

/** A webhook of the plain channels. */
export function webhook(...kept: InboundEvent[]) {
  const body = new TextEncoder().encode(JSON.stringify(kept));
  return { method: "POST", query: new URLSearchParams(), headers: new Headers(), body };
}
