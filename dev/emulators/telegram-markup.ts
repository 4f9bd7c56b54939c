import type { Fields } from "./fields.ts";
import { parseMarkdown, parseMarkdownV2 } from "./telegram-markdown.ts";
import { badRequest, cannotParse as cannot } from "./telegram-refusal.ts";

/** A text as the customer sees it, and its formats with their positions in UTF-16 units. */
export interface Formatted {
  readonly text: string;
  readonly entities?: readonly Fields[];
}

const ENTITY_OF: Record<string, string> = {
  b: "bold",
  strong: "bold",
  i: "italic",
  em: "italic",
  u: "underline",
  ins: "underline",
  s: "strikethrough",
  strike: "strikethrough",
  del: "strikethrough",
  code: "code",
  pre: "pre",
  a: "text_link",
  blockquote: "blockquote",
  span: "spoiler",
  "tg-spoiler": "spoiler",
  "tg-emoji": "custom_emoji",
};

/**
 * Reads a text by its parse mode. Refuses broken markup with Telegram's own texts.
 * https://core.telegram.org/bots/api#formatting-options
 */
export function format(text: string, mode: unknown, entities: unknown): Formatted {
  if (mode === undefined || mode === "") return Array.isArray(entities) ? { text, entities } : { text };
  switch (String(mode).toLowerCase()) {
    case "html":
      return sorted(parseHtml(text));
    case "markdownv2":
      return sorted(parseMarkdownV2(text));
    case "markdown":
      return parseMarkdown(text);
    default:
      return badRequest("unsupported parse_mode");
  }
}

function sorted({ text, entities }: Formatted): Formatted {
  const byPlace = (a: Fields, b: Fields) =>
    Number(a.offset) - Number(b.offset) || Number(b.length) - Number(a.length);
  return entities ? { text, entities: [...entities].sort(byPlace) } : { text };
}

function parseHtml(source: string): Formatted {
  const entities: Fields[] = [];
  const open: { tag: string; offset: number; url: string | undefined }[] = [];
  let text = "";
  let read = 0;
  const at = (index: number) => Buffer.byteLength(source.slice(0, index));
  for (const match of source.matchAll(
    /<(\/?)([^\s>]*)([^>]*)(>?)|&(?:#(\d+)|#x([0-9a-f]+)|(lt|gt|amp|quot));/gi,
  )) {
    text += source.slice(read, match.index);
    read = match.index + match[0].length;
    const [whole, slash, name = "", rest, end, decimal, hex, named] = match;
    if (!whole.startsWith("<")) {
      text += named
        ? NAMED[named.toLowerCase()]
        : character(Number.parseInt(decimal ?? hex ?? "", decimal ? 10 : 16));
      continue;
    }
    const tag = name.toLowerCase();
    if (slash) {
      const start = open.pop();
      if (!start) cannot(`Unexpected end tag at byte offset ${at(match.index)}`);
      if (tag !== "" && tag !== start.tag)
        cannot(
          `Unmatched end tag at byte offset ${at(match.index)}, expected "</${start.tag}>", found "</${tag}>"`,
        );
      const length = text.length - start.offset;
      if (length > 0 && (start.tag !== "a" || start.url))
        entities.push({
          type: ENTITY_OF[start.tag],
          offset: start.offset,
          length,
          ...(start.url && { url: start.url }),
        });
    } else {
      if (!(tag in ENTITY_OF)) cannot(`Unsupported start tag "${tag}" at byte offset ${at(match.index)}`);
      if (!end) cannot(`Unclosed start tag at byte offset ${at(match.index)}`);
      open.push({ tag, offset: text.length, url: /href\s*=\s*["']?([^"'\s>]+)/i.exec(rest ?? "")?.[1] });
    }
  }
  const left = open.at(-1);
  if (left) cannot(`Can't find end tag corresponding to start tag "${left.tag}"`);
  return { text: text + source.slice(read), ...(entities.length > 0 && { entities }) };
}

const NAMED: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"' };

function character(code: number): string {
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "";
}
