import type { ContentTable } from "../../core/content/table.ts";

/** Telegram's limits. @see https://core.telegram.org/bots/api */
export const LIMITS = {
  text: 4096,
  caption: 1024,
  entities: 100,
  richText: 32_768,
  richBlocks: 500,
  callbackBytes: 64,
  keyboard: 100,
  vcardBytes: 2048,
  /** How long a message of the bot can be deleted. */
  deletableHours: 48,
} as const;

const caption = { "caption, characters": LIMITS.caption };
const byUrl = { "file by URL": "20 MB", ...caption };

/** What Telegram makes of each kind of reply. */
export const telegramContent: ContentTable = {
  text: {
    as: "native",
    to: "one rich message (Bot API 10.1) with more characters; several messages past its limits, cut between words",
    limits: {
      characters: LIMITS.text,
      formats: LIMITS.entities,
      "rich, characters": LIMITS.richText,
      "rich, lines": LIMITS.richBlocks,
    },
  },
  image: {
    as: "native",
    to: "the picture, then the caption as text",
    limits: { "file by URL": "5 MB", ...caption },
  },
  video: { as: "native", to: "the video, then the caption as text", limits: byUrl },
  audio: { as: "native", to: "the audio, then the caption as text", limits: byUrl },
  voice: { as: "native", limits: { "file by URL": "20 MB, OGG with OPUS" } },
  document: { as: "native", to: "the file, then the caption as text", limits: byUrl },
  sticker: { as: "native", limits: { file: "WEBP, TGS or WEBM" } },
  location: { as: "native", to: "a pin; with name and address a venue" },
  contact: { as: "native", to: "one message for each card", limits: { "vCard, bytes": LIMITS.vcardBytes } },
  buttons: {
    as: "native",
    to: "text, then the keyboard under its last part; a long id is kept by the hub",
    limits: { "id, bytes": LIMITS.callbackBytes, buttons: LIMITS.keyboard, "text, characters": LIMITS.text },
  },
  list: {
    as: "degraded",
    to: "a keyboard with a button for each row; sections and descriptions stand in the text",
    limits: { "id, bytes": LIMITS.callbackBytes, rows: LIMITS.keyboard, "text, characters": LIMITS.text },
  },
  carousel: {
    as: "degraded",
    to: "one message for each card, with its picture and its keyboard",
    limits: caption,
  },
  product: { as: "text", to: "the text, and the link or the product's ids" },
  order: { as: "text", to: "a line for each item" },
  template: { as: "text", to: "`fallback`; refused without it" },
  reaction: { as: "native", limits: { emoji: "those that Telegram offers; refused in business chats" } },
  edit: {
    as: "native",
    limits: { characters: LIMITS.richText, message: "one part; of a file its caption, up to 1024" },
  },
  delete: { as: "native", limits: { "message, hours": LIMITS.deletableHours } },
  pin: { as: "native", to: "with several parts the first one" },
  typing: { as: "native", limits: { seconds: 5 } },
};
