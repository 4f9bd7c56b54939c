import type { IgnoredReason, Inbound } from "../../../core/messages/message.ts";

/** Something let go, with the platform's name for it; what does not look like a name is not repeated. */
export function ignored(reason: IgnoredReason, what: unknown): Inbound {
  const name = typeof what === "string" && /^[\w .:-]{1,80}$/.test(what) ? what : "unnamed";
  return { type: "ignored", reason, what: name };
}
