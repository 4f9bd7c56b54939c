import { answer } from "../../src/core/answer/answer.ts";
import type { Delivery } from "../../src/core/answer/turn.ts";
import type { Channel } from "../../src/core/channel.ts";
import { DEFAULT_POLICY, type Hub } from "../../src/core/hub.ts";
import { accept } from "../../src/core/receive/accept.ts";
import type { Conversations, InboundEvent } from "../../src/core/receive/conversations.ts";
import type { Store } from "../../src/core/store.ts";
import { noLive } from "../../src/http/live/publisher.ts";
import { postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { noCache } from "../../src/stores/upstash.ts";
import { POOL_SIZE } from "./contenders.ts";
import { SECRETS, TEXT, wamid } from "./webhook.ts";

const PATIENCE_MS = 60_000;
const ACCOUNT = SECRETS.WHATSAPP_PHONE_NUMBER_ID;
const REPLY = { kind: "text", text: "You said that, on whatsapp. This session has seen: whatsapp." } as const;
/** How long the bot takes for a customer who gets slow answers. */
export const SLOW_MS = 1_000;

/** The hub without HTTP, with a platform that takes every message at once. */
export interface HubWithoutHttp {
  readonly store: Store;
  /** Handles one webhook with one message. Resolves when it may be acknowledged. */
  write(phone: string, external_id: string): Promise<void>;
  /** Resolves when the reply to this message has been sent, with the time. */
  sent(external_id: string): Promise<number>;
  /** The phones of the customers who get slow answers. */
  readonly slow: Set<string>;
  /** Throws unless every customer's replies came in the order of the messages that they answer. */
  checkOrder(): void;
  close(): Promise<void>;
}

/** Opens one on a database. */
export function openHub(url: string): HubWithoutHttp {
  const { call, close } = postgresCalls(url, { max: POOL_SIZE, timeoutMs: 30_000 });
  const store = sqlStore(call, { sessionTtlMs: 7 * 86_400_000, leaseMs: 60_000, history: 0 });
  const waiting = new Map<string, (at: number) => void>();
  const slow = new Set<string>();
  const running = new Set<Promise<void>>();
  const notified = new Map<string, number>();
  const unordered: string[] = [];
  const send: Channel["send"] = async ({ to = "" }, { text }) => {
    const [external_id = "", seq = ""] = text.split(" ");
    if (Number(seq) < (notified.get(to) ?? 0)) unordered.push(external_id);
    notified.set(to, Number(seq));
    waiting.get(external_id)?.(performance.now());
    waiting.delete(external_id);
    return wamid();
  };
  const whatsapp: Channel = {
    verify: async () => {},
    parse: async ({ body }) => JSON.parse(new TextDecoder().decode(body)),
    split: (reply) => [reply],
    send,
    showTyping: async () => {},
    sendCode: async () => {},
  };
  const hub: Hub = {
    channels: { whatsapp },
    store,
    cache: noCache,
    bot: {
      history: 0,
      async reply({ message, session }) {
        if (slow.has(session.phone!)) await new Promise((thought) => setTimeout(thought, SLOW_MS));
        return [{ kind: "text", text: `${message.external_id} ${message.seq} ${REPLY.text}` }];
      },
    },
    live: noLive,
    log: () => {},
    now: () => new Date(),
    sleep: (time) => new Promise((resolve) => setTimeout(resolve, time)),
    policy: DEFAULT_POLICY,
  };
  return {
    store,
    slow,
    async write(phone, external_id) {
      const body = new TextEncoder().encode(JSON.stringify([messageOf(phone, external_id)]));
      const request = { method: "POST", query: new URLSearchParams(), headers: new Headers(), body };
      for (const turn of (await accept(hub, "whatsapp", request)).turns) {
        const work = answer(hub, turn);
        running.add(work);
        void work.finally(() => running.delete(work));
      }
    },
    sent: (external_id) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`no reply to ${external_id}`)), PATIENCE_MS);
        waiting.set(external_id, (at) => {
          clearTimeout(late);
          resolve(at);
        });
      }),
    checkOrder() {
      if (unordered.length > 0) throw new Error(`${unordered.length} replies came in the wrong order`);
    },
    close: async () => {
      await Promise.all(running);
      await close();
    },
  };
}

function messageOf(phone: string, external_id: string): InboundEvent {
  return {
    type: "message",
    message: {
      channel: "whatsapp",
      account: ACCOUNT,
      external_id,
      from: { phone },
      address: { phone_number_id: ACCOUNT, to: phone.slice(1) },
      content: { kind: "text", text: TEXT },
      wakes: true,
    },
  };
}

/** Makes the three SQL calls of a turn, without anything around them. */
export async function callThree(conversations: Conversations, phone: string): Promise<void> {
  const [received] = await conversations.receive([messageOf(phone, wamid())], new Date());
  const turn = received?.type === "message" ? received.turn : undefined;
  if (!turn) return; // An earlier turn still runs, and hands this one over.
  let next: typeof turn | undefined = turn;
  while (next) {
    const completed = await conversations.complete(next, [{ content: REPLY, parts: [REPLY] }], new Date());
    let deliveries: readonly Delivery[] = completed.deliveries;
    while (deliveries.length > 0) {
      const outcomes = deliveries.map(
        ({ delivery_id, attempt }) =>
          ({ delivery_id, attempt, state: "sent", external_id: wamid() }) as const,
      );
      ({ deliveries } = await conversations.settle(outcomes, new Date()));
    }
    next = completed.next;
  }
}
