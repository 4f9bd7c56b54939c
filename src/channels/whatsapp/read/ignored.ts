import type { IgnoredReason, Inbound } from "../../../core/messages/message.ts";

/** An ignored event, with the platform's name for it. A text that does not look like a name becomes `unnamed`. */
export function ignored(reason: IgnoredReason, what: unknown): Inbound {
  const name = typeof what === "string" && /^[\w .:-]{1,80}$/.test(what) ? what : "unnamed";
  return { type: "ignored", reason, what: name };
}
