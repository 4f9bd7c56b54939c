import type { Part } from "../../../core/answer/turn.ts";
import { choicesOf } from "../../../core/content/choices.ts";
import type { Span } from "../../../core/content/markup.ts";
import { type Answered, type Rendered, unrenderable } from "../../../core/content/prepare.ts";
import type { Reply, ReplyMedia, ReplyOf } from "../../../core/content/reply.ts";
import { spansOf, splitSpans, textOfSpans } from "../../../core/content/spans.ts";
import { markOf } from "../../../core/files.ts";
import type { JsonObject } from "../../../core/json.ts";
import { LIMITS } from "../content.ts";
import { captionParams, textParams } from "./formatted.ts";
import { keyboard } from "./keyboard.ts";
import { reactionOf } from "./reactions.ts";
import { richMessage } from "./rich.ts";

const METHODS = {
  image: ["sendPhoto", "photo"],
  video: ["sendVideo", "video"],
  audio: ["sendAudio", "audio"],
  document: ["sendDocument", "document"],
  voice: ["sendVoice", "voice"],
  sticker: ["sendSticker", "sticker"],
} as const;

/** Renders a reply into calls of the Bot API. @see https://core.telegram.org/bots/api#available-methods */
export function render(reply: Reply, answered: Answered): Rendered {
  switch (reply.kind) {
    case "text":
      return { parts: texts(spansOf(reply.text, reply.format)) };
    case "image":
    case "video":
    case "audio":
    case "document":
      return captioned(reply);
    case "voice":
    case "sticker":
      return { parts: [file(reply.kind, reply.media, [])] };
    case "location":
      return { parts: [location(reply)] };
    case "contact":
      return { parts: reply.contacts.map(contact) };
    case "buttons":
      return { parts: texts(around(reply, []), keyboard(reply.buttons)) };
    case "list": {
      const rows = reply.sections.flatMap((section) => section.rows);
      return { parts: texts(around(reply, described(reply)), keyboard(rows)) };
    }
    case "carousel":
      return { parts: carousel(reply) };
    case "reaction":
      return { parts: [reaction(reply, answered)] };
    case "edit":
      return { parts: [edit(reply)] };
    case "delete":
      return {
        parts: [
          {
            ...part("", "deleteMessages", {}),
            target: reply.message_id,
            within_ms: LIMITS.deletableHours * 3_600_000,
          },
        ],
      };
    case "pin":
      return { parts: [pin(reply)] };
    default:
      throw unrenderable(`telegram has no ${reply.kind}`);
  }
}

function part(text: string, method: string, params: JsonObject): Part {
  return { kind: "text", text, call: { method, params } };
}

/** A text in as many messages as it needs: one rich message where it is too long for another. The last one carries `extra`. */
function texts(spans: readonly Span[], extra: JsonObject = {}): Part[] {
  const rich_message = richMessage(spans);
  if (rich_message) return [part(textOfSpans(spans), "sendRichMessage", { rich_message, ...extra })];
  const pieces = splitSpans(spans, LIMITS.text);
  return pieces.map((piece, i) => {
    const params = { ...textParams(piece), ...(i === pieces.length - 1 && extra) };
    const text = textOfSpans(piece);
    return Object.keys(params).length === 1 ? { kind: "text", text } : part(text, "sendMessage", params);
  });
}

function captioned(reply: ReplyOf<"image" | "video" | "audio" | "document">): Rendered {
  const caption = reply.caption?.trim() ? spansOf(reply.caption, reply.format) : [];
  if (textOfSpans(caption).length <= LIMITS.caption)
    return { parts: [file(reply.kind, reply.media, caption)] };
  const notes = [`caption is longer than ${LIMITS.caption} characters: sent as text after the file`];
  return { parts: [file(reply.kind, reply.media, []), ...texts(caption)], notes };
}

function file(
  kind: keyof typeof METHODS,
  { id, url, upload }: ReplyMedia,
  caption: readonly Span[],
  extra: JsonObject = {},
) {
  const [method, name] = METHODS[kind];
  return part(textOfSpans(caption), method, {
    [name]: id ?? url ?? markOf(upload!),
    ...captionParams(caption),
    ...extra,
  });
}

function location({ latitude, longitude, name, address }: ReplyOf<"location">): Part {
  if (name === undefined || address === undefined)
    return part(name ?? address ?? "", "sendLocation", { latitude, longitude });
  return part(name, "sendVenue", { latitude, longitude, title: name, address });
}

function contact({ name, phones }: ReplyOf<"contact">["contacts"][number]): Part {
  const [phone_number] = phones as [string];
  const vcard = phones.length > 1 ? card(name, phones) : "";
  const fits = vcard !== "" && new TextEncoder().encode(vcard).byteLength <= LIMITS.vcardBytes;
  return part(`${name}: ${phones.join(", ")}`, "sendContact", {
    phone_number,
    first_name: name,
    ...(fits && { vcard }),
  });
}

/** A vCard (RFC 2426). Its texts are escaped, so that none of them begins a line of its own. */
function card(name: string, phones: readonly string[]): string {
  const escaped = (text: string) => text.replaceAll(/[\\,;]/g, String.raw`\$&`).replaceAll(/\s+/g, " ");
  const numbers = phones.map((phone) => `TEL:${escaped(phone)}`);
  return [
    "BEGIN:VCARD",
    "VERSION:3.0",
    `FN:${escaped(name)}`,
    `N:${escaped(name)};;;;`,
    ...numbers,
    "END:VCARD",
  ].join("\r\n");
}

/** The text of a choice with its header and its footer. */
function around(
  { header, text, format, footer }: ReplyOf<"buttons" | "list">,
  rest: readonly Span[],
): Span[] {
  return [
    ...(header ? [{ text: `${header}\n`, bold: true as const }] : []),
    ...spansOf(text, format),
    ...rest,
    ...(footer ? [{ text: `\n${footer}`, italic: true as const }] : []),
  ];
}

/** The sections and descriptions of a list, which a keyboard cannot show. */
function described({ sections }: ReplyOf<"list">): Span[] {
  const rows = sections.flatMap((section) => section.rows);
  if (
    sections.every(({ title }) => title === undefined) &&
    rows.every((row) => row.description === undefined)
  )
    return [];
  return sections.flatMap(({ title, rows }) => [
    ...(title ? [{ text: `\n${title}`, bold: true as const }] : []),
    ...rows.map((row) => ({ text: `\n• ${row.title}${row.description ? `: ${row.description}` : ""}` })),
  ]);
}

function carousel(reply: ReplyOf<"carousel">): Part[] {
  let before = 0;
  const intro = reply.text ? texts(spansOf(reply.text, reply.format)) : [];
  const cards = reply.cards.flatMap((card) => {
    const { title, text, image, buttons = [] } = card;
    const said: Span[] = [{ text: title, bold: true }, ...(text ? [{ text: `\n${text}` }] : [])];
    const keys = keyboard(buttons, before);
    before += choicesOf({ ...reply, cards: [card] }).length;
    if (!image) return texts(said, keys);
    if (textOfSpans(said).length <= LIMITS.caption) return [file("image", image, said, keys)];
    return [file("image", image, []), ...texts(said, keys)];
  });
  return [...intro, ...cards];
}

function reaction({ emoji, message_id }: ReplyOf<"reaction">, { external_id }: Answered): Part {
  const known = emoji === null ? null : reactionOf(emoji);
  if (known === undefined) throw unrenderable("emoji: telegram has no such reaction");
  const reactions = known === null ? [] : [{ type: "emoji", emoji: known }];
  const made = part(emoji ?? "", "setMessageReaction", { reaction: reactions });
  if (message_id !== undefined) return { ...made, target: message_id };
  if (external_id === undefined || !/^(.+:)?-?\d+:\d+$/.test(external_id))
    throw unrenderable("message_id: the message that is answered takes no reaction");
  return { ...made, targets: [external_id] };
}

function edit({ message_id, text, format }: ReplyOf<"edit">): Part {
  const spans = spansOf(text, format);
  const plain = textOfSpans(spans);
  const rich_message = richMessage(spans);
  if (!rich_message && plain.length > LIMITS.text)
    throw unrenderable(`text: must be at most ${LIMITS.richText} characters in ${LIMITS.richBlocks} lines`);
  const params = rich_message ? { rich_message } : textParams(spans);
  return { ...part(plain, "editMessageText", params), target: message_id };
}

function pin({ message_id, pinned = true }: ReplyOf<"pin">): Part {
  const made = pinned
    ? part("", "pinChatMessage", { disable_notification: true })
    : part("", "unpinChatMessage", {});
  return { ...made, target: message_id };
}
