import type { Content } from "../messages/content.ts";
import type { InboundMessage } from "../messages/message.ts";
import type { InboundEvent } from "../receive/conversations.ts";
import { sha256Hex } from "../signature.ts";

/**
 * The token that `POST /session/link` makes: `link_` and 24 random bytes as base64url. It fits Telegram's start
 * parameter.
 */
const LINK_TOKEN = /(?<![\w-])link_[\w-]{32}(?![\w-])/g;
const CUT_OUT = "link_…";

/**
 * Returns the event with all link tokens removed, so that no token is stored. A message that redeems a token carries
 * the token's SHA-256 as `link_hash`, and the store decides whether the link is valid.
 */
export async function withoutLinkToken(item: InboundEvent): Promise<InboundEvent> {
  if (item.type === "message") {
    const token = redeemedBy(item.message);
    if (token !== undefined) {
      const content = { kind: "system", event: "linked" } as const;
      const link_hash = await sha256Hex(token);
      return { ...item, message: { ...item.message, content, link_hash, wakes: false } };
    }
  }
  const content = contentOf(item);
  return content && JSON.stringify(content).includes("link_") ? cleaned(item) : item;
}

/** What the customer wrote: the only place of an event in which a token can stand. */
function contentOf(item: InboundEvent): Content | null | undefined {
  switch (item.type) {
    case "message":
      return item.message.content;
    case "echo":
      return item.echo.content;
    case "edit":
      return item.edit.content;
    default:
      return undefined;
  }
}

/**
 * The token in a message that may redeem it: a plain text that its sender wrote to us. A forwarded text, a text that
 * answers another message, and a text from a chat that others can read redeem nothing: the token may be another
 * person's.
 */
function redeemedBy({ content, reply_to, address_of }: InboundMessage): string | undefined {
  if (content.kind !== "text" || content.context?.forwarded || reply_to !== undefined || address_of === null)
    return undefined;
  return content.text.match(LINK_TOKEN)?.[0];
}

function cleaned(item: InboundEvent): InboundEvent {
  switch (item.type) {
    case "message":
      return { ...item, message: { ...item.message, content: cut(item.message.content) as Content } };
    case "echo":
      return { ...item, echo: { ...item.echo, content: cut(item.echo.content) as Content } };
    case "edit":
      return { ...item, edit: { ...item.edit, content: cut(item.edit.content) as Content | null } };
    default:
      return item;
  }
}

function cut(value: unknown): unknown {
  if (typeof value === "string") return value.replace(LINK_TOKEN, CUT_OUT);
  if (Array.isArray(value)) return value.map(cut);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, cut(part)]));
}
