import { type Content, textOf } from "../messages/content.ts";
import { choicesOf } from "./choices.ts";
import { plainMarkup } from "./markup.ts";
import type { Button, Reply, ReplyMedia } from "./reply.ts";

/** The text of a reply for channels that show only text, and for its history. Empty where no text can say it. */
export function textOfReply(reply: Reply): string {
  switch (reply.kind) {
    case "text":
    case "edit":
      return plain(reply);
    case "image":
    case "video":
    case "audio":
    case "document":
      return lines(
        reply.caption && plain({ ...reply, text: reply.caption }),
        fileName(reply.media),
        reply.media.url,
      );
    case "voice":
    case "sticker":
      return reply.media.url ?? "";
    case "location":
      return lines(reply.name, reply.address, mapLink(reply.latitude, reply.longitude));
    case "contact":
      return lines(...reply.contacts.map(({ name, phones }) => `${name}: ${phones.join(", ")}`));
    case "buttons":
    case "list":
      return lines(reply.header, plain(reply), numberedChoices(reply), reply.footer);
    case "carousel":
      return lines(reply.text && plain({ ...reply, text: reply.text }), ...cardTexts(reply));
    case "product":
      return lines(reply.text, reply.url ?? reply.product_ids.join(", "));
    case "order":
      return lines(
        reply.text,
        ...reply.items.map(
          ({ name, quantity, price, currency = reply.currency }) =>
            `${quantity} x ${name}${price === undefined ? "" : `: ${amount(price, currency)}`}`,
        ),
        reply.total === undefined ? undefined : `= ${amount(reply.total, reply.currency)}`,
      );
    case "template":
      return reply.fallback ?? "";
    case "reaction":
      return reply.emoji ?? "";
    case "delete":
    case "pin":
    case "typing":
      return "";
  }
}

/** The text that is saved beside any content, for bots and searches. Never empty for a reply that is shown. */
export function savedText(content: Content | Reply): string {
  switch (content.kind) {
    case "text":
      return content.text;
    case "voice":
    case "buttons":
    case "list":
    case "carousel":
    case "product":
    case "template":
    case "edit":
    case "delete":
    case "pin":
    case "typing":
      return textOfReply(content) || `[${content.kind}]`;
    case "order":
      return isReplyOrder(content) ? textOfReply(content) : textOf(content);
    default:
      return textOf(content as Content);
  }
}

function isReplyOrder(
  order: Extract<Content | Reply, { kind: "order" }>,
): order is Extract<Reply, { kind: "order" }> {
  return order.items.some((item) => "name" in item);
}

/** The choices of a reply as numbered lines, with the links among them as lines without a number. */
export function numberedChoices(reply: Extract<Reply, { kind: "buttons" | "list" }>): string {
  if (reply.kind === "buttons") return buttonLines(reply.buttons, 0);
  let place = 0;
  return lines(
    ...reply.sections.map(({ title, rows }) =>
      lines(
        title,
        ...rows.map((row) => `${++place}. ${row.title}${row.description ? `: ${row.description}` : ""}`),
      ),
    ),
  );
}

/** Buttons as lines, numbered after the `before` choices that stand before them. */
export function buttonLines(buttons: readonly Button[], before: number): string {
  let place = before;
  return lines(
    ...buttons.map((button) => ("id" in button ? `${++place}. ${button.title}` : linkLine(button))),
  );
}

export function linkLine({ title, url }: { readonly title: string; readonly url: string }): string {
  return `${title}: ${url}`;
}

/** The texts, each on a line of its own, without the absent and empty ones. */
export function lines(...texts: readonly (string | undefined)[]): string {
  return texts.filter((text) => text !== undefined && text.trim() !== "").join("\n");
}

/** A link that opens the place on any device. */
function mapLink(latitude: number, longitude: number): string {
  return `https://www.google.com/maps/search/?api=1&query=${latitude},${longitude}`;
}

function cardTexts(reply: Extract<Reply, { kind: "carousel" }>): string[] {
  let before = 0;
  return reply.cards.map((card) => {
    const { title, text, image, buttons = [] } = card;
    const said = lines(title, text, image?.url, buttonLines(buttons, before));
    before += choicesOf({ ...reply, cards: [card] }).length;
    return said;
  });
}

function plain({
  text,
  format,
}: {
  readonly text: string;
  readonly format?: "plain" | "markdown" | undefined;
}) {
  return format === "markdown" ? plainMarkup(text) : text;
}

function fileName({ url, file_name }: ReplyMedia): string | undefined {
  return url === undefined ? undefined : file_name;
}

function amount(value: number, currency: string | undefined): string {
  return currency === undefined ? value.toFixed(2) : `${value.toFixed(2)} ${currency}`;
}
