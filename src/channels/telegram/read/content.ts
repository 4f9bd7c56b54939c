import type { Message } from "@grammyjs/types";
import { z } from "zod";
import { parseJson } from "../../../core/json.ts";
import { type Content, mediaId } from "../../../core/messages/content.ts";
import { present } from "../present.ts";
import { readRich } from "./rich.ts";

const optionalText = z.string().optional().catch(undefined);

const file = z.object({
  file_id: mediaId,
  mime_type: optionalText,
  file_name: optionalText,
  file_size: z.number().optional().catch(undefined),
});
const size = file.extend({ width: z.number().catch(0), height: z.number().catch(0) });
const sticker = file.extend({
  emoji: optionalText,
  is_animated: z.boolean().catch(false),
  is_video: z.boolean().catch(false),
});
const location = z.object({
  latitude: z.number(),
  longitude: z.number(),
  live_period: z.number().optional().catch(undefined),
});
const venue = z.object({ location, title: optionalText, address: optionalText });
const webAppData = z.object({ data: z.string(), button_text: optionalText });
const said = z.object({ caption: optionalText, text: optionalText });

/** A contact card. Its vcard is never read, because the sender can write anything into it. */
export const contactCard = z.object({
  phone_number: z.string(),
  first_name: optionalText,
  last_name: optionalText,
  user_id: z.int().optional().catch(undefined),
});

/** Kinds of messages that are stored as `unsupported`, each with a short note for bots and operators. */
const notes = {
  poll: z
    .object({ question: z.string(), options: z.array(z.object({ text: z.string() })).catch([]) })
    .transform((poll) => titled(poll.question, poll.options)),
  checklist: z
    .object({ title: z.string(), tasks: z.array(z.object({ text: z.string() })).catch([]) })
    .transform((list) => titled(list.title, list.tasks)),
  dice: z.object({ emoji: z.string(), value: z.number() }).transform((dice) => `${dice.emoji} ${dice.value}`),
  game: z.object({ title: z.string() }).transform((game) => game.title),
  invoice: z.object({ title: z.string() }).transform((invoice) => invoice.title),
  paid_media: z
    .object({ star_count: z.number(), paid_media: z.array(z.unknown()) })
    .transform((paid) => `${paid.paid_media.length} for ${paid.star_count} stars`),
  giveaway: z.object({ prize_description: z.string() }).transform((giveaway) => giveaway.prize_description),
  giveaway_winners: z.never(),
  live_photo: z.never(),
  story: z.never(),
} satisfies { [K in keyof Message]?: z.ZodType<string> };

/** The readers, in order of precedence: an animation also has the field `document`, a venue also has `location`. */
const readers = {
  animation: reader(file, (value, message) => ({ kind: "video", ...captioned(value, message) })),
  video: reader(file, (value, message) => ({ kind: "video", ...captioned(value, message) })),
  video_note: reader(file, (value, message) => ({ kind: "video", note: true, ...captioned(value, message) })),
  audio: reader(file, (value, message) => ({ kind: "audio", ...captioned(value, message) })),
  voice: reader(file, (value, message) => ({ kind: "audio", voice: true, ...captioned(value, message) })),
  document: reader(file, (value, message) => ({ kind: "document", ...captioned(value, message) })),
  photo: reader(z.array(size).nonempty(), (sizes, message) => ({
    kind: "image",
    ...captioned(largest(sizes), message),
  })),
  sticker: reader(sticker, (value) => ({
    kind: "sticker",
    ...present({
      media: media(value),
      emoji: value.emoji,
      animated: value.is_animated || value.is_video || undefined,
    }),
  })),
  venue: reader(venue, (value) => ({
    kind: "location",
    ...present({ ...place(value.location), name: value.title, address: value.address }),
  })),
  location: reader(location, (value) => ({ kind: "location", ...place(value) })),
  contact: reader(contactCard, (card, _message, own) => ({
    kind: "contact",
    contacts: [present({ name: nameOf(card), phones: [card.phone_number] })],
    own,
  })),
  web_app_data: reader(webAppData, (value) => ({
    kind: "interaction",
    interaction: "form",
    ...present({ title: value.button_text, data: formData(value.data) }),
  })),
  rich_message: reader(z.object({ blocks: z.unknown().optional() }), ({ blocks }) => {
    const { lines, shown } = readRich(blocks);
    if (lines.length > shown.length) return { kind: "text", text: lines.join("\n") };
    return { kind: "unsupported", type: "rich_message", ...(shown.length > 0 && { note: shown.join(", ") }) };
  }),
  text: reader(z.string(), (text) => ({ kind: "text", text })),
} satisfies { [K in keyof Message]?: Reader };

type Reader = (value: unknown, message: object, own: boolean) => Content | undefined;

/** The fields that hold a message's content. */
export type ReadableField = keyof typeof readers | keyof typeof notes;

/** The content of a message; `undefined` if it has none of the known fields. */
export function contentOf(message: Readonly<Record<string, unknown>>, own: boolean): Content | undefined {
  for (const [type, read] of Object.entries(readers)) {
    if (message[type] === undefined) continue;
    return read(message[type], message, own) ?? unreadable(type, message);
  }
  for (const [type, schema] of Object.entries(notes)) {
    if (message[type] === undefined) continue;
    const note = schema.safeParse(message[type]).data;
    return { kind: "unsupported", type, ...(note !== undefined && { note }) };
  }
  return undefined;
}

function reader<S extends z.ZodType>(
  schema: S,
  read: (value: z.infer<S>, message: object, own: boolean) => Content,
): Reader {
  return (value, message, own) => {
    const parsed = schema.safeParse(value);
    return parsed.success ? read(parsed.data, message, own) : undefined;
  };
}

/** The content of a message whose field breaks Telegram's rules: `unsupported`, with its caption. */
function unreadable(type: string, message: object): Content {
  const { caption } = said.parse(message);
  return { kind: "unsupported", type, ...(caption && { note: caption }) };
}

function captioned(value: z.infer<typeof file>, message: object) {
  const { caption, text } = said.parse(message);
  return present({ media: media(value), caption: caption ?? text });
}

function media(value: z.infer<typeof file>) {
  const { file_id, mime_type, file_name, file_size } = value;
  return present({ id: file_id, mime_type, file_name, size: file_size });
}

function largest(sizes: readonly z.infer<typeof size>[]) {
  return sizes.reduce((best, next) => (next.width * next.height > best.width * best.height ? next : best));
}

function place({ latitude, longitude, live_period }: z.infer<typeof location>) {
  return present({ latitude, longitude, live: live_period === undefined ? undefined : true });
}

function nameOf(card: z.infer<typeof contactCard>): string | undefined {
  return [card.first_name, card.last_name].filter(Boolean).join(" ") || undefined;
}

function titled(title: string, items: readonly { text: string }[]): string {
  return items.length > 0 ? `${title}: ${items.map((item) => item.text).join(", ")}` : title;
}

/** The data of a web app, which may be any text. JSON in it is cleaned and limited as the body of a request. */
function formData(data: string): Record<string, unknown> | string {
  try {
    const value = parseJson(new TextEncoder().encode(data));
    return z.record(z.string(), z.unknown()).safeParse(value).data ?? data;
  } catch {
    return data;
  }
}
