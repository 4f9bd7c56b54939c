import { canonicalLanguage } from "../language/tag.ts";

/** What a messenger says of its user: for display, and proof of nothing. */
export interface Profile {
  readonly name?: string;
  /** Without @. */
  readonly username?: string;
  /** The language of their app, a language tag. */
  readonly language?: string;
}

/** What all messengers of a customer say of them. */
export interface CustomerProfile extends Profile {
  /** The first that named them: it may rename them, and others add only what is missing. */
  readonly channel?: string;
}

const LONGEST = 256;

/** What a messenger says of its user, tidied; without what is empty or no language. Undefined where nothing is left. */
export function profileOf(said: {
  readonly names: readonly (string | undefined)[];
  readonly username?: string | undefined;
  readonly language?: string | undefined;
}): Profile | undefined {
  const name = short(said.names.filter(Boolean).join(" "));
  const username = short((said.username ?? "").replace(/^@/, ""));
  const language = said.language ? canonicalLanguage(said.language) : undefined;
  if (!name && !username && !language) return undefined;
  return { ...(name && { name }), ...(username && { username }), ...(language && { language }) };
}

function short(text: string): string {
  const tidy = text.replace(/\s+/g, " ").trim();
  return tidy.length <= LONGEST ? tidy : [...tidy].slice(0, LONGEST).join("");
}
