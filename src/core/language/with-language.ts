import type { InboundEvent } from "../receive/conversations.ts";
import { detectLanguage } from "./detect.ts";
import type { LanguagePolicy } from "./policy.ts";

/**
 * A message with the language that its words show, where messages may decide. The words of a link, of a forwarded message
 * and of an event show nothing. The store knows whether the session has decided one, and what its customer's plan permits.
 */
export async function withLanguage(
  policy: LanguagePolicy | undefined,
  item: InboundEvent,
): Promise<InboundEvent> {
  if (!policy || policy.mode === "single" || item.type !== "message") return item;
  const { content, profile, link_hash } = item.message;
  if (content.kind !== "text" || content.context?.forwarded || link_hash !== undefined) return item;
  const language = await detectLanguage(content.text, profile?.language);
  return language === undefined ? item : { ...item, message: { ...item.message, language } };
}
