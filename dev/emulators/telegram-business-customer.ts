import type { Hono } from "hono";
import { badControl, readFields } from "./control.ts";
import type { Fields } from "./fields.ts";
import type { OnNode } from "./server.ts";
import type { Connection } from "./telegram-business.ts";
import type { Chat, Chats } from "./telegram-chats.ts";
import { learnFiles } from "./telegram-media.ts";
import type { Telegram } from "./telegram-state.ts";
import { seconds, update } from "./telegram-update.ts";

export const businessRoutes: Record<string, string> = {
  "POST /_customer/business/connect":
    "{user: {id, first_name?}, business_connection_id?, rights? = {can_reply: true}} a user connects the bot to their account, or changes its rights -> {business_connection_id, update_id, status, error?}",
  "POST /_customer/business/disconnect": "{business_connection_id} disables it -> as connect",
  "POST /_customer/business/message":
    "{business_connection_id, chat: {id}, owner?: false, from?, text | photo | ...} a customer, or the owner, writes in the owner's account -> {update_id, message_id, status, error?}",
  "POST /_customer/business/edit": "as message, with message_id -> as message",
  "POST /_customer/business/delete":
    "{business_connection_id, chat, message_ids} -> {update_id, status, error?}",
};

/**
 * Mounts the routes with which a script plays a user who connected the bot to their account, and this user's customers.
 */
export function mountBusiness(app: Hono<OnNode>, telegram: Telegram): void {
  const { business } = telegram;

  const announce = async (connection: Connection) => {
    business.connections.set(connection.id, connection);
    const given = await update(telegram, { business_connection: connection }, `business:${connection.id}`);
    return { business_connection_id: connection.id, ...given };
  };

  app.post("/_customer/business/connect", async (c) => {
    const { user, business_connection_id, rights = { can_reply: true } } = await readFields(c);
    const id = Number((user as Fields | undefined)?.id ?? Number.NaN);
    if (!Number.isSafeInteger(id)) badControl("user.id is not an integer");
    const owner = { is_bot: false, first_name: "Owner", ...(user as Fields), id };
    return c.json(
      await announce({
        id: String(business_connection_id ?? crypto.randomUUID()),
        user: owner,
        user_chat_id: id,
        date: seconds(telegram),
        rights: rights as Fields,
        is_enabled: true,
      }),
    );
  });

  app.post("/_customer/business/disconnect", async (c) => {
    const { connection } = whose(telegram, await readFields(c));
    const { rights: _, ...rest } = connection;
    return c.json(await announce({ ...rest, is_enabled: false }));
  });

  app.post("/_customer/business/message", async (c) => {
    const { connection, chats, chat, from, fields } = where(telegram, await readFields(c));
    const message_id = chats.number(chat);
    const date = seconds(telegram);
    if (from.id !== connection.user.id) chats.wrote(chat);
    chats.said(chat, message_id, { mine: false, text: String(fields.text ?? ""), date });
    const business_message = message(connection, chat, { message_id, from, date, ...fields });
    learnFiles(telegram, business_message);
    return c.json({ message_id, ...(await deliver(connection, chat, { business_message })) });
  });

  app.post("/_customer/business/edit", async (c) => {
    const { connection, chats, chat, from, fields } = where(telegram, await readFields(c));
    const message_id = Number(fields.message_id);
    const date = chats.recall(chat, message_id)?.date ?? seconds(telegram);
    chats.said(chat, message_id, { mine: false, text: String(fields.text ?? ""), date });
    const edited_business_message = message(connection, chat, {
      ...{ from, date, edit_date: seconds(telegram) },
      ...fields,
    });
    return c.json({ message_id, ...(await deliver(connection, chat, { edited_business_message })) });
  });

  app.post("/_customer/business/delete", async (c) => {
    const { connection, chats, chat, fields } = where(telegram, await readFields(c));
    if (!Array.isArray(fields.message_ids)) badControl("message_ids is not a list");
    const message_ids = fields.message_ids.map(Number);
    for (const id of message_ids) chats.remove(chat, id);
    const gone = { business_connection_id: connection.id, chat: chat.info, message_ids };
    return c.json(await deliver(connection, chat, { deleted_business_messages: gone }));
  });

  const deliver = (connection: Connection, chat: Chat, fields: Fields) =>
    update(telegram, fields, `business:${connection.id}:${chat.info.id}`);
}

function message({ id }: Connection, chat: Chat, fields: Fields): Fields {
  return { business_connection_id: id, chat: chat.info, ...fields };
}

function whose(
  { business }: Telegram,
  { business_connection_id: id, ...fields }: Fields,
): { connection: Connection; fields: Fields } {
  const connection = business.connections.get(String(id ?? ""));
  if (!connection) badControl("there is no such business_connection_id");
  return { connection, fields };
}

function where(
  telegram: Telegram,
  given: Fields,
): { connection: Connection; chats: Chats; chat: Chat; from: Fields; fields: Fields } {
  const { connection, fields: all } = whose(telegram, given);
  if (!connection.is_enabled) badControl("the connection is disabled: Telegram tells nothing of it");
  const { chat: info, owner, from, ...fields } = all;
  const id = Number((info as Fields | undefined)?.id ?? Number.NaN);
  if (!Number.isSafeInteger(id) || id <= 0) badControl("chat.id is no user's");
  const chats = telegram.business.chatsOf(connection.id);
  const chat = chats.meet(info as Fields);
  const customer = { id, is_bot: false, first_name: chat.info.first_name ?? "Customer", language_code: "en" };
  const writer = owner === true ? connection.user : customer;
  return { connection, chats, chat, from: { ...writer, ...(from as Fields | undefined) }, fields };
}
