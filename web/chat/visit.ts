import { signal } from "@preact/signals";
import { type Content, createHub, type HubClient, HubError, type HubEvent } from "@session-hub/client";
import { type Conversation, conversationOf, randomId, type Waiting } from "../kit/conversation.ts";
import { type Files, filesOf } from "./files.ts";
import type { ChatOptions, Identity } from "./options.ts";
import { isPassing, oneTab, pause } from "./tries.ts";

/** A message that was written before there was a session. */
interface First {
  readonly externalId: string;
  readonly message: string | Content;
}

/** One visitor's conversation with the shop, over page loads and tabs. A session opens with the first message. */
export interface Visit
  extends Pick<Conversation, "messages" | "hasEarlier" | "drafts" | "line" | "isTyping" | "showEarlier"> {
  readonly hub: HubClient;
  readonly files: Pick<Files, "add" | "remove">;
  /** Those that the hub does not have yet, also those that wait for a session. */
  readonly waiting: () => readonly Waiting[];
  readonly over: Conversation["over"];
  /** The hub's code, when it refuses this page: there is no chat here. */
  readonly refused: { readonly value: string | undefined };
  /** Goes on with what this browser has kept. False if it has nothing. */
  resume(): boolean;
  send(message: string | Content, replyTo?: string): void;
  /** Opens a session unless there is one. Rejects when the hub refuses. */
  open(): Promise<void>;
  identify(identity: Identity | null): Promise<void>;
  /** Leaves an ended conversation. */
  startNew(): void;
  /** Listens again, after another window took the place of this one. */
  useHere(): void;
}

export function visitOf({ url, key }: ChatOptions, onEvent: (event: HubEvent) => void): Visit {
  const hub = createHub({ url, storage: "local", ...(key && { publicId: key }) });
  const conversation = conversationOf(hub, take);
  const files = filesOf(hub, url, isThere, conversation.put);
  const first = signal<readonly First[]>(read());
  const refused = signal<string | undefined>(undefined);
  let opening: Promise<void> | undefined;
  let wasReady = false;

  function take(event: HubEvent): void {
    if (event.type === "ready") wasReady = true;
    if (event.type === "switched") files.clear();
    // Nobody wants to hear that a conversation of last month has ended.
    if (event.type === "ended" && !wasReady && event.code !== "crowded") conversation.clear();
    onEvent(event);
  }

  async function isThere(): Promise<void> {
    if (conversation.line.value === "none") await visit.open();
  }

  function listen(): boolean {
    try {
      conversation.listen();
      return true;
    } catch (error) {
      if (error instanceof HubError && error.code === "no_session") {
        conversation.clear();
        return false;
      }
      throw error;
    }
  }

  /** Messages that were written before there was a session. They survive a reload, as those of the client do. */
  function keep(entries: readonly First[]): void {
    first.value = entries;
    try {
      if (entries.length > 0) localStorage.setItem(`${url} first`, JSON.stringify(entries));
      else localStorage.removeItem(`${url} first`);
    } catch {
      // Without storage they live as long as the page.
    }
  }

  function read(): readonly First[] {
    try {
      return JSON.parse(localStorage.getItem(`${url} first`) ?? "[]");
    } catch {
      return [];
    }
  }

  function sendFirst(): void {
    for (const { externalId, message } of first.value) conversation.send(message, { externalId });
    keep([]);
  }

  async function opened(): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        // One tab at a time: two that open together get one session.
        await oneTab(`${url} start`, async () => {
          if (!(await hub.session.restore())) await hub.session.start();
        });
        break;
      } catch (error) {
        if (!isPassing(error)) {
          refused.value = error instanceof HubError ? error.code : "internal";
          throw error;
        }
        await pause(error, failures);
      }
    }
    refused.value = undefined;
    if (conversation.line.value === "none") listen();
    sendFirst();
  }

  const visit: Visit = {
    hub,
    files,
    messages: conversation.messages,
    hasEarlier: conversation.hasEarlier,
    drafts: conversation.drafts,
    showEarlier: conversation.showEarlier,
    line: conversation.line,
    isTyping: conversation.isTyping,
    over: conversation.over,
    refused,
    waiting: () => [
      ...conversation.waiting.value,
      ...first.value.map(({ externalId, message }) => ({
        external_id: externalId,
        text: typeof message === "string" ? message : "",
        ...(refused.value && { failed: refused.value }),
      })),
      ...files.waiting.value,
    ],
    resume() {
      const isThere = listen();
      if (first.value.length > 0) void visit.open().catch(() => {});
      void files.resume();
      return isThere;
    },
    send(message, replyTo) {
      if (conversation.line.value !== "none") return conversation.send(message, replyTo ? { replyTo } : {});
      keep([...first.value, { externalId: randomId(), message }]);
      void visit.open().catch(() => {});
    },
    open() {
      opening ??= opened().finally(() => {
        opening = undefined;
      });
      return opening;
    },
    async identify(identity) {
      if (identity === null) {
        conversation.clear();
        files.clear();
        return hub.session.signOut();
      }
      const current = hub.session.current ?? (await hub.session.restore());
      if (current?.customer_id !== String(identity.customer_id)) await hub.session.start({ identity });
      refused.value = undefined;
      if (conversation.line.value === "none") listen();
      sendFirst();
    },
    startNew() {
      conversation.clear();
      wasReady = false;
    },
    useHere: () => void listen(),
  };
  return visit;
}
