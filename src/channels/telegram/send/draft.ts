import { spansOf } from "../../../core/content/spans.ts";
import type { JsonObject } from "../../../core/json.ts";
import { LIMITS } from "../content.ts";
import { textParams } from "./formatted.ts";
import { richMessage } from "./rich.ts";

export interface ShownDraft {
  readonly id: string;
  readonly text: string;
  readonly format?: "plain" | "markdown";
}

/**
 * The call that shows a draft: a rich message where the text is longer than a message may be.
 * @see https://core.telegram.org/bots/api#sendmessagedraft
 */
export function draftCall({ id, text, format }: ShownDraft): {
  readonly method: string;
  readonly params: JsonObject;
} {
  const draft_id = numberOf(id);
  const spans = spansOf(text, format);
  const rich = richMessage(spans);
  if (rich) return { method: "sendRichMessageDraft", params: { draft_id, rich_message: rich } };
  const { text: plain, ...formats } = textParams(spans);
  // Of a text past both limits the beginning is shown.
  return {
    method: "sendMessageDraft",
    params: { draft_id, text: (plain as string).slice(0, LIMITS.text), ...formats },
  };
}

/** A number for a draft's id, the same for all drafts of one turn. Telegram takes any but zero. */
function numberOf(id: string): number {
  let hash = 0;
  for (let i = 0; i < id.length; i++) hash = (Math.imul(hash, 31) + id.charCodeAt(i)) | 0;
  return (hash >>> 1) + 1;
}
