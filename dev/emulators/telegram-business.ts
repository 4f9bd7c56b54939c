import type { Fields } from "./fields.ts";
import type { Keep, Table } from "./keep.ts";
import { type Chat, type Chats, createChats } from "./telegram-chats.ts";
import type { Done } from "./telegram-methods.ts";
import { badRequest, refuse } from "./telegram-refusal.ts";
import type { Telegram } from "./telegram-state.ts";

/** A connection of the bot with a user's own account. https://core.telegram.org/bots/api#businessconnection */
export interface Connection extends Fields {
  readonly id: string;
  readonly user: Fields & { id: number };
  readonly user_chat_id: number;
  readonly date: number;
  readonly rights?: Fields;
  readonly is_enabled: boolean;
}

export interface Business {
  readonly connections: Table<Connection>;
  /** The chats of the connected account, apart from the bot's own chats. */
  chatsOf(connectionId: string): Chats;
}

const KEPT_CONNECTIONS = 1_000;
/** How long after a customer's message the bot may answer in a chat of a connected account. */
const ANSWER_MS = 24 * 3_600_000;

export function createBusiness(keep: Keep, firstMessageId: number): Business {
  const accounts = new Map<string, Chats>();
  return {
    connections: keep.table("connections", KEPT_CONNECTIONS),
    chatsOf(connectionId) {
      const known = accounts.get(connectionId);
      if (known) return known;
      const chats = createChats(firstMessageId, () => true, keep, `business:${connectionId}:`);
      accounts.set(connectionId, chats);
      return chats;
    },
  };
}

/** Finds any connection, also a disabled one. https://core.telegram.org/bots/api#getbusinessconnection */
export function getBusinessConnection({ business }: Telegram, params: Fields): Done {
  return { result: known(business, params.business_connection_id) };
}

/** The chats for a call: those of the connected account that it names, else the bot's own. */
export function chatsFor(telegram: Telegram, { business_connection_id: id }: Fields): Chats {
  return id === undefined || id === "" ? telegram.chats : telegram.business.chatsOf(String(id));
}

/**
 * The chat for a call. In a connected account the bot may act only if the connection is enabled, the bot has the right
 * to reply, and the chat is private and its customer wrote within a day. The first three errors are those of TDLib's
 * `check_business_connection`, the next those of https://core.telegram.org/method/messages.sendMessage. The errors for
 * a disabled connection and for a missing right are not documented anywhere.
 */
export function chatFor(telegram: Telegram, params: Fields): Chat {
  const { business_connection_id: id, chat_id } = params;
  if (id === undefined || id === "") return telegram.chats.find(chat_id);
  const { is_enabled, rights, user } = known(telegram.business, id);
  if (Number(chat_id) < 0) badRequest("chat must be a private chat");
  if (Number(chat_id) === user.id) badRequest("messages must not be sent to self");
  if (!is_enabled) badRequest("BUSINESS_CONNECTION_INVALID");
  if (!rights?.can_reply) refuse(403, "Forbidden: BOT_ACCESS_FORBIDDEN");
  const chat = telegram.business.chatsOf(String(id)).seek(chat_id);
  if (!chat) badRequest("BUSINESS_PEER_INVALID");
  if (Date.now() - (chat.lastAt ?? 0) > ANSWER_MS) badRequest("BUSINESS_PEER_USAGE_MISSING");
  return chat;
}

/** The fields of a message that the bot wrote in the name of the account's owner. */
export function inNameOf(telegram: Telegram, { business_connection_id: id }: Fields): Fields {
  if (id === undefined || id === "") return { from: telegram.bot };
  const { user } = known(telegram.business, id);
  return { business_connection_id: id, from: user, sender_business_bot: telegram.bot };
}

function known({ connections }: Business, id: unknown): Connection {
  return connections.get(String(id ?? "")) ?? badRequest("business connection not found");
}
