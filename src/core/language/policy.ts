import { baseOf } from "./tag.ts";

/** The languages in which the hub has texts of its own. The test of the texts compares them with this list. */
export const TEXT_LANGUAGES = ["en", "hi", "es", "ar", "pt", "fr", "id"] as const;

/** What a customer's plan allows: `basic` forces one language, `premium` allows what the mode allows. */
export type Plan = "basic" | "premium";

/**
 * Which languages sessions may have. Without a policy there are no rules: frontends and bots set any language, and the
 * hub detects none.
 */
export interface LanguagePolicy {
  /**
   * - `single`: the default language only
   * - `auto`: any language; the customer's messages decide
   * - `allowed`: the listed languages; the customer's messages decide among them
   */
  readonly mode: "single" | "auto" | "allowed";
  /** Canonical tags. The first one is the default. */
  readonly languages: readonly [string, ...string[]];
}

/** The languages to choose from. In mode `auto` others are permitted too: these are the ones to offer. */
export function languagesFor(policy: LanguagePolicy | undefined, plan: Plan): readonly string[] {
  if (!policy) return TEXT_LANGUAGES;
  const { mode, languages } = policy;
  if (mode === "single" || plan === "basic") return [languages[0]];
  return mode === "allowed" ? languages : [...new Set([...languages, ...TEXT_LANGUAGES])];
}

/**
 * The language that a session gets if this one is asked for; undefined if it is not permitted. A listed language stands
 * for others of the same base: `pt` and `pt-PT` become a listed `pt-BR`. In mode `auto` a tag with a region stays as it
 * is. SQL has the same rule, `hub.permitted_language`.
 */
export function permittedLanguage(
  policy: LanguagePolicy | undefined,
  plan: Plan,
  language: string,
): string | undefined {
  if (!policy) return language;
  const { mode, languages } = policy;
  const isSingle = mode === "single" || plan === "basic";
  const isOpen = mode === "auto" && !isSingle;
  const listed = isSingle ? [languages[0]] : languages;
  if (listed.includes(language) || (isOpen && language !== baseOf(language))) return language;
  return listed.find((one) => baseOf(one) === baseOf(language)) ?? (isOpen ? language : undefined);
}
