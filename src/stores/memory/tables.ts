import type { Content } from "../../core/content.ts";
import type { Address, DeliveryStatus, Edit, Message, Receipt } from "../../core/message.ts";
import type { StoreSettings } from "../../core/ports.ts";
import type { Session } from "../../core/session.ts";
import type { Delivery, Failure } from "../../core/turn.ts";

export type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A row of `sessions`, with what never leaves the store. */
export interface SessionRow {
  session: Writable<Session>;
  /** When each of `session.channels` was first used, in the same order. */
  channels_since: Date[];
  /** Channels on which the customer has blocked us. */
  unreachable: string[];
  /** In the order they came. */
  messages: MessageRow[];
  /** The unfinished ones, earliest first. */
  turns: TurnRow[];
  /** The unsettled ones, earliest first. */
  deliveries: DeliveryRow[];
}

export interface MessageRow {
  message: Writable<Message>;
  account: string | undefined;
  revisions: { text: string; content: Content; at: Date }[];
  /** The deliveries of a reply. */
  parts: DeliveryRow[];
}

/** `due_at` is when a pending turn may be claimed, or when the lease of a running one ends. */
export interface TurnRow {
  turn_id: string;
  session_id: string;
  seq: number;
  message_id: string;
  channel: string;
  account: string | undefined;
  address: Address;
  state: "pending" | "running" | "done" | "dead";
  attempt: number;
  due_at: Date;
  /** The turn that a batch answers this one with. */
  leader?: TurnRow | undefined;
  failure?: Failure | undefined;
  created_at: Date;
}

/** As a turn: `due_at` is the next attempt's time, or the end of the running one's lease. */
export interface DeliveryRow {
  delivery: Writable<Delivery>;
  seq: number;
  state: "pending" | "sending" | "sent" | "dead";
  due_at: Date;
  external_id?: string | undefined;
  status: DeliveryStatus;
  failure?: Failure | undefined;
  created_at: Date;
}

/** Something said about a message that is not here yet: platforms deliver out of order. */
export type EarlyEvent = { created_at: Date } & (
  | { type: "receipt"; receipt: Receipt }
  | { type: "edit"; edit: Edit & { readonly at: Date } }
);

/** The tables of the memory store, and what finds their rows. */
export interface Tables {
  settings: StoreSettings;
  sessions: Map<string, SessionRow>;
  /** Token hash to session id. */
  tokens: Map<string, string>;
  messages: Map<string, MessageRow>;
  /** By `externalKey`. */
  messagesByExternalId: Map<string, MessageRow>;
  turns: Map<string, TurnRow>;
  deliveries: Map<string, DeliveryRow>;
  /** By `externalKey`. */
  deliveriesByExternalId: Map<string, DeliveryRow>;
  early: Map<string, EarlyEvent>;
  /** The next free slot of a channel's account. */
  paces: Map<string, Date>;
  counters: Map<string, number>;
  seq: number;
}

export function newTables(settings: StoreSettings): Tables {
  return {
    settings,
    sessions: new Map(),
    tokens: new Map(),
    messages: new Map(),
    messagesByExternalId: new Map(),
    turns: new Map(),
    deliveries: new Map(),
    deliveriesByExternalId: new Map(),
    early: new Map(),
    paces: new Map(),
    counters: new Map(),
    seq: 0,
  };
}

/** What a platform's id is unique within: channel and account, or the session where callers choose ids. */
export function externalKey(channel: string, scope: string | undefined, external_id: string): string {
  return JSON.stringify([channel, scope, external_id]);
}

/** A row as the outside may see it: a copy, without the keys that hold nothing. */
export function copy<T extends object>(row: T): T {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as T;
}

/** An id that sorts by when it was made: a version 7 UUID whose random part rises. */
export function newId(tables: Tables, now: Date): string {
  const time = now.getTime().toString(16).padStart(12, "0");
  const count = (++tables.seq).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${count}`;
}

/** Adds to what /metrics tells. */
export function count(tables: Tables, key: string, by = 1): void {
  tables.counters.set(key, (tables.counters.get(key) ?? 0) + by);
}

const BOUNDS_MS = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000];

/** Counts one observation in a histogram. */
export function observe(tables: Tables, name: string, label: string, since: Date, now: Date): void {
  const ms = Math.max(0, now.getTime() - since.getTime());
  count(tables, `${name}.le|${label}|${BOUNDS_MS.find((bound) => ms <= bound) ?? "inf"}`);
  count(tables, `${name}.sum|${label}`, ms);
}
