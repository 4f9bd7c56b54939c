import type { Part } from "./answer/turn.ts";
import type { Answered, Rendered } from "./content/prepare.ts";
import type { Reply, ReplyOf } from "./content/reply.ts";
import type { ContentTable } from "./content/table.ts";
import type { TemplateSource } from "./content/template.ts";
import type { ReplyWindow } from "./deliver/window.ts";
import type { FilesToSend, RemoteFile } from "./files.ts";
import type { Identities } from "./identity/identity.ts";
import type { KnownAddress } from "./identity/proofs.ts";
import type { JsonObject } from "./json.ts";
import type { Address, Inbound } from "./messages/message.ts";

/** One HTTP call from a platform. `body` holds the exact bytes, for the signature is computed over them. */
export interface WebhookRequest {
  readonly method: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** How to verify a platform's webhook and read it. */
export interface ChannelReader {
  /** Throws `unauthorized` unless the platform sent exactly these bytes. */
  verify(request: WebhookRequest): Promise<void>;
  /**
   * The events of the webhook, in its order. Throws `malformed` only when nothing in it can be read. Throws
   * `unavailable` or `throttled` when the platform must be asked to verify an event and does not answer: it then
   * delivers again.
   */
  parse(request: WebhookRequest): Promise<Inbound[]>;
  /**
   * Finds the file of a customer's message, by the platform's id of it. Throws `media_expired` when the platform no longer has it,
   * `media_too_large` when it gives out no file of that size, `throttled` and `unavailable`. Absent: the platform keeps no files.
   */
  findFile?(id: string, signal: AbortSignal): Promise<RemoteFile>;
  /** The answer to the platform's subscription handshake; `undefined` for any other request. Throws `forbidden`. */
  challenge?(request: WebhookRequest): string | undefined;
  /**
   * The scope of the API keys with which the shop's own programs post messages here for customers. The customers then
   * fetch their replies themselves. Absent: a platform posts the messages, and the hub sends the replies.
   */
  readonly postedWith?: "kiosk" | "web";
  /** How long a session token from this channel lives without use, in ms. Absent: as long as its session. */
  readonly tokenIdleMs?: number;
}

/** How to send on a platform. */
export interface ChannelSender {
  /**
   * Cuts a plain text into parts, in order. One part is one call; a text past the platform's length limit needs several.
   */
  split(reply: ReplyOf<"text">): Part[];
  /** What the channel makes of each kind of reply. Absent: every kind is sent as its text. */
  readonly content?: ContentTable;
  /**
   * Renders a reply of a kind that `content` calls native or degraded into calls. Throws as `unrenderable` does for a
   * reply that the platform would refuse in any form. Absent: every kind is sent as its text.
   */
  render?(reply: Reply, answered: Answered): Rendered;
  /**
   * Checks a bot's own call for this platform and returns its part; `text` is what it says. Throws as `render`. Absent:
   * the channel takes no such calls, and the neutral content is sent.
   */
  renderRaw?(call: JsonObject, text: string): Part;
  /** Joins the replies to one message where they fit into fewer paid ones. */
  join?(replies: readonly Reply[]): Reply[];
  /** The category under which the platform bills a part; undefined for a part that costs nothing. Absent: all are free. */
  billedAs?(part: Part): string | undefined;
  /**
   * Sends one part and returns the platform's id for it. Throws `rejected` when the platform will never take it,
   * `throttled` with the platform's wait in ms, and `unavailable` when the platform could not be reached. `files` has the
   * uploads that the part names.
   */
  send(to: Address, part: Part, signal: AbortSignal, files?: FilesToSend): Promise<string>;
  /**
   * Sends a one-time code, which is saved in no history. Throws as `send`, and `rejected` for an address that other
   * people may read too. Some platforms allow a message only for a limited time after the customer's last one:
   * `to.used_at` is the time of that message, and `rejected` is thrown when it is too old.
   */
  sendCode(to: KnownAddress, code: string, now: Date, signal: AbortSignal): Promise<void>;
  /**
   * Shows the customer that their message was seen and is being answered, as far as the platform can: read mark,
   * typing, an answered button. Best effort: the bot does not wait for it, and its errors are only logged.
   */
  showTyping(to: Address, external_id: string, signal: AbortSignal): Promise<void>;
  /**
   * Shows the customer a bot's answer so far, in place of the draft of the same `id` that was shown before. An empty text says that the bot
   * is thinking. The platform shows it for a short time only, and takes it away when the answer is sent. Throws as `send`. Absent: the
   * platform has no drafts, and its customers get the answer when it is whole.
   */
  showDraft?(
    to: Address,
    draft: { readonly id: string; readonly text: string; readonly format?: "plain" | "markdown" },
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * The URL that a customer opens or scans to send us this link token. No link: absent, or undefined without settings.
   */
  scanLink?(token: string): string | undefined;
  /**
   * Where the platform reaches a person who has never written to the shop, by what it knows of them. Absent, or undefined: it reaches
   * nobody first.
   */
  addressOf?(who: Identities): { readonly account: string; readonly address: Address } | undefined;
  /** The rule of a platform that takes free replies only for a time after the customer's last message. Absent: it always does. */
  readonly window?: ReplyWindow;
  /** The reasons of a refusal for which every later message with the same content would be refused too. */
  readonly hopeless?: readonly string[];
  /** The templates of the shop's account at the platform. Absent: it has none, or no setting names the account. */
  readonly templates?: TemplateSource;
  /** Messages per second that the platform takes from one account. Absent: the hub keeps no limit. */
  readonly perSecond?: number;
  /** The least time between two messages to one address, in ms. */
  readonly spacingMs?: number;
}

/** One messaging platform: how to trust it, read it and answer on it. */
export interface Channel extends ChannelReader, ChannelSender {}
