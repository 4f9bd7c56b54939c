import type { Fields } from "./fields.ts";
import { chatFor, chatsFor, getBusinessConnection, inNameOf } from "./telegram-business.ts";
import type { Chat } from "./telegram-chats.ts";
import { format } from "./telegram-markup.ts";
import { getFile, sendMedia } from "./telegram-media.ts";
import { checkButtons, readText, say } from "./telegram-message.ts";
import { structured } from "./telegram-params.ts";
import { REACTIONS } from "./telegram-reactions.ts";
import { badRequest } from "./telegram-refusal.ts";
import { readRich } from "./telegram-rich.ts";
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
  sendRichMessage,
  sendMessageDraft: draft((params) => ({ text: String(params.text ?? "") })),
  sendRichMessageDraft: draft(readRich),
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
  editMessageCaption,
  deleteMessage,
  deleteMessages,
  deleteBusinessMessages: deleteMessages,
  pinChatMessage: pinning("message to pin not found"),
  unpinChatMessage: pinning("message to unpin not found"),
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

function sendRichMessage(telegram: Telegram, params: Fields): Done {
  const rich = readRich(params);
  return say(telegram, chatFor(telegram, params), params, rich.text, rich);
}

/** Drafts are shown in private chats only, and count towards the same rate as messages. */
function draft(read: (params: Fields) => Fields & { readonly text: string }): Method {
  return (telegram, params) => {
    const shown = read(params);
    if (shown.text.length > (shown.rich_message ? 32_768 : 4_096)) badRequest("message is too long");
    if (!Number(params.draft_id)) badRequest("draft identifier must be non-zero");
    const chat = chatFor(telegram, params);
    if (chat.info.id < 0) badRequest("drafts can be sent to private chats only");
    telegram.admit(chat);
    return { result: true, sent: { ...params, chat_id: chat.info.id, ...shown } };
  };
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
  const formatted = params.rich_message === undefined ? readText(params, "text") : readRich(params);
  if (params.rich_message === undefined && formatted.text.length > 4096) badRequest("MESSAGE_TOO_LONG");
  return edit(telegram, params, formatted.text, { ...formatted }, false);
}

function editMessageCaption(telegram: Telegram, params: Fields): Done {
  const entities = structured(params, "caption_entities");
  const caption = format(String(params.caption ?? ""), params.parse_mode, entities);
  if (caption.text.length > 1024) badRequest("message caption is too long");
  const shown = { caption: caption.text, ...(caption.entities && { caption_entities: caption.entities }) };
  return edit(telegram, params, caption.text, shown, true);
}

function edit(telegram: Telegram, params: Fields, text: string, shown: Fields, captions: boolean): Done {
  const { chat, messageId } = findMessage(telegram, params, "message to edit not found");
  checkButtons(params);
  const said = chatsFor(telegram, params).recall(chat, messageId);
  if (said && !said.mine) badRequest("message can't be edited");
  if (said?.captions && !captions) badRequest("there is no text in the message to edit");
  if (said && !said.captions && captions) badRequest("there is no caption in the message to edit");
  if (said?.text === text && params.reply_markup === undefined)
    badRequest(
      "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message",
    );
  telegram.admit(chat);
  const edit_date = seconds(telegram);
  const date = said?.date ?? edit_date;
  chatsFor(telegram, params).said(chat, messageId, { mine: true, text, date, ...(captions && { captions }) });
  return {
    result: {
      message_id: messageId,
      ...inNameOf(telegram, params),
      chat: chat.info,
      date,
      edit_date,
      ...shown,
    },
    sent: { ...params, chat_id: chat.info.id, message_id: messageId, ...shown },
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

function pinning(otherwise: string): Method {
  return (telegram, params) => {
    const { chat, messageId } = findMessage(telegram, params, otherwise);
    return { result: true, sent: { ...params, chat_id: chat.info.id, message_id: messageId } };
  };
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
