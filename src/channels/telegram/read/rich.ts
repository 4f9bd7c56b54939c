import type { RichBlock } from "@grammyjs/types";
import { z } from "zod";

const span = z.object({
  text: z.unknown().optional(),
  alternative_text: z.string().optional().catch(undefined),
  expression: z.string().optional().catch(undefined),
  button: z.unknown().optional(),
});

const block = z.object({
  type: z.string().catch(""),
  text: z.unknown().optional(),
  expression: z.unknown().optional(),
  summary: z.unknown().optional(),
  items: z.array(z.object({ label: z.string().catch(""), blocks: z.unknown().optional() })).catch([]),
  cells: z.array(z.array(z.unknown())).catch([]),
  blocks: z.unknown().optional(),
  buttons: z.array(z.unknown()).catch([]),
  caption: z.unknown().optional(),
  credit: z.unknown().optional(),
});

const SHOWN: ReadonlySet<string> = new Set([
  "animation",
  "audio",
  "document",
  "map",
  "photo",
  "video",
  "voice_note",
] satisfies RichBlock["type"][]);

/**
 * The text of a rich message, in lines. Media in it is a line with its name, such as `[photo]`, and is listed in
 * `shown`.
 */
export interface Rich {
  readonly lines: readonly string[];
  readonly shown: readonly string[];
}

/**
 * Reads the blocks of a rich message as plain lines. `parseJson` bounds their nesting.
 * @see https://core.telegram.org/bots/api#richmessage
 */
export function readRich(blocks: unknown): Rich {
  const parts = Array.isArray(blocks) ? blocks.map(readBlock) : [];
  return {
    lines: parts.flatMap((part) => part.lines),
    shown: parts.flatMap((part) => part.shown),
  };
}

function readBlock(value: unknown): Rich {
  const parsed = block.safeParse(value);
  if (!parsed.success) return { lines: [], shown: [] };
  const { type, text, expression, summary, items, cells, blocks, buttons, caption, credit } = parsed.data;
  const inner = readRich(blocks);
  const listed = items.map((item) => ({ label: item.label, ...readRich(item.blocks) }));
  const own = SHOWN.has(type) ? [type] : [];
  const lines = [
    ...own.map((name) => `[${name}]`),
    words(summary),
    words(text) || words(expression),
    ...cells.map((row) => row.map(words).join(" | ")),
    ...listed.map((item) => [item.label, item.lines.join("\n")].filter(Boolean).join(" ")),
    ...inner.lines,
    ...buttons.map(words),
    words(caption),
    words(credit),
  ];
  return {
    lines: lines.filter((line) => line.trim() !== ""),
    shown: [...own, ...listed.flatMap((item) => item.shown), ...inner.shown],
  };
}

/** Text, a list of texts, or a span around one. */
function words(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(words).join("");
  const parsed = span.safeParse(value);
  if (!parsed.success) return "";
  const { text, alternative_text, expression, button } = parsed.data;
  return alternative_text ?? expression ?? words(text ?? button);
}
