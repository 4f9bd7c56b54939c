import { z } from "zod";
import { REACTIONS } from "./telegram-reactions.ts";

const entity = z.looseObject({
  type: z.string().min(1),
  offset: z.int().min(0),
  length: z.int().min(1),
  url: z.string().optional(),
});
const entities = z.array(entity).max(100).optional();
const callback = z.string().refine((data) => {
  const bytes = Buffer.byteLength(data);
  return bytes >= 1 && bytes <= 64;
}, "BUTTON_DATA_INVALID");
const button = z
  .looseObject({ text: z.string().min(1), callback_data: callback.optional(), url: z.url().optional() })
  .refine((one) => Object.keys(one).length > 1, "Text buttons are unallowed in the inline keyboard");
const markup = z
  .union([
    z.strictObject({ inline_keyboard: z.array(z.array(button).min(1).max(8)).max(100) }),
    z.looseObject({ keyboard: z.array(z.unknown()) }),
    z.looseObject({ remove_keyboard: z.literal(true) }),
    z.looseObject({ force_reply: z.literal(true) }),
  ])
  .optional();
const chat = {
  /** Read, and refused, where the chat is looked up. */
  chat_id: z.unknown().optional(),
  message_thread_id: z.int().optional(),
  business_connection_id: z.string().optional(),
};
const sending = { ...chat, reply_markup: markup, disable_notification: z.boolean().optional() };
const file = z.string().min(1);
const captioned = {
  ...sending,
  caption: z.string().optional(),
  caption_entities: entities,
  parse_mode: z.string().optional(),
};

/** https://core.telegram.org/bots/api#richtext, as far as the hub writes it. */
const richText: z.ZodType = z.lazy(() =>
  z.union([
    z.string(),
    z.array(richText),
    z.strictObject({ type: z.enum(["bold", "italic", "strikethrough", "code"]), text: richText }),
    z.strictObject({ type: z.literal("url"), text: richText, url: z.url() }),
  ]),
);
const richMessage = z.strictObject({
  blocks: z
    .array(z.strictObject({ type: z.enum(["paragraph", "pre"]), text: richText }))
    .min(1)
    .max(500),
});
const drafted = {
  chat_id: z.int(),
  message_thread_id: z.int().optional(),
  draft_id: z.int().refine((id) => id !== 0),
};

/** The parameters of the hub's calls, by method. @see https://core.telegram.org/bots/api#available-methods */
const METHODS: Readonly<Record<string, z.ZodType>> = {
  sendMessage: z.looseObject({ ...sending, text: z.string(), entities }),
  sendRichMessage: z.strictObject({ ...sending, rich_message: richMessage }),
  sendMessageDraft: z.strictObject({ ...drafted, text: z.string().max(4096), entities }),
  sendRichMessageDraft: z.strictObject({ ...drafted, rich_message: richMessage }),
  sendPhoto: z.strictObject({ ...captioned, photo: file }),
  sendVideo: z.strictObject({ ...captioned, video: file }),
  sendAudio: z.strictObject({ ...captioned, audio: file }),
  sendDocument: z.strictObject({ ...captioned, document: file }),
  sendVoice: z.strictObject({ ...captioned, voice: file }),
  sendSticker: z.strictObject({ ...sending, sticker: file }),
  sendLocation: z.strictObject({
    ...sending,
    latitude: z.number().min(-90).max(90),
    longitude: z.number().min(-180).max(180),
  }),
  sendVenue: z.strictObject({
    ...sending,
    latitude: z.number(),
    longitude: z.number(),
    title: z.string().min(1),
    address: z.string().min(1),
  }),
  sendContact: z.strictObject({
    ...sending,
    phone_number: z.string().min(1),
    first_name: z.string().min(1),
    vcard: z
      .string()
      .refine((card) => Buffer.byteLength(card) <= 2048)
      .optional(),
  }),
  setMessageReaction: z.looseObject({
    ...chat,
    message_id: z.int(),
    reaction: z
      .array(
        z.looseObject({
          type: z.literal("emoji"),
          emoji: z.string().refine((one) => REACTIONS.has(one), "REACTION_INVALID"),
        }),
      )
      .max(1),
  }),
  editMessageText: z.looseObject({
    ...chat,
    message_id: z.int(),
    text: z.string().optional(),
    rich_message: richMessage.optional(),
    entities,
    reply_markup: markup,
  }),
  editMessageCaption: z.looseObject({
    ...chat,
    message_id: z.int(),
    caption: z.string().optional(),
    caption_entities: entities,
    reply_markup: markup,
  }),
  pinChatMessage: z.strictObject({
    ...chat,
    message_id: z.int(),
    disable_notification: z.boolean().optional(),
  }),
  unpinChatMessage: z.strictObject({ ...chat, message_id: z.int() }),
  deleteMessages: z.looseObject({ ...chat, message_ids: z.array(z.int()).min(1).max(100) }),
  deleteBusinessMessages: z.looseObject({
    business_connection_id: z.string(),
    message_ids: z.array(z.int()).min(1).max(100),
  }),
};

/**
 * Telegram's words for what it refuses in the parameters of a call, sent as JSON; undefined for a valid call and for a
 * method that the hub does not call with content.
 */
export function wrongInCall(method: string, params: Readonly<Record<string, unknown>>): string | undefined {
  const issue = METHODS[method]?.safeParse(params).error?.issues[0];
  if (!issue) return undefined;
  const isCode = /^[A-Z_]+$/.test(issue.message);
  return isCode ? issue.message : `wrong ${issue.path.join(".")} specified: ${issue.message}`;
}
