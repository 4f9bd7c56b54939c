import type { Fields } from "./fields.ts";
import type { Formatted } from "./telegram-markup.ts";
import { cannotParse as cannot } from "./telegram-refusal.ts";

const RESERVED = new Set("_*[]()~`>#+-=|{}.!");
const PAIRS: Record<string, readonly [type: string, name: string]> = {
  "*": ["bold", "Bold"],
  _: ["italic", "Italic"],
  __: ["underline", "Underline"],
  "~": ["strikethrough", "Strikethrough"],
  "||": ["spoiler", "Spoiler"],
};

interface Open {
  readonly mark: string;
  readonly name: string;
  readonly offset: number;
  readonly index: number;
}

/** Reads MarkdownV2. https://core.telegram.org/bots/api#markdownv2-style */
export function parseMarkdownV2(source: string): Formatted {
  const entities: Fields[] = [];
  const open: Open[] = [];
  let text = "";
  const at = (index: number) => Buffer.byteLength(source.slice(0, index));
  const close = (type: string, offset: number, extra: Fields = {}) => {
    if (text.length > offset) entities.push({ type, offset, length: text.length - offset, ...extra });
  };
  for (let i = 0; i < source.length; ) {
    const char = source.charAt(i);
    if (char === "\\" && i + 1 < source.length) {
      text += source.charAt(i + 1);
      i += 2;
    } else if (char === "`") {
      const fence = source.startsWith("```", i) ? "```" : "`";
      const name = fence === "`" ? "Code" : "Pre";
      const end = source.indexOf(fence, i + fence.length);
      if (end < 0) cannot(`Can't find end of ${name} entity at byte offset ${at(i)}`);
      const offset = text.length;
      text += source.slice(i + fence.length, end).replace(/\\([\s\S])/g, "$1");
      close(name.toLowerCase(), offset);
      i = end + fence.length;
    } else if (char === "[") {
      open.push({ mark: "]", name: "TextUrl", offset: text.length, index: i++ });
    } else if (char === "]" && open.at(-1)?.mark === "]") {
      const start = open.pop() as Open;
      const end = source[i + 1] === "(" ? source.indexOf(")", i) : i;
      if (end < 0) cannot(`Can't find end of a URL at byte offset ${at(i + 1)}`);
      const url = source.slice(i + 2, end);
      if (url) close("text_link", start.offset, { url });
      i = end + 1;
    } else if (char === ">" && (i === 0 || source[i - 1] === "\n")) {
      i++;
    } else {
      const mark = source.startsWith("||", i) ? "||" : source.startsWith("__", i) ? "__" : char;
      const pair = PAIRS[mark];
      if (pair && open.at(-1)?.mark === mark) close(pair[0], (open.pop() as Open).offset);
      else if (pair) open.push({ mark, name: pair[1], offset: text.length, index: i });
      else if (RESERVED.has(char))
        cannot(`Character '${char}' is reserved and must be escaped with the preceding '\\'`);
      else text += char;
      i += mark.length;
    }
  }
  const left = open.at(-1);
  if (left) cannot(`Can't find end of ${left.name} entity at byte offset ${at(left.index)}`);
  return { text, ...(entities.length > 0 && { entities }) };
}

/** The old Markdown, with four marks and without nesting. https://core.telegram.org/bots/api#markdown-style */
export function parseMarkdown(source: string): Formatted {
  const types: Record<string, string> = { "*": "bold", _: "italic", "`": "code", "```": "pre" };
  const entities: Fields[] = [];
  let text = "";
  for (let i = 0; i < source.length; ) {
    const mark = source.startsWith("```", i) ? "```" : source.charAt(i);
    const link = mark === "[" ? /^\[([^\]]*)\]\(([^)]*)\)/.exec(source.slice(i)) : null;
    if (mark === "\\" && "_*`[".includes(source.charAt(i + 1))) {
      text += source.charAt(i + 1);
      i += 2;
    } else if (link?.[1]) {
      entities.push({ type: "text_link", offset: text.length, length: link[1].length, url: link[2] });
      text += link[1];
      i += link[0].length;
    } else if (mark in types) {
      const end = source.indexOf(mark, i + mark.length);
      if (end < 0)
        cannot(
          `Can't find end of the entity starting at byte offset ${Buffer.byteLength(source.slice(0, i))}`,
        );
      const inner = source.slice(i + mark.length, end);
      if (inner) entities.push({ type: types[mark], offset: text.length, length: inner.length });
      text += inner;
      i = end + mark.length;
    } else {
      text += mark;
      i += mark.length;
    }
  }
  return { text, ...(entities.length > 0 && { entities }) };
}
