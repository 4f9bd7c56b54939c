import { type Fields, fieldsIn } from "./fields.ts";
import { chatsFor, inNameOf } from "./telegram-business.ts";
import type { Chat } from "./telegram-chats.ts";
import { type Formatted, format } from "./telegram-markup.ts";
import type { Done } from "./telegram-methods.ts";
import { structured } from "./telegram-params.ts";
import { badRequest } from "./telegram-refusal.ts";
import type { Telegram } from "./telegram-state.ts";
import { seconds } from "./telegram-update.ts";

/** Adds one message of the bot to a chat. Every send method ends with this. */
export function say(
  telegram: Telegram,
  chat: Chat,
  params: Fields,
  text: string,
  fields: Fields,
  captions = false,
): Done {
  checkButtons(params);
  const chats = chatsFor(telegram, params);
  const reply = structured<Fields>(params, "reply_parameters");
  const replyTo = Number(reply?.message_id ?? params.reply_to_message_id ?? 0);
  if (replyTo && !reply?.allow_sending_without_reply)
    chats.mustHave(chat, replyTo, "message to be replied not found");
  telegram.admit(chat);
  const message_id = chats.number(chat);
  const date = seconds(telegram);
  chats.said(chat, message_id, { mine: true, text, date, ...(captions && { captions }) });
  const thread =
    params.message_thread_id === undefined ? {} : { message_thread_id: Number(params.message_thread_id) };
  const said = replyTo ? chats.recall(chat, replyTo) : undefined;
  const result = {
    message_id,
    ...inNameOf(telegram, params),
    chat: chat.info,
    date,
    ...thread,
    ...(said && {
      reply_to_message: {
        message_id: replyTo,
        chat: chat.info,
        date: said.date,
        ...(said.text && { text: said.text }),
      },
    }),
    ...fields,
  };
  return { result, sent: { ...params, chat_id: chat.info.id, message_id, text, ...fields } };
}

/** The text of a call, with its markup read. As at Telegram, the markup is checked before the chat is looked up. */
export function readText(params: Fields, name: string): Formatted {
  const source = String(params[name] ?? "");
  if (source === "") badRequest("message text is empty");
  if (!source.isWellFormed()) badRequest("strings must be encoded in UTF-8");
  const formatted = format(source, params.parse_mode, structured(params, "entities"));
  if (formatted.text.trim() === "") badRequest("text must be non-empty");
  return formatted;
}

/** Refuses an inline keyboard whose `callback_data` is not 1 to 64 bytes. */
export function checkButtons(params: Fields): void {
  const markup = structured<{ inline_keyboard?: unknown }>(params, "reply_markup");
  for (const button of fieldsIn([markup?.inline_keyboard].flat(2))) {
    const bytes = button.callback_data === undefined ? 1 : Buffer.byteLength(String(button.callback_data));
    if (bytes < 1 || bytes > 64) badRequest("BUTTON_DATA_INVALID");
  }
}
