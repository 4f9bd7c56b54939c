import { answer } from "../../../src/core/answer/answer.ts";
import type { Bot } from "../../../src/core/answer/bot.ts";
import type { Outcome, Turn } from "../../../src/core/answer/turn.ts";
import type { Channel } from "../../../src/core/channel.ts";
import { toHubError } from "../../../src/core/errors.ts";
import { DEFAULT_POLICY, type Hub } from "../../../src/core/hub.ts";
import type { Identities } from "../../../src/core/identity/identity.ts";
import type { InboundEvent } from "../../../src/core/receive/conversations.ts";
import { handleReplayed } from "../../../src/core/receive/replayed.ts";
import type { SessionCache } from "../../../src/core/sessions/cache.ts";
import type { Store } from "../../../src/core/store.ts";
import { isOutage, type Journal } from "../../../src/outage/journal.ts";
import { watchJournal } from "../../../src/outage/watch.ts";
import { withJournal } from "../../../src/outage/with-journal.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { settings } from "../../contracts/given.ts";
import { memoryCache } from "../../support/outage.ts";
import { type Gate, gate, type Life } from "./gate.ts";

/** A message part that a platform has accepted. */
export interface Take {
  readonly text: string;
  readonly channel: string;
  readonly external_id: string;
  /** Its place in the order of all takes and records. */
  readonly order: number;
  /** The isolate that sent it. */
  readonly life: Life;
  /** Whether the sending isolate was late meanwhile. */
  readonly isLate: boolean;
  /** The place of its record in the store. Absent without a record. */
  recorded?: number;
  /** Whether its delivery was claimed by a call that took longer than the lease: others may send it too. */
  isAnybodys?: boolean;
  /** The place at which its answer was lost, or at which the store was down for its record. */
  excuse?: number;
}

/** One isolate, with the work that it does after its answers. */
export interface Isolate extends Life {
  readonly hub: Hub;
  readonly running: Set<Promise<unknown>>;
}

/** A store with its isolates, clients and checks. A world without outages has no `journal`. */
export interface World {
  readonly clock: { now: number };
  readonly batch: boolean;
  readonly store: Store;
  readonly gate: Gate;
  readonly takes: readonly Take[];
  /** The ids of all sessions in any answer of the store. */
  readonly session_ids: ReadonlySet<string>;
  /** How many entries were journaled. */
  readonly journaled: () => number;
  /** Errors and log lines that show a bug; must stay empty. */
  readonly bugs: unknown[];
  /** Log lines about quarantined entries. */
  readonly quarantined: readonly unknown[];
  /** Sessions that were opened while older entries waited, which `withJournal` allows. */
  readonly overtaking: readonly Overtaking[];
  isolate(): Isolate;
  /** Empties the cache. */
  forget(): void;
}

/** The settings of a world's store. */
export const settingsOf = (batch: boolean) => ({ ...settings, history: 0, batch });
const SETTLE = "store.conversations.settle";

/** The text of the reply to these messages. Every second one needs two parts. */
export function replyTo(external_ids: readonly string[]): string {
  const named = external_ids.join("+");
  const number = Number(/\d+$/.exec(named)?.[0]);
  return number % 2 === 0 ? `re ${named}` : `re ${named}|and ${named}`;
}

/** The external ids of the messages that a reply answers, read from its text. */
export function answeredBy(text: string | undefined): string[] {
  return /^re ([^|]+)/.exec(text ?? "")?.[1]?.split("+") ?? [];
}

/** A session that a store call opened while the journal was not empty. */
export interface Overtaking {
  readonly identities: Identities;
  readonly token_hash?: string;
  readonly at: number;
  /** The journal's entries, with their arrival. */
  readonly waiting: readonly { readonly at: number; readonly events: readonly InboundEvent[] }[];
}

/** Makes an empty world. Without a journal it has no outages. */
export function makeWorld(clock: { now: number }, batch: boolean, given?: Store, journal?: Journal): World {
  const store = given ?? memoryStore(settingsOf(batch));
  const now = () => new Date(clock.now);
  const takes: Take[] = [];
  const session_ids = new Set<string>();
  const bugs: unknown[] = [];
  const quarantined: unknown[] = [];
  const overtaking: Overtaking[] = [];
  let cache = memoryCache(now);
  /** The newest attempt of each delivery, until it is settled. */
  const attempts = new Map<string, number>();
  const anybodys = new Set<string>();
  let last: Take | undefined;
  let order = 0;
  let journaled = 0;

  const entrance = gate(
    {
      made: (name, answer, args, isLate) => {
        if (name === "journal.append" && answer === true) journaled++;
        if (name.startsWith("store.")) learn(answer);
        if (isLate) handedOverLate(answer);
        if (name === SETTLE) record(args[0] as never);
        if (name === "platform.send") takes.push({ ...(last as Take), isLate });
      },
      failed: (name, life, fault) => {
        const isOut = fault === undefined || fault === "late";
        const isExcuse = name === "platform.send" ? fault === "lost" : name === SETTLE && isOut;
        for (const take of isExcuse ? takes.filter((one) => one.life === life) : []) take.excuse ??= order++;
      },
    },
    () => clock.now,
  );

  function learn(answer: unknown): void {
    if (typeof answer !== "object" || answer === null) return;
    const { session_id, delivery_id, attempt } = answer as any;
    if (session_id) session_ids.add(session_id);
    if (delivery_id) attempts.set(delivery_id, attempt);
    for (const part of Object.values(answer)) learn(part);
  }

  /** Notes deliveries that were claimed by a call longer than the lease: their lease has ended at once. */
  function handedOverLate(answer: unknown): void {
    const { deliveries = [] } = (answer ?? {}) as { deliveries?: readonly { delivery_id: string }[] };
    for (const { delivery_id } of deliveries) anybodys.add(delivery_id);
  }

  /** Notes which takes the store has recorded. */
  function record(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      if (outcome.state === "dead") bugs.push(new Error(`a delivery died: ${outcome.reason}`));
      if (outcome.state !== "sent") continue;
      const take = takes.find((one) => one.external_id === outcome.external_id)!;
      if (anybodys.has(outcome.delivery_id)) {
        take.excuse ??= take.order;
        take.isAnybodys = true;
      }
      if (attempts.get(outcome.delivery_id) !== outcome.attempt) continue;
      attempts.delete(outcome.delivery_id);
      take.recorded = order++;
    }
  }

  const platform = (name: string, life: Life): Channel => ({
    verify: async () => {},
    parse: async ({ body }) => JSON.parse(new TextDecoder().decode(body), instants),
    split: ({ text }) => text.split("|").map((part) => ({ kind: "text", text: part })),
    send: async (_to, { text }) => {
      const external_id = `take${takes.length}`;
      last = { text, channel: name, external_id, life, order: order++, isLate: false };
      return external_id;
    },
    showTyping: async () => {},
    sendCode: async () => {},
  });
  const caller = (name: string, life: Life): Channel => ({ ...platform(name, life), split: () => [] });
  const bot: Bot = {
    history: 0,
    batch,
    reply: async ({ messages }) => [
      { kind: "text", text: replyTo(messages.map(({ external_id }) => external_id!)) },
    ],
  };

  /** The same store, which notes the sessions that are opened while entries wait. */
  function noting(journal: Journal): Store {
    const { sessions } = store;
    const note = async ({ identities = {}, token_hash }: Partial<Overtaking>) => {
      const entries = await journal.read(1_000);
      const waiting = entries.flatMap(({ entry }) =>
        entry ? { at: entry.at.getTime(), events: entry.events } : [],
      );
      const at = clock.now;
      if (waiting.length > 0) overtaking.push({ identities, at, waiting, ...(token_hash && { token_hash }) });
    };
    return {
      ...store,
      sessions: {
        ...sessions,
        start: async (start, at) => {
          await note(start);
          return sessions.start(start, at);
        },
        restore: async (who, channel, at) => {
          await note(who);
          return sessions.restore(who, channel, at);
        },
      },
    };
  }

  function isolate(): Isolate {
    const life: Life = { dead: false };
    const running = new Set<Promise<unknown>>();
    const through = <T extends object>(name: string, port: T): T => entrance.through(life, name, port);
    const sending = (channel: Channel): Channel => {
      const { send, showTyping } = through("platform", {
        send: channel.send,
        showTyping: channel.showTyping,
      });
      return { ...channel, send, showTyping };
    };
    const later = (work: Promise<unknown>) => {
      running.add(work);
      void work.finally(() => running.delete(work));
    };
    const log: Hub["log"] = (level, event, fields) => {
      if (event === "journal.quarantined")
        quarantined.push(new Error(`${level} ${event} ${JSON.stringify(fields)}`));
    };
    const copies = through<SessionCache>("cache", {
      put: (...args) => cache.put(...args),
      drop: (...args) => cache.drop(...args),
      knows: (...args) => cache.knows(...args),
      ping: () => cache.ping(),
    });
    const journaled = (behind: Journal): Store => {
      const journal = through("journal", behind);
      return withJournal(through("store", noting(behind)), {
        journal,
        watch: watchJournal(journal, now),
        cache: copies,
        log,
        now,
        later,
        replayed: (results) => handleReplayed(hub, results),
      });
    };
    const hub: Hub = {
      channels: {
        whatsapp: sending(platform("whatsapp", life)),
        telegram: sending(platform("telegram", life)),
        web: caller("web", life),
        kiosk: caller("kiosk", life),
      },
      store: journal ? journaled(journal) : through("store", store),
      cache: copies,
      bot: { ...bot, reply: through("bot", { reply: bot.reply }).reply },
      live: { publish: () => {} },
      log,
      now,
      sleep: async () => {},
      later,
      policy: { ...DEFAULT_POLICY, turnAttempts: 1_000, deliveryAttempts: 1_000 },
    };
    return Object.assign(life, { hub, running });
  }

  return {
    clock,
    batch,
    store,
    gate: entrance,
    takes,
    session_ids,
    journaled: () => journaled,
    bugs,
    quarantined,
    overtaking,
    isolate,
    forget: () => {
      cache = memoryCache(now);
    },
  };
}

/** Answers turns after the answer to a webhook, as the Worker does. */
export function answering({ hub, running }: Isolate, turns: readonly Turn[], bugs: unknown[]): void {
  for (const turn of turns) {
    const work = answer(hub, turn).catch((error) => {
      if (!isOutage(toHubError(error))) bugs.push(error);
    });
    running.add(work);
    void work.finally(() => running.delete(work));
  }
}

function instants(key: string, value: unknown): unknown {
  return key === "at" && typeof value === "string" ? new Date(value) : value;
}
