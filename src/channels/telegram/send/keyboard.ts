import { idWithin } from "../../../core/content/choices.ts";
import type { Button } from "../../../core/content/reply.ts";
import type { JsonObject } from "../../../core/json.ts";
import { LIMITS } from "../content.ts";

const encoder = new TextEncoder();
const fits = (id: string) => encoder.encode(id).byteLength <= LIMITS.callbackBytes;

/** Buttons under a message, one in each row. `before` choices of the same reply stand in earlier messages. */
export function keyboard(buttons: readonly Button[], before = 0): JsonObject {
  let place = before;
  const rows = buttons.map((button) =>
    "id" in button
      ? [{ text: button.title, callback_data: idWithin(button.id, ++place, fits) }]
      : [{ text: button.title, url: button.url }],
  );
  return rows.length > 0 ? { reply_markup: { inline_keyboard: rows } } : {};
}
