import type { Fields } from "./fields.ts";
import { structured } from "./telegram-params.ts";
import { badRequest } from "./telegram-refusal.ts";

const MOST_CHARACTERS = 32_768;
const MOST_BLOCKS = 500;

/** The text of a call's `rich_message`, which must have blocks. https://core.telegram.org/bots/api#inputrichmessage */
export function readRich(params: Fields): { rich_message: Fields; text: string } {
  const rich_message = structured<Fields>(params, "rich_message");
  const { blocks } = (rich_message ?? {}) as { blocks?: Fields[] };
  if (!rich_message || !Array.isArray(blocks)) badRequest("rich message must have blocks");
  if (blocks.length === 0) badRequest("rich message is empty");
  if (blocks.length > MOST_BLOCKS) badRequest("rich message has too many blocks");
  const text = blocks.map(({ text }) => textIn(text)).join("\n");
  if (text.trim() === "") badRequest("rich message is empty");
  if (text.length > MOST_CHARACTERS) badRequest("message is too long");
  return { rich_message, text };
}

function textIn(rich: unknown): string {
  if (typeof rich === "string") return rich;
  if (Array.isArray(rich)) return rich.map(textIn).join("");
  return textIn((rich as { text?: unknown }).text ?? "");
}
