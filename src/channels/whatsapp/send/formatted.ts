import type { Span } from "../../../core/content/markup.ts";

const MARKS = [
  ["strike", "~"],
  ["italic", "_"],
  ["bold", "*"],
] as const;
/** Stands beside a mark that is text. WhatsApp has no escape; a mark between spaces of no width formats nothing. */
const APART = "\u{200b}";
const WORD = /[\p{L}\p{N}]/u;
const MARK_OR_URL = /https?:\/\/\S+|[*_~`]|^[ \t]*>/gm;

/**
 * Spans as a text with WhatsApp's own marks. A mark inside the text of a span is set apart, and encoded in an address, so
 * that no text begins or ends a format. A link is followed by its address, because WhatsApp hides none.
 * @see https://faq.whatsapp.com/539178204879377
 */
export function marked(spans: readonly Span[]): string {
  return spans.map(markedSpan).join("");
}

function markedSpan(span: Span): string {
  const { text, url, pre } = span;
  if (pre) return `\`\`\`${withoutMarks(text, /`/g)}\`\`\`\n`;
  // A mark beside a space formats nothing, so the spaces around a format stay outside of it.
  const [, before = "", inner = "", after = ""] = /^(\s*)([\s\S]*?)(\s*)$/.exec(text) ?? [];
  if (inner === "") return text;
  const formatted = inner
    .split("\n")
    .map((line) => markedLine(line, span))
    .join("\n");
  const address = url === undefined || url === inner ? "" : ` (${encoded(url)})`;
  return `${before}${formatted}${address}${after}`;
}

function markedLine(line: string, span: Span): string {
  const text = span.code ? withoutMarks(line, /`/g) : literal(line);
  // WhatsApp would show the marks of a format whose text begins or ends with a mark, so that text stays without.
  if (line.trim() === "" || text.startsWith(APART) || text.endsWith(APART)) return text;
  if (span.code) return `\`${text}\``;
  return MARKS.reduce((inner, [name, mark]) => (span[name] ? `${mark}${inner}${mark}` : inner), text);
}

/** The text with every mark in it set apart, except those inside words, which format nothing. */
function literal(text: string): string {
  return text.replaceAll(MARK_OR_URL, (found, at: number) => {
    if (found.startsWith("http")) return encoded(found);
    if (found.endsWith(">")) return `${APART}${found}`;
    return isInWord(text, at) ? found : `${APART}${found}${APART}`;
  });
}

function withoutMarks(text: string, marks: RegExp): string {
  return text.replaceAll(marks, `${APART}$&${APART}`);
}

/** An address without marks: their percent-encoded forms name the same place. */
function encoded(url: string): string {
  return url.replaceAll(/[*_~`]/g, (mark, at: number) =>
    isInWord(url, at) ? mark : `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function isInWord(text: string, at: number): boolean {
  return (
    WORD.test([...text.slice(Math.max(0, at - 2), at)].at(-1) ?? "") &&
    WORD.test([...text.slice(at + 1)][0] ?? "")
  );
}
