/** A piece of text with one set of formats. `list` marks are part of the text (`• `, `1. `). */
export interface Span {
  readonly text: string;
  readonly bold?: true;
  readonly italic?: true;
  readonly strike?: true;
  /** Text inside has no other format but `pre`, which stands alone on its lines. */
  readonly code?: true;
  readonly pre?: true;
  readonly url?: string;
}

type Formats = Omit<Span, "text">;

const MARKS = [
  ["**", "bold"],
  ["~~", "strike"],
  ["_", "italic"],
] as const;
const ESCAPABLE = /[\\*_~`[\]()\-.]/;
const WORD = /[\p{L}\p{N}]/u;
const MAX_DEPTH = 8;

/**
 * Reads the small Markdown subset that docs/content.md lists. A mark that is not closed, or that stands inside a word, is
 * text. Never throws: every text has a reading.
 */
export function readMarkup(source: string): Span[] {
  const spans: Span[] = [];
  const fences = source.split(/^```[^\n`]*\n([\s\S]*?)\n?^```[ \t]*$/m);
  fences.forEach((piece, i) => {
    if (i % 2 === 1) add(spans, piece, { pre: true });
    else for (const line of piece.split(/(?<=\n)/)) readLine(line, spans);
  });
  return spans;
}

/** The text without its formats; a link is followed by its address. */
export function plainMarkup(source: string): string {
  return readMarkup(source)
    .map(({ text, url }) => (url === undefined || url === text ? text : `${text} (${url})`))
    .join("");
}

function readLine(line: string, spans: Span[]): void {
  const bullet = /^([ \t]*)[-*][ \t]+(?=\S)/.exec(line);
  if (bullet) add(spans, `${bullet[1]}• `, {});
  readInline(bullet ? line.slice(bullet[0].length) : line, {}, spans, 0);
}

function readInline(text: string, formats: Formats, spans: Span[], depth: number): void {
  let plain = "";
  const flush = () => {
    add(spans, plain, formats);
    plain = "";
  };
  for (let i = 0; i < text.length; ) {
    const char = text.charAt(i);
    if (char === "\\" && ESCAPABLE.test(text.charAt(i + 1))) {
      plain += text.charAt(i + 1);
      i += 2;
      continue;
    }
    const found =
      depth < MAX_DEPTH ? (codeAt(text, i) ?? linkAt(text, i) ?? markAt(text, i, formats)) : undefined;
    if (!found) {
      plain += char;
      i += 1;
      continue;
    }
    flush();
    if ("code" in found.formats) add(spans, found.inner, { ...formats, code: true });
    else readInline(found.inner, { ...formats, ...found.formats }, spans, depth + 1);
    i = found.end;
  }
  flush();
}

interface Found {
  readonly inner: string;
  readonly formats: Formats;
  readonly end: number;
}

function codeAt(text: string, at: number): Found | undefined {
  if (text.charAt(at) !== "`") return undefined;
  const end = text.indexOf("`", at + 1);
  return end > at + 1 ? { inner: text.slice(at + 1, end), formats: { code: true }, end: end + 1 } : undefined;
}

function linkAt(text: string, at: number): Found | undefined {
  if (text.charAt(at) !== "[") return undefined;
  const [whole, inner, url] =
    /^\[((?:\\.|[^\\[\]])+)\]\((https:\/\/[^\s()<>"]+)\)/.exec(text.slice(at)) ?? [];
  if (!whole || !inner || !url || !URL.canParse(url)) return undefined;
  return { inner, formats: { url }, end: at + whole.length };
}

function markAt(text: string, at: number, formats: Formats): Found | undefined {
  for (const [mark, name] of MARKS) {
    if (!text.startsWith(mark, at)) continue;
    const inside = at + mark.length;
    if (formats[name] || /^\s?$/.test(text.charAt(inside)) || WORD.test(before(text, at))) continue;
    for (let end = closing(text, mark, inside); end > 0; end = closing(text, mark, end + 1)) {
      if (/\s/.test(text.charAt(end - 1)) || WORD.test(after(text, end + mark.length))) continue;
      if (end > inside)
        return { inner: text.slice(inside, end), formats: { [name]: true }, end: end + mark.length };
    }
  }
  return undefined;
}

/** The next place of a mark that is not escaped and not inside code; -1 without one. */
function closing(text: string, mark: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    if (text.charAt(i) === "\\") i += 1;
    else if (text.charAt(i) === "`") i = (codeAt(text, i)?.end ?? i + 1) - 1;
    else if (text.startsWith(mark, i)) return i;
  }
  return -1;
}

function before(text: string, at: number): string {
  return [...text.slice(Math.max(0, at - 2), at)].at(-1) ?? "";
}

function after(text: string, at: number): string {
  return [...text.slice(at, at + 2)][0] ?? "";
}

function add(spans: Span[], text: string, formats: Formats): void {
  if (text === "") return;
  const last = spans.at(-1);
  if (last && sameFormats(last, formats)) spans[spans.length - 1] = { ...last, text: last.text + text };
  else spans.push({ text, ...formats });
}

function sameFormats(span: Span, formats: Formats): boolean {
  return (["bold", "italic", "strike", "code", "pre", "url"] as const).every(
    (name) => span[name] === formats[name],
  );
}
