import type { Reply } from "./answer/turn.ts";
import type { KnownAddress } from "./identity/proofs.ts";
import type { Address, Inbound } from "./messages/message.ts";

/** One HTTP call from a platform, with its body's exact bytes. */
export interface WebhookRequest {
  readonly method: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** How to trust a platform and read what it says. */
export interface ChannelReader {
  /** Throws `unauthorized` unless the platform sent exactly these bytes. */
  verify(request: WebhookRequest): Promise<void>;
  /**
   * What the webhook says, in its order. Throws `malformed` only when nothing in it can be read, and `unavailable` or
   * `throttled` when the platform has to be asked whether to believe it and does not answer: it delivers again then.
   */
  parse(request: WebhookRequest): Promise<Inbound[]>;
  /** The answer to the platform's subscription handshake; `undefined` when this request is not one. Throws `forbidden`. */
  challenge?(request: WebhookRequest): string | undefined;
  /**
   * The scope of the API keys with which programs of ours post messages here for customers, who then fetch their replies
   * themselves. Absent: a platform posts, and the hub sends.
   */
  readonly postedWith?: "kiosk" | "web";
  /** How long a session token that was given out here lives without use, in ms; absent means as long as its session. */
  readonly tokenIdleMs?: number;
}

/** How to answer on a platform. */
export interface ChannelSender {
  /** The reply as the calls that the platform needs, in order: one for most, more past its length limit. */
  split(reply: Reply): Reply[];
  /**
   * Makes one such call and returns the platform's id for it. Throws `rejected` when the platform never will,
   * `throttled` with its wait, `unavailable` when it could not be asked.
   */
  send(to: Address, part: Reply, signal: AbortSignal): Promise<string>;
  /**
   * Sends a one-time code, which is part of no history. Throws as `send`, and `rejected` for an address that others may
   * read too. Where the platform lets us write only to customers it has lately heard of, `to.used_at` says when that
   * was, and `rejected` that it is too long ago.
   */
  sendCode(to: KnownAddress, code: string, now: Date, signal: AbortSignal): Promise<void>;
  /**
   * Shows the customer that their message was seen and is being answered, as far as the platform can: read mark, typing,
   * an answered button. Best effort: nobody waits for it, and what it throws is logged.
   */
  showTyping(to: Address, external_id: string, signal: AbortSignal): Promise<void>;
  /** What a customer opens or scans to send us this link token; absent, or undefined without its settings: no link. */
  scanLink?(token: string): string | undefined;
  /** Messages per second that the platform takes from one account; absent means no limit worth keeping. */
  readonly perSecond?: number;
  /** The least time between two messages to one address. */
  readonly spacingMs?: number;
}

/** One messaging platform: how to trust it, read it and answer on it. */
export interface Channel extends ChannelReader, ChannelSender {}
