import type { Span } from "../../../core/content/markup.ts";
import { textOfSpans } from "../../../core/content/spans.ts";
import type { JsonObject } from "../../../core/json.ts";
import { LIMITS } from "../content.ts";

const ENTITIES = [
  ["bold", "bold"],
  ["italic", "italic"],
  ["strike", "strikethrough"],
  ["code", "code"],
  ["pre", "pre"],
] as const;

/**
 * Spans as a text and its entities. Entities need no escaping: no character of a text can begin or end a format.
 * Formats past Telegram's limit are left out.
 * @see https://core.telegram.org/bots/api#messageentity
 */
export function formatted(spans: readonly Span[]): { text: string; entities: JsonObject[] } {
  const entities: JsonObject[] = [];
  let offset = 0;
  for (const span of spans) {
    const place = { offset, length: span.text.length };
    if (span.url !== undefined) entities.push({ type: "text_link", url: span.url, ...place });
    for (const [name, type] of ENTITIES) if (span[name]) entities.push({ type, ...place });
    offset += span.text.length;
  }
  return { text: textOfSpans(spans), entities: entities.slice(0, LIMITS.entities) };
}

/** A text as parameters of a call: `text` and `entities`, or `caption` and `caption_entities`. */
export function textParams(spans: readonly Span[]): JsonObject {
  const { text, entities } = formatted(spans);
  return { text, ...(entities.length > 0 && { entities }) };
}

/** As `textParams`, for a caption. */
export function captionParams(spans: readonly Span[]): JsonObject {
  const { text, entities } = formatted(spans);
  return text === "" ? {} : { caption: text, ...(entities.length > 0 && { caption_entities: entities }) };
}
