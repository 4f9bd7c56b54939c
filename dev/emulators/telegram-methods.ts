import type { Fields } from "./fields.ts";
import { chatFor, chatsFor, getBusinessConnection, inNameOf } from "./telegram-business.ts";
import type { Chat } from "./telegram-chats.ts";
import { getFile, sendMedia } from "./telegram-media.ts";
import { checkButtons, readText, say } from "./telegram-message.ts";
import { structured } from "./telegram-params.ts";
import { REACTIONS } from "./telegram-reactions.ts";
import { badRequest } from "./telegram-refusal.ts";
import type { Telegram } from "./telegram-state.ts";
import { seconds } from "./telegram-update.ts";
import { deleteWebhook, getWebhookInfo, setWebhook } from "./telegram-webhook.ts";

/** A method's result, and its entry in `/_sent` if it sent something. */
export interface Done {
  readonly result: unknown;
  readonly description?: string;
  readonly sent?: Fields;
}
export type Method = (telegram: Telegram, params: Fields) => Done;

/**
 * The methods of the Bot API that the emulator offers, by name. https://core.telegram.org/bots/api#available-methods
 */
export const methods: Record<string, Method> = {
  getMe: ({ bot }) => ({ result: { ...bot, can_join_groups: true, can_read_all_group_messages: false } }),
  sendMessage,
  sendPhoto: sendMedia("photo"),
  sendDocument: sendMedia("document"),
  sendVideo: sendMedia("video"),
  sendAudio: sendMedia("audio"),
  sendVoice: sendMedia("voice"),
  sendSticker: sendMedia("sticker"),
  sendLocation,
  sendVenue,
  sendContact,
  sendChatAction,
  answerCallbackQuery,
  setMessageReaction,
  getBusinessConnection,
  editMessageText,
  deleteMessage,
  deleteMessages,
  deleteBusinessMessages: deleteMessages,
  setWebhook,
  deleteWebhook,
  getWebhookInfo,
  getFile,
};

function sendMessage(telegram: Telegram, params: Fields): Done {
  const formatted = readText(params, "text");
  const chat = chatFor(telegram, params);
  if (formatted.text.length > 4096) badRequest("message is too long");
  return say(telegram, chat, params, formatted.text, { ...formatted });
}

function sendChatAction(telegram: Telegram, params: Fields): Done {
  const chat = chatFor(telegram, params);
  if (!params.action) badRequest("wrong parameter action in request");
  return { result: true, sent: { ...params, chat_id: chat.info.id } };
}

function answerCallbackQuery(telegram: Telegram, params: Fields): Done {
  const id = String(params.callback_query_id ?? "");
  const chat_id = telegram.queries.get(id);
  if (id === "" || (chat_id === undefined && telegram.settings.strict))
    badRequest("query is too old and response timeout expired or query ID is invalid");
  if (String(params.text ?? "").length > 200) badRequest("MESSAGE_TOO_LONG");
  telegram.queries.delete(id);
  return { result: true, sent: { ...params, ...(chat_id !== undefined && { chat_id }) } };
}

function setMessageReaction(telegram: Telegram, params: Fields): Done {
  const { chat, messageId } = findMessage(telegram, params, "message to react not found");
  const reactions = structured<Fields[]>(params, "reaction") ?? [];
  if (reactions.some(({ type, emoji }) => type === "emoji" && !REACTIONS.has(String(emoji))))
    badRequest("REACTION_INVALID");
  return { result: true, sent: { ...params, chat_id: chat.info.id, message_id: messageId } };
}

function editMessageText(telegram: Telegram, params: Fields): Done {
  const formatted = readText(params, "text");
  const { chat, messageId } = findMessage(telegram, params, "message to edit not found");
  if (formatted.text.length > 4096) badRequest("MESSAGE_TOO_LONG");
  checkButtons(params);
  const said = chatsFor(telegram, params).recall(chat, messageId);
  if (said && !said.mine) badRequest("message can't be edited");
  if (said?.text === formatted.text && params.reply_markup === undefined)
    badRequest(
      "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message",
    );
  telegram.admit(chat);
  const edit_date = seconds(telegram);
  const date = said?.date ?? edit_date;
  chatsFor(telegram, params).said(chat, messageId, { mine: true, text: formatted.text, date });
  return {
    result: {
      message_id: messageId,
      ...inNameOf(telegram, params),
      chat: chat.info,
      date,
      edit_date,
      ...formatted,
    },
    sent: { ...params, chat_id: chat.info.id, message_id: messageId, ...formatted },
  };
}

function deleteMessage(telegram: Telegram, params: Fields): Done {
  const { chat, messageId } = findMessage(telegram, params, "message to delete not found");
  chatsFor(telegram, params).remove(chat, messageId);
  return { result: true, sent: { ...params, chat_id: chat.info.id, message_id: messageId } };
}

/** As at Telegram, messages that are not found are skipped. */
function deleteMessages(telegram: Telegram, params: Fields): Done {
  const chat = chatFor(telegram, params);
  const ids = structured<number[]>(params, "message_ids") ?? [];
  for (const id of ids) chatsFor(telegram, params).remove(chat, Number(id));
  return { result: true, sent: { ...params, chat_id: chat.info.id } };
}

function sendLocation(telegram: Telegram, params: Fields): Done {
  const location = { latitude: Number(params.latitude), longitude: Number(params.longitude) };
  return say(telegram, chatFor(telegram, params), params, "", { location });
}

function sendVenue(telegram: Telegram, params: Fields): Done {
  const { title, address } = params;
  const location = { latitude: Number(params.latitude), longitude: Number(params.longitude) };
  return say(telegram, chatFor(telegram, params), params, "", {
    location,
    venue: { location, title, address },
  });
}

function sendContact(telegram: Telegram, params: Fields): Done {
  const { phone_number, first_name, vcard } = params;
  const contact = { phone_number, first_name, ...(vcard !== undefined && { vcard }) };
  return say(telegram, chatFor(telegram, params), params, "", { contact });
}

function findMessage(
  telegram: Telegram,
  params: Fields,
  otherwise: string,
): { chat: Chat; messageId: number } {
  const chat = chatFor(telegram, params);
  const messageId = Number(params.message_id ?? 0);
  if (!messageId) badRequest("message identifier is not specified");
  chatsFor(telegram, params).mustHave(chat, messageId, otherwise);
  return { chat, messageId };
}
