import type { Part } from "../../../core/answer/turn.ts";
import { unrenderable } from "../../../core/content/prepare.ts";
import type { JsonObject } from "../../../core/json.ts";

/** Parameters that the hub sets: they say where a message goes. */
const OURS = ["chat_id", "business_connection_id", "message_thread_id"];

/** A bot's own call: `{method: "sendPoll", ...parameters}`. Only methods that send a message are taken. */
export function renderRaw({ method, ...params }: JsonObject, text: string): Part {
  if (typeof method !== "string" || !/^send[A-Z][A-Za-z]{1,40}$/.test(method))
    throw unrenderable("raw.telegram.method: must be a method that sends a message");
  const wrong = OURS.find((name) => Object.hasOwn(params, name));
  if (wrong) throw unrenderable(`raw.telegram.${wrong}: is set by the hub`);
  return { kind: "text", text, call: { method, params } };
}
