import type { Message } from "@session-hub/client";

/** The reactions to each message, as one text. Of each sender the last counts; `null` takes it back. */
export function reactionsIn(
  messages: readonly Pick<Message, "content" | "reply_to" | "role">[],
): Map<string, string> {
  const last = new Map<string, Map<string, string | null>>();
  for (const { content, reply_to, role } of messages) {
    if (content?.kind !== "reaction") continue;
    const target = ("message_id" in content ? content.message_id : undefined) ?? reply_to;
    if (!target) continue;
    if (!last.has(target)) last.set(target, new Map());
    last.get(target)!.set(role, content.emoji);
  }
  return new Map(
    [...last].map(([target, byRole]) => [
      target,
      [...byRole.values()].filter((emoji) => emoji !== null).join(" "),
    ]),
  );
}

/** Whether a message changes another one, which shows the change. */
export function isChange(kind: string): boolean {
  return kind === "reaction" || kind === "edit" || kind === "delete" || kind === "pin" || kind === "typing";
}
