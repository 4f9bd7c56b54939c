import type { InboundEvent } from "../receive/conversations.ts";
import { detectLanguage } from "./detect.ts";
import type { LanguagePolicy } from "./policy.ts";

/**
 * The language that a customer's words show, where messages may decide. The store knows whether the session has decided
 * one, and what its customer's plan permits.
 */
export async function shownLanguage(
  policy: LanguagePolicy | undefined,
  text: string,
  hint?: string,
): Promise<string | undefined> {
  return policy && policy.mode !== "single" ? detectLanguage(text, hint) : undefined;
}

/** A message with the language that it shows. A link, a forwarded message and an event show none. */
export async function withLanguage(
  policy: LanguagePolicy | undefined,
  item: InboundEvent,
): Promise<InboundEvent> {
  if (item.type !== "message") return item;
  const { content, profile, link_hash } = item.message;
  if (content.kind !== "text" || content.context?.forwarded || link_hash !== undefined) return item;
  const language = await shownLanguage(policy, content.text, profile?.language);
  return language === undefined ? item : { ...item, message: { ...item.message, language } };
}
