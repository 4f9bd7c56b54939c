import type { Part } from "../../../core/answer/turn.ts";
import { unrenderable } from "../../../core/content/prepare.ts";
import type { JsonObject } from "../../../core/json.ts";

/** Fields that the hub sets: they say where a message goes, and what the call is. */
const OURS = ["messaging_product", "recipient_type", "to", "recipient", "status"];

/** A bot's own call: the body of a message without its recipient, such as `{type: "interactive", interactive: {…}}`. */
export function renderRaw(call: JsonObject, text: string): Part {
  const wrong = OURS.find((name) => Object.hasOwn(call, name));
  if (wrong) throw unrenderable(`raw.whatsapp.${wrong}: is set by the hub`);
  const { type } = call;
  if (typeof type !== "string" || !Object.hasOwn(call, type))
    throw unrenderable("raw.whatsapp.type: must name the object beside it");
  return { kind: "text", text, call };
}
