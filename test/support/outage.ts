import echo from "../../src/bots/echo/index.ts";
import type { Channel } from "../../src/core/channel.ts";
import { HubError } from "../../src/core/errors.ts";
import { DEFAULT_POLICY, type Hub } from "../../src/core/hub.ts";
import type { Accepted } from "../../src/core/receive/accept.ts";
import type { InboundEvent } from "../../src/core/receive/conversations.ts";
import { handleReplayed } from "../../src/core/receive/replayed.ts";
import type { SessionCache } from "../../src/core/sessions/cache.ts";
import type { Session } from "../../src/core/sessions/session.ts";
import type { Store } from "../../src/core/store.ts";
import type { Journal } from "../../src/outage/journal.ts";
import { watchJournal } from "../../src/outage/watch.ts";
import { withJournal } from "../../src/outage/with-journal.ts";
import { memoryJournal } from "../../src/stores/memory/journal.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { settings } from "../contracts/given.ts";

/** The fault of a call: it fails before anything happened, its answer is lost, or it never returns. */
export type Fault = "down" | "lost" | "gone";

/** Returns the fault of a call of a store or journal by its name; undefined lets the call through. */
export type FaultPlan = (call: string) => Fault | undefined;

const down = () => new HubError("unavailable", "the database did not answer", { reason: "unreachable" });

/** The same port, in which some calls have a fault. */
export function withFaults<T extends object>(port: T, name: string, faults: FaultPlan): T {
  return new Proxy(port, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key);
      if (typeof member === "object" && member !== null)
        return withFaults(member, `${name}.${String(key)}`, faults);
      if (typeof member !== "function") return member;
      return async (...args: unknown[]) => {
        const fault = faults(`${name}.${String(key)}`);
        if (fault === "down") throw down();
        if (fault === "gone") return new Promise(() => {});
        // A test may have replaced the method meanwhile.
        const answer = await (Reflect.get(target, key) as typeof member).apply(target, args);
        if (fault === "lost") throw down();
        return answer;
      };
    },
  });
}

/** A cache in memory, with the copies for outside readers and the dead tokens and sessions. */
export function memoryCache(
  now: () => Date,
): SessionCache & { readonly copies: ReadonlyMap<string, Session> } {
  const copies = new Map<string, Session>();
  const tokens = new Map<string, string>();
  const dead = new Set<string>();
  return {
    copies,
    async put(token_hash, session) {
      if (dead.has(session.session_id)) return;
      copies.set(session.session_id, session);
      if (!dead.has(token_hash)) tokens.set(token_hash, session.session_id);
    },
    async drop({ token_hashes = [], session_ids = [], changed = [] }) {
      for (const id of [...token_hashes, ...session_ids]) dead.add(id);
      for (const hash of token_hashes) tokens.delete(hash);
      for (const id of [...session_ids, ...changed]) copies.delete(id);
      return true;
    },
    async knows(of) {
      const session = copies.get("token_hash" in of ? (tokens.get(of.token_hash) ?? "") : of.session_id);
      return session !== undefined && session.expires_at > now();
    },
    ping: async () => {},
  };
}

/** A channel whose webhooks are the JSON of inbound events. */
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

/** Several isolates with one store, one journal and one clock, which the test moves. Without `given` the store is in memory. */
export function world({ store: given }: { readonly store?: Store } = {}) {
  const clock = { now: Date.UTC(2026, 10, 2, 10) };
  const now = () => new Date(clock.now);
  const store: Store = given ?? memoryStore({ ...settings, history: 0 });
  const journal: Journal = memoryJournal({ now });
  const cache = memoryCache(now);
  const sent: string[] = [];
  const calls: string[] = [];
  const lines: { level: string; event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const running = new Set<Promise<unknown>>();
  let faults: FaultPlan = () => undefined;

  /** A new isolate; a test may give it parts of its own. */
  function isolate({ breaker, ...over }: { journal?: Journal; breaker?: Store["breaker"] } = {}): Hub {
    const noted: FaultPlan = (call) => {
      calls.push(call);
      return faults(call);
    };
    const log: Hub["log"] = (level, event, fields) => void lines.push({ level, event, fields });
    const later = (work: Promise<unknown>) => {
      running.add(work);
      void work.finally(() => running.delete(work));
    };
    const waiting = over.journal ?? withFaults(journal, "journal", noted);
    const hub: Hub = {
      channels: { whatsapp: plainChannel(sent), telegram: plainChannel(sent), web: plainChannel(sent) },
      store: withJournal(
        { ...withFaults(store, "store", noted), ...(breaker && { breaker }) },
        {
          journal: waiting,
          watch: watchJournal(waiting, now),
          cache,
          log,
          now,
          later,
          replayed: (results) => handleReplayed(hub, results),
        },
      ),
      cache,
      bot: echo(),
      live: { publish: () => {} },
      log,
      now,
      sleep: async () => {},
      later,
      policy: DEFAULT_POLICY,
    };
    return hub;
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
    /** Sets the faults of all later calls. */
    fault: (decide: FaultPlan) => {
      faults = decide;
    },
    /** Waits for background work. */
    idle: async () => {
      while (running.size > 0) await Promise.all(running);
    },
  };
}

/** The store does not answer. */
export const storeDown: FaultPlan = (call) => (call.startsWith("store.") ? "down" : undefined);
export const allDown: FaultPlan = () => "down";
export const allUp: FaultPlan = () => undefined;

/** A message of a customer on a platform. */
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

/** A message that a device posts with its token. */
export function byToken(token_hash: string, external_id: string): InboundEvent {
  return {
    type: "message",
    message: {
      channel: "web",
      external_id,
      from: { token_hash },
      address: {},
      content: { kind: "text", text: external_id },
      wakes: true,
    },
  };
}

/** Whether a webhook is only in the journal. */
export function isJournaled({ results }: Accepted): boolean {
  return results.length > 0 && results.every(({ type }) => type === "journaled");
}

/** A webhook for such channels. */
export function webhook(...events: InboundEvent[]) {
  const body = new TextEncoder().encode(JSON.stringify(events));
  return { method: "POST", query: new URLSearchParams(), headers: new Headers(), body };
}
