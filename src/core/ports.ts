import type { Content } from "./content.ts";
import type { Identities, IdentityKind } from "./identity.ts";
import type { JsonObject } from "./json.ts";
import type { Address, DeliveryStatus, Inbound, Message } from "./message.ts";
import type { Notices } from "./notices.ts";
import type { Session, SessionRef } from "./session.ts";
import type { DeadLetter, Delivery, Failure, OutboundReply, Outcome, Reply, Turn } from "./turn.ts";

/** One HTTP call from a platform, with its body's exact bytes. */
export interface WebhookRequest {
  readonly method: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** One messaging platform: how to trust it, read it and answer on it. */
export interface Channel {
  /** Throws `unauthorized` unless the platform sent exactly these bytes. */
  verify(request: WebhookRequest): Promise<void>;
  /** What the webhook says, in its order. Throws `malformed` only when nothing in it can be read. */
  parse(request: WebhookRequest): Promise<Inbound[]>;
  /** The reply as the calls that the platform needs, in order: one for most, more past its length limit. */
  split(reply: Reply): Reply[];
  /**
   * Makes one such call and returns the platform's id for it. Throws `rejected` when the platform never will,
   * `throttled` with its wait, `unavailable` when it could not be asked.
   */
  send(to: Address, part: Reply, signal: AbortSignal): Promise<string>;
  /**
   * Sends a one-time code, which is part of no history. Throws as `send`; where the platform lets us write only to whom
   * it last heard of lately, `to.used_at` says when, and `rejected` that it is too long ago.
   */
  sendCode(to: KnownAddress, code: string, now: Date, signal: AbortSignal): Promise<void>;
  /**
   * Shows the customer that their message was seen and is being answered, as far as the platform can: read mark, typing,
   * an answered button. Best effort: nobody waits for it, and what it throws is logged.
   */
  attend(to: Address, external_id: string, signal: AbortSignal): Promise<void>;
  /** Messages per second that the platform takes from one account; absent means no limit worth keeping. */
  readonly perSecond?: number;
  /** The least time between two messages to one address. */
  readonly spacingMs?: number;
  /** The answer to the platform's subscription handshake; `undefined` when this request is not one. Throws `forbidden`. */
  challenge?(request: WebhookRequest): string | undefined;
}

/** Everything of one webhook that is kept, in its order. */
export type Kept = Exclude<Inbound, { type: "ignored" }>;

/** What a proof of who somebody is has changed beside their own session; each absent when there is nothing. */
export interface Effects {
  /** Sessions that it showed to be another one's, and that were merged into it. */
  readonly merged?: readonly string[];
  /** Hashes of tokens that died: anybody may have held them before the session was somebody's. */
  readonly closed?: readonly string[];
  /** Sessions that lost an identity, and have a message more that says so. */
  readonly told?: readonly string[];
  /** Notices, ours to send now. */
  readonly deliveries?: readonly Delivery[];
}

/** A session as a device gets it. */
export type Opened = Session & Effects;

/** What became of one kept thing. */
export type Received = Effects &
  (
    | {
        readonly type: "message";
        readonly message: Message;
        readonly session: Session;
        /** It was here before; nothing changed. */
        readonly duplicate: boolean;
        /** Ours to answer now: this message's turn or an earlier unfinished one of its session. */
        readonly turn?: Turn;
      }
    /** `applied` is false when what it speaks of is not known here, is newer already, or has no session. */
    | {
        readonly type: "echo" | "receipt" | "edit" | "identity_change" | "reachability";
        readonly applied: boolean;
        /** The message that is new or has changed. */
        readonly message?: Message;
        /** An edit that wakes the bot. */
        readonly turn?: Turn;
      }
  );

/** What follows a turn: of each line of deliveries (session and channel) the first is ours to send now. */
export interface Completed {
  /** Somebody else has claimed or finished the turn since; nothing was saved. */
  readonly stale: boolean;
  readonly messages: readonly Message[];
  readonly deliveries: readonly Delivery[];
  /** The session's next turn, when one waits. */
  readonly next?: Turn;
}

export interface Settled {
  readonly deliveries: readonly Delivery[];
  /** Our messages whose status has moved. */
  readonly changed: readonly {
    readonly session_id: string;
    readonly message_id: string;
    readonly status: DeliveryStatus;
  }[];
}

export interface Due {
  readonly turns: readonly Turn[];
  readonly deliveries: readonly Delivery[];
}

/**
 * Durable conversation state. One method is one round trip. All throw `unavailable` when the store refuses, hangs
 * past its limit or dies; nothing is half done then.
 */
export interface Conversations {
  /**
   * For each message: resolves, opens or merges the session, saves the message once, appends the channel, slides the
   * expiry, and claims the session's next turn when none is running. All of a webhook in one transaction, results in
   * its order. A message with a `link_hash` joins its sender to the session that waits for it, is kept as what came of
   * it (`linked` or `link_failed`), and is answered with a notice. Throws `session_not_found` or `session_expired` when
   * a message names a session that is not active, and `verification_required` when it claims one it may not have.
   */
  receive(kept: readonly Kept[], now: Date): Promise<Received[]>;
  /** Saves the replies with their deliveries, ends the turn, and hands over what comes next. */
  complete(turn: Turn, replies: readonly OutboundReply[], now: Date): Promise<Completed>;
  /** Gives the turn back to be tried again at `retryAt`, or ends it as a dead letter without one. */
  fail(turn: Turn, failure: Failure, retryAt: Date | undefined, now: Date): Promise<Completed>;
  /** Records how attempts ended and hands over the next delivery of each line. */
  settle(outcomes: readonly Outcome[], now: Date): Promise<Settled>;
  /** Claims unanswered turns and due deliveries that nobody holds, at most `limit` of each, oldest first. */
  due(now: Date, limit: number): Promise<Due>;
}

export interface StartSession {
  readonly identities: Identities;
  readonly channel: string;
  readonly customer_id?: string;
  readonly data?: JsonObject;
  /** SHA-256 of the device's new token; absent when nobody is to get one. */
  readonly token_hash?: string;
  /**
   * The id under which the session was promised while the store was down: that of the session if one opens, else it
   * leads to the session that was there.
   */
  readonly session_id?: string;
  /** The identities are only claimed: see `InboundMessage.asserted`. Throws `verification_required`. */
  readonly asserted?: boolean;
}

export interface SessionChanges {
  /** JSON merge patches (RFC 7396). */
  readonly data?: JsonObject;
  readonly metadata?: JsonObject;
  readonly language?: string;
  readonly channel?: string;
  /** Kept in the history, not answered. */
  readonly message?: {
    readonly text: string;
    readonly role: "user" | "assistant";
    readonly external_id?: string;
  };
  /** Refused with `version_conflict` unless this is the session's version. */
  readonly if_version?: number;
}

export interface Page {
  readonly messages: readonly Message[];
  /** Pass as `after` for what comes later; the request's own cursor when there is nothing. */
  readonly cursor: number;
  readonly more: boolean;
}

/** The sessions that frontends hold tokens of. One method is one round trip; errors as in `Conversations`. */
export interface Sessions {
  /** The active session of any of the identities, or a new one; with the device's token attached. */
  start(start: StartSession, now: Date): Promise<Opened>;
  /**
   * Slides the session and appends the channel. Throws `session_not_found` (unknown, ended, signed out) or
   * `session_expired`. By identities, `token_hash` becomes the device's new token; by asserted ones only a session that
   * nobody has proven is found, and `verification_required` is thrown when there is another.
   */
  restore(
    who: { token_hash: string; identities?: Identities; asserted?: boolean },
    channel: string | undefined,
    now: Date,
  ): Promise<Opened>;
  /** Applies the changes in the database and slides the session. Throws as `restore`, and `version_conflict`. */
  update(token_hash: string, changes: SessionChanges, now: Date): Promise<Session>;
  /** Ends the session on every channel; its tokens die. Returns them for the cache. Throws as `restore`. */
  end(token_hash: string, now: Date): Promise<{ session: Session; token_hashes: string[] }>;
  /** The token dies, the session lives. False when it was not alive. */
  signOut(token_hash: string, now: Date): Promise<boolean>;
  /** Messages after the cursor in order, of a session in any state by id, or of a live token's session. */
  messages(of: SessionRef, after: number, limit: number, now: Date): Promise<Page & { session_id: string }>;
}

/** A device that holds a session's token. */
export interface Device {
  readonly device_id: string;
  readonly channel: string;
  readonly created_at: Date;
  readonly last_used_at: Date;
  /** It is the one that asks. */
  readonly current: boolean;
}

/** A way to reach a customer that they have used before. */
export interface KnownAddress {
  readonly channel: string;
  readonly account?: string;
  readonly address: Address;
  readonly used_at: Date;
}

/**
 * How people prove who they are beside what platforms sign. One method is one round trip. What it takes to answer does
 * not tell whether a phone is known. Throws `too_many_requests` with a wait past its limits. A limit key says who asks:
 * `ip:` or `device:` and a hash; phones are counted without one.
 */
export interface Proofs {
  /** Makes `code_hash` the phone's one live code. Returns where it can be sent, newest first: nowhere for a stranger. */
  requestCode(
    request: { phone: string; code_hash: string; limit_keys: readonly string[] },
    now: Date,
  ): Promise<KnownAddress[]>;
  /**
   * Proves the phone. A live token's session and the phone's become one, if the former is nobody's or the device has
   * lately proven who it is; else it is the phone's session, found or opened. `new_token_hash` becomes the device's
   * token, and `token_hash` dies. Throws `code_invalid`.
   */
  confirmCode(
    proof: { phone: string; code_hash: string; token_hash?: string; new_token_hash: string; channel: string },
    now: Date,
  ): Promise<Opened>;
  /**
   * Binds a link token to a device and its session, for ten minutes and one use. When the person comes, `new_token_hash`
   * becomes the device's token, and `token_hash` dies: whoever else holds it is not there. Throws as `Sessions.restore`,
   * and `verification_required` for a session that is somebody's, unless the device has proven within a quarter of an
   * hour who it is: by code, scan or password, or because an API key vouched for it.
   */
  createLink(
    link: { token_hash: string; link_hash: string; new_token_hash: string },
    now: Date,
  ): Promise<{ expires_at: Date }>;
  /**
   * Sets the password of the session's proven phone. Throws as `createLink`, and `verification_required` without such a
   * phone.
   */
  signUp(signup: { token_hash: string; password: string }, now: Date): Promise<void>;
  /** Throws `verification_required` without a proven phone, and `password_invalid`. */
  changePassword(
    change: { token_hash: string; password: string; new_password: string },
    now: Date,
  ): Promise<void>;
  /**
   * As `confirmCode`, with a password; but a session that is somebody's already is left, not joined: another person
   * may be logging in. Throws `password_invalid`.
   */
  logIn(
    login: {
      phone: string;
      password: string;
      token_hash?: string;
      new_token_hash: string;
      channel: string;
      limit_keys: readonly string[];
    },
    now: Date,
  ): Promise<Opened>;
  /** Of a live token, or of a session by id (operators); the oldest first. Throws as `Sessions.restore`. */
  devices(of: SessionRef, now: Date): Promise<Device[]>;
  /** Lets a device's token die; returns its hash for the cache, or undefined when there is no such device. */
  revokeDevice(of: SessionRef, device_id: string, now: Date): Promise<string | undefined>;
  /** The identity leaves the session; later messages from it open another one. Throws as `createLink`. */
  unlink(token_hash: string, kind: IdentityKind, now: Date): Promise<Session>;
}

/** What a shop owes the people it keeps data of. Each call leaves a line in the audit, without content. */
export interface Privacy {
  /** One page of everything kept of a customer (by `customer_id`, or one session): sessions, then messages. */
  export(
    of: CustomerRef,
    after: string | undefined,
    limit: number,
    actor: string,
    now: Date,
  ): Promise<ExportPage>;
  /** Erases content and identities, keeps counts. Returns what became empty, and the hashes of tokens that died. */
  erase(of: CustomerRef, actor: string, now: Date): Promise<Erased>;
  /** Lines in order, after the one with id `after`. */
  audit(after: string | undefined, limit: number): Promise<AuditLine[]>;
}

export type CustomerRef = { readonly customer_id: string } | { readonly session_id: string };

/** A session with all that is kept beside its row. */
export interface ExportedSession extends Session {
  readonly addresses: readonly KnownAddress[];
  readonly devices: readonly Omit<Device, "current">[];
  /** Channels on which the customer has blocked us. */
  readonly unreachable: readonly string[];
  /** Whether its phone has a password. */
  readonly has_password: boolean;
}

/** A message with what it said before it was edited or deleted. */
export interface ExportedMessage extends Message {
  readonly revisions: readonly { readonly text: string; readonly content: Content; readonly at: Date }[];
}

export interface ExportPage {
  readonly sessions: readonly ExportedSession[];
  readonly messages: readonly ExportedMessage[];
  /** Absent on the last page. */
  readonly after?: string;
}

export interface Erased {
  readonly sessions: number;
  readonly messages: number;
  readonly session_ids: readonly string[];
  readonly token_hashes: readonly string[];
}

export interface AuditLine {
  readonly audit_id: string;
  readonly at: Date;
  /** Who did it: a key's name, never the key. */
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly details: JsonObject;
}

/** What operators see and set right. One method is one round trip; errors as in `Conversations`. */
export interface Operations {
  /** Dead letters in the order they came to be, after the one with id `after`. */
  deadLetters(after: string | undefined, limit: number): Promise<DeadLetter[]>;
  /** Makes a dead letter due again, its attempts forgotten, and claims it when it is first in line. False when there is none. */
  retry(id: string, now: Date): Promise<(Due & { readonly found: true }) | { readonly found: false }>;
  /** What was counted since the first migration, and what is open now. */
  metrics(now: Date): Promise<Metrics>;
}

export interface Metrics {
  /** By `name` or `name|label|label`: see docs/operations.md. Histogram buckets are `name.le|label|bound in ms`. */
  readonly counters: Readonly<Record<string, number>>;
  readonly open_turns: number;
  readonly open_deliveries: number;
  /** Since when the oldest unanswered message or unsent reply waits. */
  readonly oldest_turn_at?: Date;
  readonly oldest_delivery_at?: Date;
}

/** Bounded work on sessions nobody touches any more. */
export interface Housekeeping {
  /** Marks active sessions past their expiry, and forgets codes, links and limits that count no more. Returns how many sessions. */
  expire(now: Date, limit: number): Promise<number>;
  /**
   * Deletes sessions that died before `before`, with their messages, and what else `retention` names; at most `limit` of
   * each. Returns how many sessions. With `retention` it leaves a line in the audit when it deleted anything.
   */
  purge(before: Date, limit: number, retention?: Retention): Promise<number>;
}

/** What is deleted though its session lives. */
export interface Retention {
  readonly now: Date;
  /** Messages said before, but for those still to be answered or sent; their count stays. */
  readonly messages_before?: Date;
  /** Passwords that let nobody in since. */
  readonly passwords_before?: Date;
}

/** What a session's open devices are told at once. */
export type LiveEvent =
  /** Something new lies behind their cursor. */
  | { readonly type: "messages" }
  /** A message they may have seen has changed: edited, deleted, or further on its way. */
  | { readonly type: "message"; readonly message: Message }
  | { readonly type: "status"; readonly message_id: string; readonly status: DeliveryStatus }
  /** The bot is at work on a message of this channel. */
  | { readonly type: "typing"; readonly channel: string }
  | { readonly type: "session"; readonly session: Session }
  /** The session has merged with another one: its devices belong to the survivor, with a history they have not seen. */
  | { readonly type: "moved" }
  /** The session has ended, or this device's token has died (without one: every device's). */
  | { readonly type: "closed"; readonly token_hash?: string };

/** The open devices of a session, wherever they are connected. */
export interface Live {
  /** Tells them, in the background. What cannot be told is found by cursor; nothing is thrown. */
  publish(session_id: string, event: LiveEvent): void;
}

/**
 * Sessions by token, by id and by the identities they hold, near and forgetful. Asked only while the store does not
 * answer; never fails a request.
 */
export interface SessionCache {
  get(who: SessionRef | { readonly identities: Identities }): Promise<Session | undefined>;
  /**
   * Remembers the session as it is now, for all that find it and for this token, which has just been used unless `used`
   * says no. Tokens that die without use are forgotten in time.
   */
  put(token_hash: string | undefined, session: Session, options?: { readonly used?: boolean }): Promise<void>;
  /** Forgets the tokens, for good; with `sessions` also what they lead to, with all that finds it. */
  drop(token_hashes: readonly string[], options?: { readonly sessions?: boolean }): Promise<void>;
}

/** Where state lives. */
export interface Store {
  readonly conversations: Conversations;
  readonly sessions: Sessions;
  readonly housekeeping: Housekeeping;
  readonly operations: Operations;
  readonly proofs: Proofs;
  readonly privacy: Privacy;
  /** Resolves when the store answers; throws `unavailable`. */
  ping(): Promise<void>;
  /** Whether calls go through, fail at once, or one may try; absent where nothing can break. */
  readonly breaker?: () => BreakerState;
}

export type BreakerState = "closed" | "open" | "half_open";

/** What a store needs to know beside its calls. */
export interface StoreSettings {
  /** A session's lifetime after its last activity. */
  readonly sessionTtlMs: number;
  /** How long a claim on a turn or delivery holds. */
  readonly leaseMs: number;
  /** How many earlier messages a turn carries. */
  readonly history: number;
  /** Whether messages that wait behind a turn from the same address are answered together. */
  readonly batch?: boolean;
  /** How far ahead of its time a delivery may be claimed by whoever then waits for it. */
  readonly patienceMs?: number;
  /** Messages per second that a channel takes in all, for those that say so. */
  readonly pace?: Readonly<Record<string, number>>;
  readonly language?: string;
  /** How long a kiosk's token lives without use; absent means as long as its session. */
  readonly kioskIdleMs?: number;
  /** What customers are told of their identities. */
  readonly notices?: Notices;
}

/** Whatever answers. An empty list means it stays silent. */
export interface Bot {
  /** How many earlier messages it wants to see. */
  readonly history: number;
  /** Whether messages that came while it was busy reach it in one turn. */
  readonly batch?: boolean;
  /** What it wants to be told beside messages. */
  readonly hears?: { readonly edits?: boolean; readonly reactions?: boolean };
  /** Throws `HubError` or anything; the turn is tried again. */
  reply(turn: Turn, signal: AbortSignal): Promise<Reply[]>;
}

/** One structured line. Ids, codes, counts and durations; never text, phones or secrets. */
export type Log = (
  level: "info" | "warn" | "error",
  event: string,
  fields: Readonly<Record<string, unknown>>,
) => void;
