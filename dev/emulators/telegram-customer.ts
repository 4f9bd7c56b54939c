import type { Hono } from "hono";
import { badControl, readFields } from "./control.ts";
import type { Fields } from "./fields.ts";
import type { OnNode } from "./server.ts";
import type { Chat } from "./telegram-chats.ts";
import { learnFiles } from "./telegram-media.ts";
import type { Telegram } from "./telegram-state.ts";
import { answer, seconds, update } from "./telegram-update.ts";

export const customerRoutes: Record<string, string> = {
  "POST /_customer/message":
    "{chat: {id, type?}, from?, text | contact | photo | ...} -> {update_id, message_id, status, error?}; status is the first delivery's, 0 without an answer",
  "POST /_customer/contact": "{chat, from?, own?: true, phone_number, user_id?, first_name?} -> as a message",
  "POST /_customer/edit": "{chat, message_id, text | ...} -> as a message",
  "POST /_customer/callback":
    "{chat, from?, data, message_id} -> {update_id, callback_query_id, status, error?}",
  "POST /_customer/block":
    "{chat, from?} -> {update_id, status, error?}; sends answer 403 until /_customer/unblock",
  "POST /_customer/unblock": "{chat, from?} -> {update_id, status, error?}",
  "POST /_customer/channel_post": "{chat: {id: -100..., title?}, text | ...} -> as a message",
  "POST /_customer/inline": "{from: {id}, query} -> {update_id, inline_query_id, status, error?}",
  "POST /_customer/update":
    "a whole Update, delivered as given; update_id is added if absent -> {update_id, status, error?}",
};

/** Mounts the routes with which a script plays the bot's customers. */
export function mountCustomer(app: Hono<OnNode>, telegram: Telegram): void {
  const { chats } = telegram;

  app.post("/_customer/message", async (c) => {
    const { chat, from, fields } = who(telegram, await readFields(c));
    return c.json(await write(telegram, chat, from, fields));
  });

  app.post("/_customer/contact", async (c) => {
    const { chat, from, fields } = who(telegram, await readFields(c));
    const { own = true, phone_number, user_id, first_name = from.first_name, ...rest } = fields;
    const owner = own ? { user_id: from.id } : user_id === undefined ? {} : { user_id };
    return c.json(
      await write(telegram, chat, from, { ...rest, contact: { phone_number, first_name, ...owner } }),
    );
  });

  app.post("/_customer/edit", async (c) => {
    const { chat, from, fields } = who(telegram, await readFields(c));
    const { message_id, ...rest } = fields;
    const date = chats.recall(chat, Number(message_id))?.date ?? seconds(telegram);
    const message = {
      message_id,
      from,
      chat: chat.info,
      date,
      edit_date: seconds(telegram),
      ...withCommand(rest),
    };
    chats.said(chat, Number(message_id), { mine: false, text: String(rest.text ?? ""), date });
    return c.json({
      message_id,
      ...(await update(telegram, { edited_message: message }, String(chat.info.id))),
    });
  });

  app.post("/_customer/callback", async (c) => {
    const { chat, from, fields } = who(telegram, await readFields(c));
    const { message_id, data } = fields;
    const said = chats.recall(chat, Number(message_id));
    const id = String(fields.id ?? crypto.randomUUID());
    const message = {
      message_id,
      from: telegram.bot,
      chat: chat.info,
      date: said?.date ?? seconds(telegram),
      text: said?.text || "?",
    };
    telegram.queries.set(id, chat.info.id);
    const callback_query = { id, from, message, chat_instance: String(chat.info.id), data };
    return c.json({
      callback_query_id: id,
      ...(await update(telegram, { callback_query }, String(chat.info.id))),
    });
  });

  for (const action of ["block", "unblock"] as const) {
    app.post(`/_customer/${action}`, async (c) => {
      const { chat, from } = who(telegram, await readFields(c));
      chats.block(chat, action === "block");
      const status = (is: boolean) => ({
        user: telegram.bot,
        status: is ? "kicked" : "member",
        ...(is && { until_date: 0 }),
      });
      const my_chat_member = {
        chat: chat.info,
        from,
        date: seconds(telegram),
        old_chat_member: status(!chat.blocked),
        new_chat_member: status(chat.blocked),
      };
      return c.json(await update(telegram, { my_chat_member }, String(chat.info.id)));
    });
  }

  app.post("/_customer/channel_post", async (c) => {
    const { chat: given, ...fields } = await readFields(c);
    const id = Number((given as Fields | undefined)?.id ?? Number.NaN);
    if (!Number.isSafeInteger(id) || id >= 0) badControl("chat.id is no channel's");
    const chat = chats.meet({ title: "Channel", type: "channel", ...(given as Fields) });
    const message_id = chats.number(chat);
    const channel_post = {
      message_id,
      sender_chat: chat.info,
      chat: chat.info,
      date: seconds(telegram),
      ...fields,
    };
    chats.said(chat, message_id, { mine: false, text: String(fields.text ?? ""), date: channel_post.date });
    return c.json({ message_id, ...(await update(telegram, { channel_post }, String(id))) });
  });

  app.post("/_customer/inline", async (c) => {
    const { from: given, query = "" } = await readFields(c);
    const from = { is_bot: false, first_name: "Customer", ...(given as Fields | undefined) };
    const id = crypto.randomUUID();
    const inline_query = { id, from, query, offset: "" };
    return c.json({ inline_query_id: id, ...(await update(telegram, { inline_query }, `inline:${id}`)) });
  });

  app.post("/_customer/update", async (c) => {
    const fields = await readFields(c);
    learn(telegram, fields);
    const given = { ...fields, update_id: fields.update_id ?? telegram.nextUpdateId() };
    return c.json(answer(given.update_id, await telegram.deliveries.deliver(JSON.stringify(given))));
  });
}

function who(telegram: Telegram, fields: Fields): { chat: Chat; from: Fields; fields: Fields } {
  const { chat, chat_id, from, ...rest } = fields;
  const given = (typeof chat === "object" && chat !== null ? chat : { id: chat ?? chat_id }) as Fields;
  if (!Number.isSafeInteger(Number(given.id ?? Number.NaN))) badControl("chat.id is not an integer");
  const met = telegram.chats.meet(given);
  const id = met.info.type === "private" ? met.info.id : 1;
  const customer = { id, is_bot: false, first_name: met.info.first_name ?? "Customer", language_code: "en" };
  return { chat: met, from: { ...customer, ...(from as Fields | undefined) }, fields: rest };
}

async function write(telegram: Telegram, chat: Chat, from: Fields, fields: Fields): Promise<Fields> {
  const message_id = telegram.chats.number(chat);
  const date = seconds(telegram);
  const message = { message_id, from, chat: chat.info, date, ...withCommand(fields) };
  telegram.chats.said(chat, message_id, { mine: false, text: String(fields.text ?? ""), date });
  learnFiles(telegram, message);
  return { message_id, ...(await update(telegram, { message }, String(chat.info.id))) };
}

/** The message with an entity for its command, as Telegram adds it. Bot frameworks see a command only by its entity. */
function withCommand(fields: Fields): Fields {
  const command = typeof fields.text === "string" && /^\/[a-z0-9_]+(@\w+)?/i.exec(fields.text)?.[0];
  if (!command || fields.entities) return fields;
  return { ...fields, entities: [{ type: "bot_command", offset: 0, length: command.length }] };
}

/** Adds the chat of a raw update, so that the bot may answer there. */
function learn(telegram: Telegram, fields: Fields): void {
  for (const [kind, value] of Object.entries(fields)) {
    // A reaction names a message that somebody else may have written.
    if (kind === "message_reaction" || typeof value !== "object" || value === null) continue;
    const part = value as Fields;
    const query = fields.callback_query === part;
    const message = (query ? part.message : part) as Fields | undefined;
    const info = message?.chat as Fields | undefined;
    if (info?.id !== undefined) {
      const chat = telegram.chats.meet(info);
      const messageId = Number(message?.message_id ?? 0);
      const text = String(message?.text ?? "");
      if (messageId)
        telegram.chats.said(chat, messageId, { mine: query, text, date: Number(message?.date ?? 0) });
      learnFiles(telegram, message as Fields);
    }
    if (query) telegram.queries.set(String(part.id), Number(info?.id ?? 0));
  }
}
