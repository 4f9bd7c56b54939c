import type { Span } from "../../../core/content/markup.ts";
import { textOfSpans } from "../../../core/content/spans.ts";
import type { JsonObject } from "../../../core/json.ts";
import { LIMITS } from "../content.ts";

const FORMATS = [
  ["code", "code"],
  ["strike", "strikethrough"],
  ["italic", "italic"],
  ["bold", "bold"],
] as const;

/**
 * A text that is longer than a message may be, as one rich message with a block for each of its lines. Undefined for a shorter text, and for one
 * past the limits of rich messages. Blocks need no escaping: no character of a text can begin or end a format.
 * @see https://core.telegram.org/bots/api#inputrichmessage
 */
export function richMessage(spans: readonly Span[]): JsonObject | undefined {
  const { length } = textOfSpans(spans);
  if (length <= LIMITS.text || length > LIMITS.richText) return undefined;
  const blocks: JsonObject[] = [];
  let line: JsonObject[] = [];
  const endLine = () => {
    if (line.length > 0) blocks.push({ type: "paragraph", text: line });
    line = [];
  };
  for (const span of spans) {
    if (span.pre) {
      endLine();
      blocks.push({ type: "pre", text: span.text });
      continue;
    }
    span.text.split("\n").forEach((piece, i) => {
      if (i > 0) endLine();
      if (piece !== "") line.push(richText({ ...span, text: piece }));
    });
  }
  endLine();
  return blocks.length > LIMITS.richBlocks ? undefined : { blocks };
}

/** A span with its formats around it. */
function richText({ text, url, ...formats }: Span): JsonObject {
  const inner = FORMATS.reduce<unknown>(
    (inside, [name, type]) => (formats[name] ? { type, text: inside } : inside),
    text,
  );
  return (url === undefined ? inner : { type: "url", text: inner, url }) as JsonObject;
}
