import type { Message } from "@session-hub/client";

/** The reactions to one message, by side. `null`: it was taken back. */
export type Reactions = ReadonlyMap<"user" | "assistant", string | null>;

/** The reactions to each message, by side: of each the last counts. */
export function reactionsIn(
  messages: readonly Pick<Message, "content" | "reply_to" | "role">[],
): Map<string, Reactions> {
  const last = new Map<string, Map<"user" | "assistant", string | null>>();
  for (const { content, reply_to, role } of messages) {
    if (content?.kind !== "reaction") continue;
    const target = ("message_id" in content ? content.message_id : undefined) ?? reply_to;
    if (!target) continue;
    if (!last.has(target)) last.set(target, new Map());
    last.get(target)!.set(role === "user" ? "user" : "assistant", content.emoji);
  }
  return last;
}

/** Whether a message changes another one, which shows the change. */
export function isChange(kind: string): boolean {
  return kind === "reaction" || kind === "edit" || kind === "delete" || kind === "pin" || kind === "typing";
}
