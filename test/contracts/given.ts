import type { Delivery, Failure, OutboundReply, Outcome, Turn } from "../../src/core/answer/turn.ts";
import type { Identities } from "../../src/core/identity/identity.ts";
import type { Content } from "../../src/core/messages/content.ts";
import type { InboundMessage, Message } from "../../src/core/messages/message.ts";
import type { InboundEvent, Received } from "../../src/core/receive/conversations.ts";
import type { SessionRef } from "../../src/core/sessions/session.ts";
import type { Store, StoreSettings } from "../../src/core/store.ts";

/** Makes an empty store with the settings below, changed by those given. */
export type Make = (over?: Partial<StoreSettings>) => Promise<Store>;

export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;

/** The settings of every store under contract: sessions of a week, leases of a minute, three messages of history. */
export const settings: StoreSettings = {
  sessionTtlMs: 7 * DAY,
  leaseMs: MINUTE,
  history: 3,
  language: "en",
};

const START = Date.UTC(2026, 10, 2, 8);
export const minute = (count: number): Date => new Date(START + count * MINUTE);
export const day = (count: number): Date => new Date(START + count * DAY);

export const anna = {
  phone: "+4915112345601",
  telegram_chat_id: "7001",
  whatsapp_user_id: "DE.anna1",
  visitor_id: "visit-anna",
} as const;
export const ben = {
  phone: "+4915112345602",
  telegram_chat_id: "7002",
  whatsapp_user_id: "DE.ben2",
  visitor_id: "visit-ben",
} as const;

/** A token's hash, in the hub's format. */
export const hash = (seed: number): string => seed.toString(16).padStart(64, "0");

/** The account of each platform's messages. A frontend's channel has none. */
export const ACCOUNTS: Record<string, string | undefined> = { telegram: "bot-1", whatsapp: "number-1" };

/** A text message that wakes the bot. Its address is the phone if there is one, as on WhatsApp. */
export function said(
  channel: string,
  from: Identities | SessionRef,
  external_id: string,
  over: Partial<InboundMessage> = {},
): InboundMessage {
  const account = ACCOUNTS[channel];
  return {
    channel,
    ...(account !== undefined && { account }),
    external_id,
    from,
    ...(channel === "whatsapp" && "phone" in from && { address_of: "phone" as const }),
    address: { to: `${channel} address` },
    content: { kind: "text", text: `text of ${external_id}` },
    wakes: true,
    ...over,
  };
}

export const failure = (reason: string): Failure => ({ code: "unavailable", reason });
export const rejection = (reason: string): Failure => ({ code: "rejected", reason });

export const text = (words: string): { kind: "text"; text: string } => ({ kind: "text", text: words });

/** A reply with its parts, which are sent one after another. No parts for a channel whose customers fetch. */
export const reply = (whole: string, parts: readonly string[] = [whole]): OutboundReply => ({
  content: text(whole),
  parts: parts.map(text),
});

export type Heard = Extract<Received, { type: "message" }>;

/** A store with shortcuts for frequent calls. */
export interface Desk extends Store {
  /** Receives one message. */
  hear(message: InboundMessage, now: Date): Promise<Heard>;
  /** Receives one message and returns its claimed turn. */
  ask(message: InboundMessage, now: Date): Promise<Turn>;
  /** Receives one event that is no message. Returns whether it changed anything. */
  tell(item: Exclude<InboundEvent, { type: "message" }>, now: Date): Promise<boolean>;
  /** Receives a message, answers it and returns the claimed delivery. */
  answered(message: InboundMessage, replies: readonly OutboundReply[], now: Date): Promise<Delivery>;
  /** Settles one delivery, as sent by default, and returns the next claimed ones. */
  settleAs(delivery: Delivery, outcome: Partial<Outcome>, now: Date): Promise<readonly Delivery[]>;
  /** All messages of a session, without the state of their turns. */
  history(session_id: string): Promise<readonly Message[]>;
  texts(session_id: string): Promise<string[]>;
}

export async function desk(make: Make, over?: Partial<StoreSettings>): Promise<Desk> {
  const store = await make(over);
  const { conversations, sessions } = store;
  const one: Desk = {
    ...store,
    async hear(message, now) {
      const [result] = await conversations.receive([{ type: "message", message }], now);
      return result as Heard;
    },
    async ask(message, now) {
      const { turn } = await one.hear(message, now);
      if (!turn) throw new Error(`no turn for ${message.external_id}`);
      return turn;
    },
    async tell(item, now) {
      const [result] = await conversations.receive([item], now);
      return (result as Extract<Received, { applied: boolean }>).applied;
    },
    async answered(message, replies, now) {
      const turn = await one.ask(message, now);
      const { deliveries } = await conversations.complete(turn, replies, now);
      if (!deliveries[0]) throw new Error(`no delivery for ${message.external_id}`);
      return deliveries[0];
    },
    async settleAs({ delivery_id, attempt }, outcome, now) {
      const settled = { delivery_id, attempt, state: "sent", ...outcome } as Outcome;
      return (await conversations.settle([settled], now)).deliveries;
    },
    async history(session_id) {
      const { messages } = await sessions.messages({ session_id }, 0, 1000, minute(0));
      return messages.map(({ turn: _, ...message }) => message);
    },
    async texts(session_id) {
      return (await one.history(session_id)).map((message) => message.text);
    },
  };
  return one;
}

export const sentence: Content[] = [
  { kind: "text", text: "words", context: { forwarded: true } },
  { kind: "image", media: { id: "m1", mime_type: "image/jpeg", size: 1234 }, caption: "a cat" },
  { kind: "video", media: { id: "m2" }, note: true },
  { kind: "audio", media: { id: "m3" }, voice: true },
  { kind: "document", media: { id: "m4", file_name: "bill.pdf" }, context: { album_id: "a1" } },
  { kind: "sticker", media: { id: "m5" }, emoji: "🙂", animated: false },
  { kind: "location", latitude: 52.520008, longitude: -13.404954, name: "here", live: true },
  { kind: "contact", contacts: [{ name: "Ben", phones: ["+491"] }, { phones: [] }], own: false },
  { kind: "interaction", interaction: "form", id: "f", data: { size: "XL", nested: { a: [1, null, "b"] } } },
  { kind: "reaction", emoji: null },
  { kind: "order", items: [{ product_id: "p", quantity: 2, price: 9.99, currency: "EUR" }] },
  { kind: "system", event: "moved", note: "from here" },
  { kind: "unsupported", type: "poll" },
];
