import { type Signal, signal } from "@preact/signals";
import type {
  Content,
  HubClient,
  HubError,
  HubEvent,
  Message,
  Outgoing,
  Subscription,
} from "@session-hub/client";

/** How long the bot is shown to write without another sign of it: docs/live.md. */
const TYPING_MS = 25_000;

/** How many messages a page holds at first, and how many more it shows at each wish: a long talk must not fill its memory. */
const SHOWN = 500;

/** A file on its way to the hub. */
export interface FileOnWay {
  readonly kind: "image" | "video" | "audio" | "document";
  readonly name: string;
  /** Where this page has it. */
  readonly url: string;
  /** The part that has gone, from 0 to 1. */
  readonly part: number;
}

/** A message that the hub does not have yet. */
export interface Waiting {
  readonly external_id: string;
  readonly text: string;
  readonly content?: Content | undefined;
  readonly file?: FileOnWay;
  /** The hub's code, once it was refused for good. */
  readonly failed?: string;
}

/** The bot's answer so far. */
export interface Draft {
  readonly text: string;
  readonly format?: "plain" | "markdown" | undefined;
}

/** What a page shows of one session. All fields are signals. */
export interface Conversation {
  /** The newest, in order, each once. */
  readonly messages: Signal<readonly Message[]>;
  /** Whether there are earlier messages than those. */
  readonly hasEarlier: Signal<boolean>;
  /** The answers that are being written, by the message that they answer. */
  readonly drafts: Signal<ReadonlyMap<string, Draft>>;
  readonly waiting: Signal<readonly Waiting[]>;
  /** `none`: not listening. `lost`: the page comes back by itself. */
  readonly line: Signal<"none" | "connecting" | "ready" | "lost">;
  readonly isTyping: Signal<boolean>;
  /** Why it is over; a new one begins with `listen`. `crowded`: another page of this device took its place. */
  readonly over: Signal<Extract<HubEvent, { type: "ended" }>["code"] | undefined>;
  /** Follows the session that the client holds. Calling it again begins anew. */
  listen(): void;
  /** Sends in order, each once, as soon as the hub can be reached. */
  send(
    message: string | Content,
    options?: { readonly replyTo?: string; readonly externalId?: string },
  ): void;
  /** Puts a message there that the hub has. */
  put(message: Message): void;
  /** Reads more of the earlier messages. Rejects without an answer of the hub. */
  showEarlier(): Promise<void>;
  /** Ends the listening and forgets what was shown. */
  clear(): void;
}

export function conversationOf(hub: HubClient, onEvent: (event: HubEvent) => void = () => {}): Conversation {
  const messages = signal<readonly Message[]>([]);
  const hasEarlier = signal(false);
  const drafts = signal<ReadonlyMap<string, Draft>>(new Map());
  let shown = SHOWN;
  const waiting = signal<readonly Waiting[]>([]);
  const line = signal<"none" | "connecting" | "ready" | "lost">("none");
  const isTyping = signal(false);
  const over: Conversation["over"] = signal(undefined);
  let subscription: Subscription | undefined;
  let typing: ReturnType<typeof setTimeout> | undefined;
  let wasLost = false;

  function showTyping(is: boolean): void {
    clearTimeout(typing);
    isTyping.value = is;
    if (is) typing = setTimeout(() => showTyping(false), TYPING_MS);
  }

  function put(...some: readonly Message[]): void {
    const ids = new Set(some.map(({ message_id }) => message_id));
    const others = messages.value.filter(({ message_id }) => !ids.has(message_id));
    const all = [...others, ...some].sort((a, b) => a.seq - b.seq);
    if (all.length > shown) hasEarlier.value = true;
    messages.value = all.slice(-shown);
    const arrived = new Set(some.map(({ external_id }) => external_id));
    if (waiting.value.some(({ external_id }) => arrived.has(external_id)))
      waiting.value = waiting.value.filter(({ external_id }) => !arrived.has(external_id));
  }

  async function readFrom(start: string): Promise<void> {
    for (let after = start, more = true; more; ) {
      const page = await hub.history({ after, limit: 200 });
      put(...page.messages);
      ({ cursor: after, more } = page);
    }
  }

  /** What changed while the page was away is not repeated, so it is read again. */
  async function readAgain(): Promise<void> {
    const [first] = messages.value;
    try {
      await readFrom(first ? String(first.seq - 1) : "0");
    } catch {
      // The next time the line is back reads it; new messages come by the subscription.
    }
  }

  function takeDraft({ reply_to, at, text, format }: Extract<HubEvent, { type: "draft" }>): void {
    const before = drafts.value.get(reply_to)?.text ?? "";
    const now = new Map(drafts.value);
    // A piece before it was missed: the answer itself will come.
    if ((at === 0 && text === "") || before.length < at) now.delete(reply_to);
    else now.set(reply_to, { text: before.slice(0, at) + text, format });
    drafts.value = now;
  }

  function dropDrafts(of?: string | null): void {
    if (drafts.value.size > 0)
      drafts.value = new Map([...drafts.value].filter(([answered]) => of !== undefined && answered !== of));
  }

  function forget(): void {
    messages.value = [];
    waiting.value = [];
    hasEarlier.value = false;
    shown = SHOWN;
    dropDrafts();
  }

  function take(event: HubEvent): void {
    if (["switched", "merged", "lost", "ended"].includes(event.type)) dropDrafts();
    switch (event.type) {
      case "message":
        if (event.message.direction === "outbound") {
          showTyping(false);
          dropDrafts(event.message.reply_to);
        }
        put(event.message);
        break;
      case "draft":
        showTyping(false);
        takeDraft(event);
        break;
      case "changed":
        if (messages.value.some(({ message_id }) => message_id === event.message.message_id))
          put(event.message);
        break;
      case "status":
        messages.value = messages.value.map((message) =>
          message.message_id === event.message_id ? { ...message, status: event.status } : message,
        );
        break;
      case "typing":
        showTyping(true);
        break;
      case "turn":
        showTyping(false);
        break;
      case "switched":
        forget();
        line.value = "connecting";
        break;
      case "merged":
        line.value = "connecting";
        break;
      case "ready":
        line.value = "ready";
        if (wasLost) void readAgain();
        wasLost = false;
        break;
      case "lost":
        line.value = "lost";
        wasLost = true;
        showTyping(false);
        break;
      case "ended":
        line.value = "none";
        over.value = event.code;
        showTyping(false);
        break;
    }
    onEvent(event);
  }

  return {
    messages,
    hasEarlier,
    drafts,
    waiting,
    line,
    isTyping,
    over,
    listen() {
      subscription?.close();
      over.value = undefined;
      line.value = "connecting";
      waiting.value = [
        ...waiting.value,
        ...hub.pending
          .filter((one) => !waiting.value.some(({ external_id }) => external_id === one.external_id))
          .map(waitingOf),
      ];
      subscription = hub.subscribe(take);
    },
    send(message, { replyTo, externalId = randomId() } = {}) {
      const isText = typeof message === "string";
      const entry: Waiting = {
        external_id: externalId,
        text: isText ? message : titleOf(message),
        ...(!isText && { content: message }),
      };
      waiting.value = [...waiting.value, entry];
      hub.send(message, { externalId, ...(replyTo !== undefined && { replyTo }) }).then(
        ({ message: saved }) => saved && put(saved),
        (error: HubError) => {
          waiting.value = waiting.value.map((one) =>
            one.external_id === externalId ? { ...one, failed: error.code } : one,
          );
        },
      );
    },
    put,
    async showEarlier() {
      shown += SHOWN;
      hasEarlier.value = false;
      await readFrom("0");
    },
    clear() {
      subscription?.close();
      subscription = undefined;
      showTyping(false);
      forget();
      line.value = "none";
      over.value = undefined;
    },
  };
}

function waitingOf({ external_id, text, content }: Outgoing): Waiting {
  return { external_id, text: text ?? (content ? titleOf(content) : ""), ...(content && { content }) };
}

function titleOf(content: Content): string {
  if (content.kind === "text") return content.text;
  return (content.kind === "interaction" && content.title) || "";
}

/** An id that no other message has. `crypto.randomUUID` is absent in pages without TLS. */
export function randomId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
