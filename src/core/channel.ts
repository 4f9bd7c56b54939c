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
  showTyping(to: Address, external_id: string, signal: AbortSignal): Promise<void>;
  /** Messages per second that the platform takes from one account; absent means no limit worth keeping. */
  readonly perSecond?: number;
  /** The least time between two messages to one address. */
  readonly spacingMs?: number;
  /** The answer to the platform's subscription handshake; `undefined` when this request is not one. Throws `forbidden`. */
  challenge?(request: WebhookRequest): string | undefined;
}
