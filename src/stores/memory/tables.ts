import type { Delivery, Failure } from "../../core/answer/turn.ts";
import type { IdentityKind } from "../../core/identity/identity.ts";
import type { KnownAddress } from "../../core/identity/proofs.ts";
import type { Plan } from "../../core/language/policy.ts";
import type { Address, DeliveryStatus, Edit, Message, Receipt } from "../../core/messages/message.ts";
import type { CustomerProfile } from "../../core/messages/profile.ts";
import { HISTOGRAM_BOUNDS_MS } from "../../core/operations.ts";
import type { Effects } from "../../core/receive/conversations.ts";
import type { Session } from "../../core/sessions/session.ts";
import type { StoreSettings } from "../../core/store.ts";
import type { AuditLine } from "../../features/privacy/privacy.ts";
import type { KeptThread } from "../../features/threads/threads.ts";

import type { WindowRow } from "./windows.ts";

export type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A row of `customers`: a person. It stays when their sessions end. */
export interface CustomerRow {
  customer_key: string;
  /** The shop's own id of the customer. */
  customer_id?: string;
  /** At most one of each kind. */
  identities: Map<IdentityKind, IdentityRow>;
  /** Channels on which the customer has blocked the shop. */
  unreachable: string[];
  /** The time of the newest such event that was applied, by channel. */
  reachability_at: Map<string, Date>;
  plan: Plan;
  /** The language that was chosen. */
  preferred_language?: string;
  /** Their profile at their messengers. */
  profile: CustomerProfile;
  created_at: Date;
}

/** A row of `identities`. It has one holder at a time. */
export interface IdentityRow {
  kind: IdentityKind;
  value: string;
  customer: CustomerRow;
  /** Absent while the identity is only claimed: a person typed it, and it was never verified. */
  verified_at?: Date;
  /** The address of the last message from this identity. */
  address?: KnownAddress;
  /** Exact to a minute. */
  last_seen_at: Date;
  /** Retention does not look at it before: set by a look that found an active session of its customer. */
  unseen_check_at?: Date;
}

/** A row of `sessions`, with fields that never leave the store. */
export interface SessionRow {
  /** The session without its customer's identities, which `documentOf` adds. */
  session: Writable<Session>;
  /** What decided its language. Absent: it is the default, and a message may decide. */
  language_by?: "message" | "customer" | "chosen";
  customer: CustomerRow;
  /** When each of `session.channels` was first used, in the same order. */
  channels_since: Date[];
  /** The channel of the customer's last message. Absent after a merge, so that the next message stores its address. */
  last_channel?: string | undefined;
  /** The `seq` of the newest message. */
  last_seq: number;
  /** In order of `seq`. */
  messages: MessageRow[];
  /** The unfinished turns, earliest first. */
  turns: TurnRow[];
  /** The unsettled deliveries, earliest first. */
  deliveries: DeliveryRow[];
}

/** A row of `session_tokens`. */
export interface TokenRow {
  session_id: string;
  device_id: string;
  channel: string;
  created_at: Date;
  last_used_at: Date;
  /** When the person at the device was last verified: by a proof, or by a trusted caller. */
  confirmed_at: Date;
}

export interface CodeRow {
  code_hash: string;
  /** The number of wrong codes entered. */
  attempts: number;
  expires_at: Date;
}

/**
 * A link token for the person at the device with `token_hash`. Once redeemed, the device goes on with the new token.
 */
export interface LinkRow {
  token_hash: string;
  new_token_hash: string;
  /** The identity of the sender who was asked whether the two customers are one person. */
  asked?: readonly [kind: IdentityKind, value: string];
  created_at: Date;
  expires_at: Date;
}

export interface PasswordRow {
  digest: string;
  updated_at: Date;
}

export interface MessageRow {
  message: Writable<Message>;
  account: string | undefined;
  revisions: { text: string; content: Message["content"]; at: Date }[];
  /** The deliveries of a reply. */
  parts: DeliveryRow[];
}

/** `due_at` is when a pending turn may be claimed, or when the lease of a running turn ends. */
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
  /** The turn with which this one is answered in a batch. */
  leader?: TurnRow | undefined;
  failure?: Failure | undefined;
  created_at: Date;
}

/** `due_at` is when a pending delivery may be claimed, when the lease of the running attempt ends, or when a held one dies. */
export interface DeliveryRow {
  delivery: Writable<Delivery>;
  seq: number;
  state: "pending" | "sending" | "held" | "sent" | "dead";
  due_at: Date;
  external_id?: string | undefined;
  sent_at?: Date | undefined;
  status: DeliveryStatus;
  failure?: Failure | undefined;
  created_at: Date;
}

/** A receipt or edit of a message that has not arrived yet: platforms deliver out of order. */
export type EarlyEvent = { created_at: Date } & (
  | { type: "receipt"; receipt: Receipt }
  | { type: "edit"; edit: Edit & { readonly at: Date } }
);

/** The tables of the memory store, with their indexes. */
export interface Tables {
  settings: StoreSettings;
  /** By `customer_key`. */
  customers: Map<string, CustomerRow>;
  /** By `identityKey`. */
  identities: Map<string, IdentityRow>;
  sessions: Map<string, SessionRow>;
  /** By the token's hash. */
  tokens: Map<string, TokenRow>;
  /** Tokens that ended with their session, by hash. */
  endedTokens: Map<string, { session_id: string; ended_at: Date; readable_until?: Date }>;
  /** By phone. */
  codes: Map<string, CodeRow>;
  /** By the link token's hash. */
  links: Map<string, LinkRow>;
  /** By phone. */
  passwords: Map<string, PasswordRow>;
  /** How many tries were made, and until when they count, by key of the limit. */
  rateLimits: Map<string, { count: number; ends_at: Date }>;
  audit: AuditLine[];
  threads: Map<string, KeptThread>;
  messages: Map<string, MessageRow>;
  /** By `externalKey`. */
  messagesByExternalId: Map<string, MessageRow>;
  turns: Map<string, TurnRow>;
  deliveries: Map<string, DeliveryRow>;
  /** By `externalKey`. */
  deliveriesByExternalId: Map<string, DeliveryRow>;
  early: Map<string, EarlyEvent>;
  /** When a platform's message was erased, by `externalKey`. */
  erased: Map<string, Date>;
  /** By channel, account and address. */
  windows: Map<string, WindowRow>;
  /** The next free slot of a channel's account. */
  paces: Map<string, Date>;
  counters: Map<string, number>;
  /** When sessions were last expired. */
  sweptAt?: Date;
  /** What the present call has changed besides its own session. */
  effects: { -readonly [K in keyof Effects]-?: NonNullable<Effects[K]>[number][] };
  seq: number;
}

export function newTables(settings: StoreSettings): Tables {
  return {
    settings,
    customers: new Map(),
    identities: new Map(),
    sessions: new Map(),
    tokens: new Map(),
    endedTokens: new Map(),
    codes: new Map(),
    links: new Map(),
    passwords: new Map(),
    rateLimits: new Map(),
    audit: [],
    threads: new Map(),
    messages: new Map(),
    messagesByExternalId: new Map(),
    turns: new Map(),
    deliveries: new Map(),
    deliveriesByExternalId: new Map(),
    early: new Map(),
    erased: new Map(),
    windows: new Map(),
    paces: new Map(),
    counters: new Map(),
    effects: { merged: [], closed: [], notified: [], conflicts: [], deliveries: [] },
    seq: 0,
  };
}

/** Returns the effects since the last call of this, and clears them. */
export function takeEffects(tables: Tables): Effects {
  const { effects } = tables;
  tables.effects = { merged: [], closed: [], notified: [], conflicts: [], deliveries: [] };
  return Object.fromEntries(Object.entries(effects).filter(([, list]) => list.length > 0));
}

/** Copies all tables. Returns a function that restores them, for a call that is refused half-way. */
export function snapshot(tables: Tables): () => void {
  const before = structuredClone(tables);
  return () => void Object.assign(tables, before);
}

/** The key of an identity's row. */
export function identityKey(kind: IdentityKind, value: string): string {
  return JSON.stringify([kind, value]);
}

/**
 * The key of an external id. A platform's id is unique within its channel and account, which is the scope. An id that a
 * caller chose is unique within its session.
 */
export function externalKey(channel: string, scope: string | undefined, external_id: string): string {
  return JSON.stringify([channel, scope, external_id]);
}

/** New work is due this long before it was created. */
export const AT_ONCE_MS = 60_000;

/**
 * The time from which new work is due: a minute before it was created. So a caller can claim it too whose clock is
 * slow, or whose `now` is older because the call had to wait.
 */
export function atOnce(now: Date): Date {
  return new Date(now.getTime() - AT_ONCE_MS);
}

/** Sorts a session's turns in the order in which they are answered: that of their messages. */
export function inOrder(a: TurnRow, b: TurnRow): number {
  return a.seq - b.seq || (a.turn_id < b.turn_id ? -1 : 1);
}

/** A copy of a row for callers, without undefined values. */
export function copy<T extends object>(row: T): T {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as T;
}

/** An id that sorts by time: a version 7 UUID with a counter instead of the random part. */
export function newId(tables: Tables, now: Date): string {
  const time = now.getTime().toString(16).padStart(12, "0");
  const count = (++tables.seq).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${count}`;
}

/** The instant `ms` after `from`. */
export function later(from: Date, ms: number): Date {
  return new Date(from.getTime() + ms);
}

/** Adds to a counter of /metrics. */
export function count(tables: Tables, key: string, by = 1): void {
  tables.counters.set(key, (tables.counters.get(key) ?? 0) + by);
}

/** Counts one observation in a histogram. */
export function observe(tables: Tables, name: string, label: string, since: Date, now: Date): void {
  const ms = Math.max(0, now.getTime() - since.getTime());
  count(tables, `${name}.le|${label}|${HISTOGRAM_BOUNDS_MS.find((bound) => ms <= bound) ?? "inf"}`);
  count(tables, `${name}.sum|${label}`, ms);
}
