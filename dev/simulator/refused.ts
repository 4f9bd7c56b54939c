import { HubError } from "../../clients/js/src/index.ts";
import type { RefusedWord } from "./model.ts";

/** Something that cannot be done now. Its message is for programs; a page says `word` in its own language. */
export class Refused extends Error {
  readonly word: RefusedWord;

  constructor(message: string, word: RefusedWord) {
    super(message);
    this.word = word;
  }
}

/** The hub's codes that say that it cannot be reached, or is not well. */
const AWAY = ["network", "timeout", "unavailable", "misconfigured", "throttled", "internal"];

/** What the hub refused to the client of a page, in words. Every other error is returned as it is. */
export function inWords(error: unknown): unknown {
  if (!(error instanceof HubError)) return error;
  const { code, message } = error;
  const word = AWAY.includes(code)
    ? "noAnswer"
    : code === "verification_required"
      ? "verifyFirst"
      : "refusedByHub";
  return new Refused(`the hub says: ${message}`, word);
}
