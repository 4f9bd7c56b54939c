import { splitText } from "../messages/split.ts";
import { readMarkup, type Span } from "./markup.ts";

/** The text of a reply as spans: one span without formats if it is plain. */
export function spansOf(text: string, format: "plain" | "markdown" | undefined): Span[] {
  return format === "markdown" ? readMarkup(text) : [{ text }];
}

/** The text of spans without their formats. */
export function textOfSpans(spans: readonly Span[]): string {
  return spans.map(({ text }) => text).join("");
}

/**
 * Cuts spans into pieces whose texts have at most `limit` UTF-16 units, where `splitText` cuts. White space at a cut is
 * dropped; formats go on over a cut.
 */
export function splitSpans(spans: readonly Span[], limit: number): Span[][] {
  const whole = textOfSpans(spans);
  let from = 0;
  return splitText(whole, limit).map((piece) => {
    const start = whole.indexOf(piece, from);
    from = start + piece.length;
    return sliceSpans(spans, start, from);
  });
}

function sliceSpans(spans: readonly Span[], start: number, end: number): Span[] {
  const taken: Span[] = [];
  let at = 0;
  for (const span of spans) {
    const text = span.text.slice(Math.max(0, start - at), Math.max(0, end - at));
    if (text !== "") taken.push({ ...span, text });
    at += span.text.length;
  }
  return taken;
}
