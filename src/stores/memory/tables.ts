import type { Delivery, Failure } from "../../core/answer/turn.ts";
import type { IdentityKind } from "../../core/identity/identity.ts";
import type { KnownAddress } from "../../core/identity/proofs.ts";
import type { Content } from "../../core/messages/content.ts";
import type { Address, DeliveryStatus, Edit, Message, Receipt } from "../../core/messages/message.ts";
import type { CustomerProfile } from "../../core/messages/profile.ts";
import { HISTOGRAM_BOUNDS_MS } from "../../core/operations.ts";
import type { Effects } from "../../core/receive/conversations.ts";
import type { Session } from "../../core/sessions/session.ts";
import type { StoreSettings } from "../../core/store.ts";
import type { AuditLine } from "../../features/privacy/privacy.ts";

export type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A row of `customers`: a person, who outlives their sessions. */
export interface CustomerRow {
  customer_key: string;
  /** The shop's own name for them. */
  customer_id?: string;
  /** One of each kind at most. */
  identities: Map<IdentityKind, IdentityRow>;
  /** Channels on which the customer has blocked us. */
  unreachable: string[];
  /** What messengers say of them. */
  profile: CustomerProfile;
  created_at: Date;
}

/** A row of `identities`: it has one holder at a time. */
export interface IdentityRow {
  kind: IdentityKind;
  value: string;
  customer: CustomerRow;
  /** Absent while it is only claimed: typed by somebody, and verified by nobody. */
  verified_at?: Date;
  /** Where a message of this identity came from last. */
  address?: KnownAddress;
  /** Exact to a minute. */
  last_seen_at: Date;
}

/** A row of `sessions`, with what never leaves the store. */
export interface SessionRow {
  /** Without its customer's identities: see `documentOf`. */
  session: Writable<Session>;
  customer: CustomerRow;
  /** When each of `session.channels` was first used, in the same order. */
  channels_since: Date[];
  /** Where the customer's last message came from. */
  last_channel?: string | undefined;
  /** Of its newest message. */
  last_seq: number;
  /** In the order they came. */
  messages: MessageRow[];
  /** The unfinished ones, earliest first. */
  turns: TurnRow[];
  /** The unsettled ones, earliest first. */
  deliveries: DeliveryRow[];
}

/** A row of `session_tokens`. */
export interface TokenRow {
  session_id: string;
  device_id: string;
  channel: string;
  created_at: Date;
  last_used_at: Date;
  /** When its device last proved who it is, or a trusted caller said so. */
  confirmed_at: Date;
}

export interface CodeRow {
  code_hash: string;
  /** Wrong ones. */
  attempts: number;
  expires_at: Date;
}

/** A link token waits for the person at the device with this token, who then goes on with the new one. */
export interface LinkRow {
  token_hash: string;
  new_token_hash: string;
  /** The identity whose sender was asked whether the two customers are one. */
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
  /** By `customer_key`. */
  customers: Map<string, CustomerRow>;
  /** By `identityKey`. */
  identities: Map<string, IdentityRow>;
  sessions: Map<string, SessionRow>;
  /** By the token's hash. */
  tokens: Map<string, TokenRow>;
  /** By phone. */
  codes: Map<string, CodeRow>;
  /** By the link token's hash. */
  links: Map<string, LinkRow>;
  /** By phone. */
  passwords: Map<string, PasswordRow>;
  /** What was tried how often, and until when that counts. */
  rateLimits: Map<string, { count: number; ends_at: Date }>;
  audit: AuditLine[];
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
  /** The next free slot of a channel's account. */
  paces: Map<string, Date>;
  counters: Map<string, number>;
  /** What has changed elsewhere by what is being done. */
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
    codes: new Map(),
    links: new Map(),
    passwords: new Map(),
    rateLimits: new Map(),
    audit: [],
    messages: new Map(),
    messagesByExternalId: new Map(),
    turns: new Map(),
    deliveries: new Map(),
    deliveriesByExternalId: new Map(),
    early: new Map(),
    erased: new Map(),
    paces: new Map(),
    counters: new Map(),
    effects: { merged: [], closed: [], notified: [], conflicts: [], deliveries: [] },
    seq: 0,
  };
}

/** What has changed elsewhere since this was last asked. */
export function takeEffects(tables: Tables): Effects {
  const { effects } = tables;
  tables.effects = { merged: [], closed: [], notified: [], conflicts: [], deliveries: [] };
  return Object.fromEntries(Object.entries(effects).filter(([, list]) => list.length > 0));
}

/** What finds the one row of an identity. */
export function identityKey(kind: IdentityKind, value: string): string {
  return JSON.stringify([kind, value]);
}

/** What a platform's id is unique within: channel and account, or the session where callers choose ids. */
export function externalKey(channel: string, scope: string | undefined, external_id: string): string {
  return JSON.stringify([channel, scope, external_id]);
}

/** How long before its time new work is due. */
export const AT_ONCE_MS = 60_000;

/**
 * Since when new work is due: a minute before it came, so that it is handed over by callers too whose clock is behind, or
 * who looked at it before they had to wait.
 */
export function atOnce(now: Date): Date {
  return new Date(now.getTime() - AT_ONCE_MS);
}

/** The order in which a session's turns are answered: that of their messages. */
export function inOrder(a: TurnRow, b: TurnRow): number {
  return a.seq - b.seq || (a.turn_id < b.turn_id ? -1 : 1);
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

/** So much later. */
export function later(from: Date, ms: number): Date {
  return new Date(from.getTime() + ms);
}

/** Adds to what /metrics tells. */
export function count(tables: Tables, key: string, by = 1): void {
  tables.counters.set(key, (tables.counters.get(key) ?? 0) + by);
}

/** Counts one observation in a histogram. */
export function observe(tables: Tables, name: string, label: string, since: Date, now: Date): void {
  const ms = Math.max(0, now.getTime() - since.getTime());
  count(tables, `${name}.le|${label}|${HISTOGRAM_BOUNDS_MS.find((bound) => ms <= bound) ?? "inf"}`);
  count(tables, `${name}.sum|${label}`, ms);
}
