import type { Hub } from "../hub.ts";
import type { Received } from "./conversations.ts";
import { applyEffects } from "./effects.ts";

/** Publishes the result of one event to the connected devices, and applies its effects. */
export function publish(hub: Hub, result: Received): void {
  const { live } = hub;
  const { message } = result;
  applyEffects(hub, message?.session_id, result);
  if (!message || (result.type === "message" && result.duplicate)) return;
  if (result.type === "edit" || result.type === "receipt")
    live.publish(message.session_id, { type: "message", message });
  else live.publish(message.session_id, { type: "messages" });
  if (result.type === "message")
    live.publish(message.session_id, { type: "session", session: result.session });
}
