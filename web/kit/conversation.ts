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

/** A message that the hub does not have yet. */
export interface Waiting {
  readonly external_id: string;
  readonly text: string;
  readonly content?: Content | undefined;
  /** The hub's code, once it was refused for good. */
  readonly failed?: string;
}

/** What a page shows of one session. All fields are signals. */
export interface Conversation {
  /** In order, each once. */
  readonly messages: Signal<readonly Message[]>;
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
  /** Ends the listening and forgets what was shown. */
  clear(): void;
}

export function conversationOf(hub: HubClient, onEvent: (event: HubEvent) => void = () => {}): Conversation {
  const messages = signal<readonly Message[]>([]);
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
    messages.value = [...others, ...some].sort((a, b) => a.seq - b.seq);
    const arrived = new Set(some.map(({ external_id }) => external_id));
    if (waiting.value.some(({ external_id }) => arrived.has(external_id)))
      waiting.value = waiting.value.filter(({ external_id }) => !arrived.has(external_id));
  }

  /** What changed while the page was away is not repeated, so it is read again. */
  async function readAgain(): Promise<void> {
    try {
      for (let after = "0", more = true; more; ) {
        const page = await hub.history({ after, limit: 200 });
        put(...page.messages);
        ({ cursor: after, more } = page);
      }
    } catch {
      // The next time the line is back reads it; new messages come by the subscription.
    }
  }

  function take(event: HubEvent): void {
    switch (event.type) {
      case "message":
        if (event.message.direction === "outbound") showTyping(false);
        put(event.message);
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
        messages.value = [];
        waiting.value = [];
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
    clear() {
      subscription?.close();
      subscription = undefined;
      showTyping(false);
      messages.value = [];
      waiting.value = [];
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
