import type { Part } from "../../../core/answer/turn.ts";
import { type Choice, choicesOf } from "../../../core/content/choices.ts";
import type { Span } from "../../../core/content/markup.ts";
import { type Answered, type Rendered, unrenderable } from "../../../core/content/prepare.ts";
import type { Button, Reply, ReplyMedia, ReplyOf } from "../../../core/content/reply.ts";
import { spansOf, splitSpans, textOfSpans } from "../../../core/content/spans.ts";
import { buttonLines, lines, linkLine, numberedChoices, textOfReply } from "../../../core/content/text.ts";
import { markOf } from "../../../core/files.ts";
import type { JsonObject } from "../../../core/json.ts";
import { splitText } from "../../../core/messages/split.ts";
import { LIMITS } from "../content.ts";
import { type Around, fitButtons, fitRows, linkButton, listPage, type Row, replyButtons } from "./choices.ts";
import { marked } from "./formatted.ts";

/** What opens a list whose bot names nothing. It holds no word of any language. */
const LIST_BUTTON = "☰";

/** Renders a reply into bodies of `POST /<number>/messages`, without the recipient. */
export function render(reply: Reply, answered: Answered): Rendered {
  switch (reply.kind) {
    case "text":
      return { parts: texts(reply.text, reply.format) };
    case "image":
    case "video":
    case "audio":
    case "document":
      return captioned(reply);
    case "voice":
      return { parts: [part("", { type: "audio", audio: link(reply.media) })] };
    case "sticker":
      return { parts: [part("", { type: "sticker", sticker: link(reply.media) })] };
    case "location": {
      const { latitude, longitude, name, address } = reply;
      const location = { latitude, longitude, ...(name && { name }), ...(address && { address }) };
      return { parts: [part(lines(name, address), { type: "location", location })] };
    }
    case "contact":
      return { parts: contacts(reply) };
    case "buttons":
      return buttons(reply);
    case "list":
      return list(reply);
    case "carousel":
      return carousel(reply);
    case "product":
      return { parts: product(reply) };
    case "template":
      return { parts: [template(reply)] };
    case "reaction":
      return { parts: [reaction(reply, answered)] };
    case "edit":
      return {
        parts: texts(reply.text, reply.format),
        notes: ["whatsapp edits nothing: the new text is a new message"],
      };
    default:
      throw unrenderable(`whatsapp has no ${reply.kind}`);
  }
}

function part(text: string, call: JsonObject): Part {
  return { kind: "text", text, call };
}

function texts(text: string, format: "plain" | "markdown" | undefined): Part[] {
  return pieces(text, format, LIMITS.text).map(({ plain, body }) =>
    body === plain
      ? { kind: "text", text: plain }
      : part(plain, { type: "text", text: { body, preview_url: false } }),
  );
}

interface Piece {
  readonly plain: string;
  readonly body: string;
}

/** A text in pieces that are within the limit with their marks, cut smaller until they are. */
function pieces(text: string, format: "plain" | "markdown" | undefined, limit: number): Piece[] {
  if (format !== "markdown") return splitText(text, limit).map((plain) => ({ plain, body: plain }));
  const cut = (spans: readonly Span[], most: number): Piece[] =>
    splitSpans(spans, most).flatMap((piece) => {
      const body = marked(piece).trim();
      return body.length <= limit ? [{ plain: textOfSpans(piece), body }] : cut(piece, Math.ceil(most / 2));
    });
  return cut(spansOf(text, format), limit);
}

function link({ id, url, upload }: ReplyMedia): JsonObject {
  return url === undefined ? { id: id ?? markOf(upload!) } : { link: url };
}

function captioned(reply: ReplyOf<"image" | "video" | "audio" | "document">): Rendered {
  const { kind, media, caption = "", format } = reply;
  const file = {
    ...link(media),
    ...(kind === "document" && media.file_name !== undefined && { filename: media.file_name }),
  };
  if (caption.trim() === "") return { parts: [part("", { type: kind, [kind]: file })] };
  const said = pieces(caption, format, LIMITS.caption);
  const [only] = said;
  if (kind !== "audio" && said.length === 1 && only)
    return { parts: [part(only.plain, { type: kind, [kind]: { ...file, caption: only.body } })] };
  const why =
    kind === "audio" ? "audio has no caption" : `caption is longer than ${LIMITS.caption} characters`;
  return {
    parts: [part("", { type: kind, [kind]: file }), ...texts(caption, format)],
    notes: [`${why}: sent as text after the file`],
  };
}

function contacts(reply: ReplyOf<"contact">): Part[] {
  const cards = reply.contacts.map(({ name, phones }) => ({
    name: { formatted_name: name, first_name: name },
    phones: phones.map((phone) => ({ phone, type: "CELL" })),
  }));
  const parts: Part[] = [];
  for (let at = 0; at < cards.length; at += LIMITS.contacts) {
    const some = { ...reply, contacts: reply.contacts.slice(at, at + LIMITS.contacts) };
    parts.push(
      part(textOfReply(some), { type: "contacts", contacts: cards.slice(at, at + LIMITS.contacts) }),
    );
  }
  return parts;
}

type Chosen = ReplyOf<"buttons" | "list">;

/** The texts around choices. What is too long for a body goes ahead of it as text. */
function around(reply: Chosen, more = ""): { ahead: Part[]; around: Around } {
  const { header, footer } = reply;
  const said = pieces(lines(reply.text, more), reply.format, LIMITS.body);
  const body = said.at(-1)!.body;
  const ahead = said
    .slice(0, -1)
    .flatMap(({ plain, body }) => part(plain, { type: "text", text: { body, preview_url: false } }));
  return { ahead, around: { body, header, footer } };
}

function buttons(reply: ReplyOf<"buttons">): Rendered {
  const choices = choicesOf(reply);
  const links = linksIn(reply.buttons);
  const [only] = links;
  if (choices.length === 0 && links.length === 1 && only && only.title.length <= LIMITS.linkTitle) {
    const { ahead, around: texts } = around(reply);
    return { parts: [...ahead, part(textOfReply(reply), linkButton(only.title, only.url, texts))] };
  }
  const notes =
    links.length > 0 ? ["links stand in the text: a message has one link button, or reply buttons"] : [];
  if (choices.length === 0)
    return { parts: texts(lines(reply.text, ...links.map(linkLine)), reply.format), notes };
  const more = lines(...links.map(linkLine));
  if (fitButtons(choices)) {
    const { ahead, around: texts } = around(reply, more);
    return { parts: [...ahead, part(textOfReply(reply), replyButtons(choices, 0, texts))], notes };
  }
  const rows = choices.map((choice, i) => ({ ...choice, place: i + 1 }));
  if (!fitRows(rows)) return numbered(reply, "the buttons fit into no list");
  const why = `more than ${LIMITS.buttons} buttons, or a title over ${LIMITS.buttonTitle} characters: sent as a list`;
  return { parts: pages(reply, rows, LIST_BUTTON, more), notes: [...notes, why] };
}

function list(reply: ReplyOf<"list">): Rendered {
  let place = 0;
  const rows = reply.sections.flatMap((section) =>
    section.rows.map((row): Row => ({ ...row, place: ++place, section: section.title })),
  );
  const { button = LIST_BUTTON } = reply;
  if (!fitRows(rows) || button.length > LIMITS.listButton)
    return numbered(reply, "the list is too long or too wide");
  const notes = rows.length > LIMITS.rows ? [`more than ${LIMITS.rows} rows: sent as pages`] : [];
  return { parts: pages(reply, rows, button), notes };
}

/** Lists of at most ten rows. Only the first one has the text; the others say which page they are. */
function pages(reply: Chosen, rows: readonly Row[], button: string, more = ""): Part[] {
  const count = Math.ceil(rows.length / LIMITS.rows);
  const { ahead, around: first } = around(reply, more);
  const parts = Array.from({ length: count }, (_, i) => {
    const page = rows.slice(i * LIMITS.rows, (i + 1) * LIMITS.rows);
    const said = page.map((row) => `${row.place}. ${row.title}`);
    const texts = i === 0 ? first : { body: `${i + 1}/${count}` };
    return part(lines(i === 0 ? reply.text : texts.body, ...said), listPage(page, button, texts));
  });
  return [...ahead, ...parts];
}

/** The choices as numbered text; the customer answers with a number. */
function numbered(reply: Chosen, why: string): Rendered {
  const { header, text, format, footer } = reply;
  const ahead = format === "markdown" ? texts(lines(header, text), format) : [];
  const rest = lines(...(format === "markdown" ? [] : [header, text]), numberedChoices(reply), footer);
  return {
    parts: [...ahead, ...texts(rest, "plain")],
    numbered: true,
    notes: [`${why}: sent as numbered text`],
  };
}

function linksIn(buttons: readonly Button[]): { title: string; url: string }[] {
  return buttons.flatMap((button) => ("url" in button ? [button] : []));
}

function carousel(reply: ReplyOf<"carousel">): Rendered {
  const intro = reply.text ? texts(reply.text, reply.format) : [];
  let before = 0;
  let isNumbered = false;
  const parts = reply.cards.flatMap((card) => {
    const made = cardPart(card, before);
    before += choicesOf({ ...reply, cards: [card] }).length;
    isNumbered ||= made.numbered;
    return made.parts;
  });
  return { parts: [...intro, ...parts], numbered: isNumbered };
}

/** One card: reply buttons or one link under its picture, else a picture with numbered choices in its caption. */
function cardPart(
  { title, text, image, buttons = [] }: ReplyOf<"carousel">["cards"][number],
  before: number,
): { parts: Part[]; numbered: boolean } {
  const picture = image && link(image);
  const links = linksIn(buttons);
  const choices = buttons.flatMap((button): Choice[] => ("id" in button ? [button] : []));
  const body = lines(`*${title.replaceAll("*", "")}*`, text);
  const plain = lines(title, text, buttonLines(buttons, before));
  const [only] = links;
  if (choices.length > 0 && links.length === 0 && fitButtons(choices) && body.length <= LIMITS.body)
    return { parts: [part(plain, replyButtons(choices, before, { body }, picture))], numbered: false };
  if (choices.length === 0 && links.length === 1 && only && only.title.length <= LIMITS.linkTitle)
    return { parts: [part(plain, linkButton(only.title, only.url, { body }, picture))], numbered: false };
  const numbered = choices.length > 0;
  if (!picture) return { parts: texts(plain, "plain"), numbered };
  if (plain.length > LIMITS.caption)
    return { parts: [part("", { type: "image", image: picture }), ...texts(plain, "plain")], numbered };
  return { parts: [part(plain, { type: "image", image: { ...picture, caption: plain } })], numbered };
}

function product(reply: ReplyOf<"product">): Part[] {
  const { catalog_id, product_ids, text } = reply;
  if (catalog_id === undefined) return texts(textOfReply(reply), "plain");
  const said = splitText(text, LIMITS.body);
  const body = { text: said.at(-1)! };
  const ahead = said.slice(0, -1).map((plain): Part => ({ kind: "text", text: plain }));
  const [only] = product_ids as [string];
  const header = { type: "text", text: text.slice(0, 60).trim() };
  const product_items = product_ids.map((product_retailer_id) => ({ product_retailer_id }));
  const interactive =
    product_ids.length === 1
      ? { type: "product", body, action: { catalog_id, product_retailer_id: only } }
      : {
          type: "product_list",
          header,
          body,
          action: { catalog_id, sections: [{ title: "•", product_items }] },
        };
  return [...ahead, part(textOfReply(reply), { type: "interactive", interactive })];
}

function template(reply: ReplyOf<"template">): Part {
  const { name, language, category, header_media } = reply;
  const components = [
    ...component("header", header_media ? [headerFile(header_media)] : parameters(reply.header)),
    ...component("body", parameters(reply.body)),
    ...(reply.buttons ?? []).map(templateButton),
  ];
  const call = { type: "template", template: { name, language: { code: language }, components } };
  return { ...part(reply.fallback ?? `[${name}]`, call), ...(category && { billed: category }) };
}

function component(type: string, parameters: readonly JsonObject[]): JsonObject[] {
  return parameters.length === 0 ? [] : [{ type, parameters: [...parameters] }];
}

function parameters(
  values: string | readonly string[] | Readonly<Record<string, string>> = [],
): JsonObject[] {
  const text = (text: string) => ({ type: "text", text });
  if (typeof values === "string") return [text(values)];
  if (Array.isArray(values)) return values.map(text);
  return Object.entries(values).map(([parameter_name, value]) => ({ ...text(value), parameter_name }));
}

function headerFile({ kind, media }: NonNullable<ReplyOf<"template">["header_media"]>): JsonObject {
  const filename = kind === "document" && media.file_name !== undefined ? { filename: media.file_name } : {};
  return { type: kind, [kind]: { ...link(media), ...filename } };
}

function templateButton(button: NonNullable<ReplyOf<"template">["buttons"]>[number]): JsonObject {
  const [sub_type, parameter] =
    "url" in button
      ? ["url", { type: "text", text: button.url }]
      : "id" in button
        ? ["quick_reply", { type: "payload", payload: button.id }]
        : ["copy_code", { type: "coupon_code", coupon_code: button.code }];
  return { type: "button", sub_type, index: String(button.at), parameters: [parameter] };
}

function reaction({ emoji, message_id }: ReplyOf<"reaction">, { external_id }: Answered): Part {
  const made = part(emoji ?? "", { type: "reaction", reaction: { emoji: emoji ?? "" } });
  if (message_id !== undefined) return { ...made, target: message_id };
  if (external_id === undefined) throw unrenderable("message_id: there is no message to react to");
  return { ...made, targets: [external_id] };
}
