import type { Reply, ReplyOf } from "../../../core/content/reply.ts";
import { LIMITS } from "../content.ts";

/**
 * Joins replies that follow each other where one message carries both, because every message is paid: texts become one
 * text, a text after a picture its caption, a text ahead of choices their text. Texts of different formats stay apart.
 */
export function join(replies: readonly Reply[]): Reply[] {
  const joined: Reply[] = [];
  for (const reply of replies) {
    const last = joined.at(-1);
    const both = last && pair(last, reply);
    if (both) joined[joined.length - 1] = both;
    else joined.push(reply);
  }
  return joined;
}

function pair(first: Reply, second: Reply): Reply | undefined {
  if ("raw" in first || "raw" in second || wishOf(first) !== wishOf(second)) return undefined;
  if (
    first.kind === "text" &&
    (second.kind === "text" || second.kind === "buttons" || second.kind === "list")
  ) {
    const text = `${first.text}\n\n${second.text}`;
    const limit = second.kind === "text" ? LIMITS.text : LIMITS.body;
    return sameFormat(first, second) && text.length <= limit ? { ...second, text } : undefined;
  }
  if (
    isFile(first) &&
    first.caption === undefined &&
    second.kind === "text" &&
    second.text.length <= LIMITS.caption
  )
    return { ...first, caption: second.text, ...(second.format && { format: second.format }) };
  return undefined;
}

function isFile(reply: Reply): reply is ReplyOf<"image" | "video" | "document"> {
  return reply.kind === "image" || reply.kind === "video" || reply.kind === "document";
}

function sameFormat(
  { format: one = "plain" }: ReplyOf<"text">,
  { format: other = "plain" }: Pick<ReplyOf<"text">, "format">,
) {
  return one === other;
}

function wishOf(reply: Reply) {
  return "outside_window" in reply ? reply.outside_window : undefined;
}
