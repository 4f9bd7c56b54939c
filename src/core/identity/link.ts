import type { InboundEvent } from "../receive/conversations.ts";
import { sha256Hex } from "../signature.ts";

/** What `POST /session/link` makes: `link_` and 24 random bytes as base64url, which fits Telegram's start parameter. */
const LINK_TOKEN = /(?<![\w-])link_[\w-]{32}(?![\w-])/g;
const CUT_OUT = "link_…";

/**
 * The same without the link token in its text, if there is one: of a message only the token's hash goes on, and the
 * store decides what came of it; an edit only loses it.
 */
export async function withoutLinkToken(item: InboundEvent): Promise<InboundEvent> {
  if (item.type === "edit" && item.edit.content?.kind === "text") {
    const content = { ...item.edit.content, text: item.edit.content.text.replace(LINK_TOKEN, CUT_OUT) };
    return { ...item, edit: { ...item.edit, content } };
  }
  if (item.type !== "message" || item.message.content.kind !== "text") return item;
  const [token] = item.message.content.text.match(LINK_TOKEN) ?? [];
  if (token === undefined) return item;
  const link_hash = await sha256Hex(token);
  const message = {
    ...item.message,
    content: { kind: "system", event: "linked" },
    link_hash,
    wakes: false,
  } as const;
  return { ...item, message };
}
