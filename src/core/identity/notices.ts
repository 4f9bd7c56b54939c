import type { Texts } from "../texts/catalogue.ts";
import { textIn } from "../texts/text-in.ts";
import { CODE_MS, LINK_MS } from "./proofs.ts";

/** The texts that a store adds to histories or sends, with `{identity}`, `{channels}` and `{language}` still in them. */
export type Notices = Omit<
  Texts,
  "code" | "greeting" | "table_booked" | "handed_over" | "sources" | "person_asked" | "away_until" | "away"
>;

const MINUTE_MS = 60_000;

/** The notices in a language; in English if the hub has no texts in it. SQL has the same texts (`hub.notice_texts`). */
export function noticesIn(language: string | undefined): Notices {
  const text = (name: keyof Notices) =>
    textIn(language, name, {
      minutes: LINK_MS / MINUTE_MS,
      identity: "{identity}",
      channels: "{channels}",
      language: "{language}",
    });
  return {
    linked: text("linked"),
    link_failed: text("link_failed"),
    merge_required: text("merge_required"),
    phone_moved: text("phone_moved"),
    account_moved: text("account_moved"),
    language_set: text("language_set"),
    language_set_other: text("language_set_other"),
    opted_out: text("opted_out"),
    opted_in: text("opted_in"),
  };
}

/** The text of a message with a one-time code, for platforms without a format of their own for codes. */
export function codeText(code: string, language?: string): string {
  return textIn(language, "code", { code, minutes: CODE_MS / MINUTE_MS });
}
