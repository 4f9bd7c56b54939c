import type { Fields } from "./fields.ts";
import type { Keep } from "./keep.ts";
import { badRequest } from "./telegram-refusal.ts";

export interface ChatInfo extends Fields {
  readonly id: number;
  readonly type: string;
}

export interface Chat {
  /** The chat as it appears in updates and answers. */
  readonly info: ChatInfo;
  readonly firstId: number;
  lastId: number;
  blocked: boolean;
  /** When the customer last wrote, in ms since 1970; only in chats of connected accounts. */
  lastAt?: number;
}

export interface Said {
  readonly mine: boolean;
  readonly text: string;
  readonly date: number;
  /** It is a file, and the text is its caption. */
  readonly captions?: boolean;
}

/** The chats the bot may write to, and the newest messages in them. */
export interface Chats {
  /** Adds a chat whose customer wrote, so that the bot may answer there. */
  meet(chat: Fields): Chat;
  /** The chat. Refuses with `chat not found` if no customer ever wrote there, unless `strict` is off. */
  find(id: unknown): Chat;
  /** The chat; undefined if no customer ever wrote there. */
  seek(id: unknown): Chat | undefined;
  /** The next `message_id` of the chat. Each chat counts its own ids. */
  number(chat: Chat): number;
  said(chat: Chat, messageId: number, said: Said): void;
  recall(chat: Chat, messageId: number): Said | undefined;
  /** Refuses with the text `otherwise` if the chat never had that message or it was deleted. */
  mustHave(chat: Chat, messageId: number, otherwise: string): void;
  remove(chat: Chat, messageId: number): void;
  block(chat: Chat, isBlocked: boolean): void;
  /** Notes that the customer wrote just now. */
  wrote(chat: Chat): void;
}

const KEPT_CHATS = 200_000;
const KEPT_MESSAGES = 100_000;
const GONE = null;

/** The chats of one account, stored in tables whose names begin with `prefix`. */
export function createChats(firstMessageId: number, isStrict: () => boolean, keep: Keep, prefix = ""): Chats {
  const chats = keep.table<Chat>(`${prefix}chats`, KEPT_CHATS);
  const messages = keep.table<Said | typeof GONE>(`${prefix}messages`, KEPT_MESSAGES);
  const save = (chat: Chat) => chats.set(String(chat.info.id), chat);

  function meet(fields: Fields): Chat {
    const id = Number(fields.id);
    const known = chats.get(String(id));
    if (known) return known;
    const type = id > 0 ? "private" : id < -1e12 ? "supergroup" : "group";
    const name = type === "private" ? { first_name: "Customer" } : { title: "Group" };
    const info = { ...name, type, ...fields, id };
    const chat: Chat = { info, firstId: firstMessageId, lastId: firstMessageId - 1, blocked: false };
    save(chat);
    return chat;
  }

  const key = (chat: Chat, messageId: number) => `${chat.info.id}:${messageId}`;

  return {
    meet,
    find(id) {
      if (id === undefined || id === "") badRequest("chat_id is empty");
      const chat = chats.get(String(Number(id)));
      if (chat) return chat;
      if (isStrict() || !Number.isSafeInteger(Number(id))) badRequest("chat not found");
      return meet({ id });
    },
    seek: (id) => chats.get(String(Number(id))),
    number(chat) {
      chat.lastId++;
      save(chat);
      return chat.lastId;
    },
    said: (chat, messageId, said) => messages.set(key(chat, messageId), said),
    recall: (chat, messageId) => messages.get(key(chat, messageId)) ?? undefined,
    mustHave(chat, messageId, otherwise) {
      const known = messages.get(key(chat, messageId));
      const numbered = messageId >= chat.firstId && messageId <= chat.lastId;
      if (known === GONE || (!known && !numbered && isStrict())) badRequest(otherwise);
    },
    remove: (chat, messageId) => messages.set(key(chat, messageId), GONE),
    block(chat, isBlocked) {
      chat.blocked = isBlocked;
      save(chat);
    },
    wrote(chat) {
      chat.lastAt = Date.now();
      save(chat);
    },
  };
}
