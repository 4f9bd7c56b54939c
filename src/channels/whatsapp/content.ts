import type { ContentTable } from "../../core/content/table.ts";

/** The limits of the Cloud API. @see https://developers.facebook.com/documentation/business-messaging/whatsapp */
export const LIMITS = {
  text: 4096,
  caption: 1024,
  body: 1024,
  buttons: 3,
  buttonTitle: 20,
  buttonId: 256,
  listButton: 20,
  rows: 10,
  pages: 3,
  sectionTitle: 24,
  rowTitle: 24,
  rowDescription: 72,
  rowId: 200,
  linkTitle: 20,
  contacts: 5,
} as const;

const caption = { "caption, characters": LIMITS.caption };
const row = {
  "rows in a list": LIMITS.rows,
  "row title": LIMITS.rowTitle,
  "row description": LIMITS.rowDescription,
  "section title": LIMITS.sectionTitle,
  "row id": LIMITS.rowId,
};

/** What WhatsApp makes of each kind of reply. */
export const whatsappContent: ContentTable = {
  text: {
    as: "native",
    to: "several messages, cut between words",
    limits: { characters: LIMITS.text },
  },
  image: {
    as: "native",
    to: "the picture, then the caption as text",
    limits: { file: "JPEG or PNG, 5 MB", ...caption },
  },
  video: {
    as: "native",
    to: "the video, then the caption as text",
    limits: { file: "MP4 or 3GP, 16 MB", ...caption },
  },
  audio: {
    as: "native",
    to: "the audio, then the caption as text",
    limits: { file: "AAC, AMR, MP3, M4A or OGG with OPUS, 16 MB", "caption, characters": 0 },
  },
  voice: { as: "native", limits: { file: "OGG with OPUS, 16 MB" } },
  document: {
    as: "native",
    to: "the file, then the caption as text",
    limits: { file: "100 MB", ...caption },
  },
  sticker: { as: "native", limits: { file: "WEBP, 512 x 512, 100 KB still, 500 KB animated" } },
  location: { as: "native" },
  contact: { as: "native", to: "several messages", limits: { "cards in a message": LIMITS.contacts } },
  buttons: {
    as: "native",
    to: "a list with more than 3 buttons, or with titles over 20 characters; pages with more than 10; else numbered text",
    limits: {
      buttons: LIMITS.buttons,
      title: LIMITS.buttonTitle,
      id: LIMITS.buttonId,
      "text, characters": LIMITS.body,
      links: "one alone is a button; others stand in the text",
    },
  },
  list: {
    as: "native",
    to: `pages with more than ${LIMITS.rows} rows; numbered text with more than ${LIMITS.pages} pages or longer rows`,
    limits: { ...row, "text, characters": LIMITS.body, button: LIMITS.listButton },
  },
  carousel: {
    as: "degraded",
    to: "one message for each card, with its picture and its buttons",
    limits: { "card text, characters": LIMITS.body, buttons: LIMITS.buttons, title: LIMITS.buttonTitle },
  },
  product: { as: "native", to: "text without `catalog_id`", limits: { products: 30 } },
  order: { as: "text", to: "a line for each item" },
  template: { as: "native", limits: { "header parameter": 60, "body parameter": 1024 } },
  reaction: { as: "native", limits: { emoji: 1 } },
  edit: { as: "degraded", to: "a new message with the new text", limits: { characters: LIMITS.text } },
  delete: { as: "refused" },
  pin: { as: "refused" },
  typing: { as: "native", limits: { seconds: 25 } },
};
