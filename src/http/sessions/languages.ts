import { z } from "@hono/zod-openapi";
import { languagesFor } from "../../core/language/policy.ts";
import { canonicalLanguage, directionOf } from "../../core/language/tag.ts";
import type { Session } from "../../core/sessions/session.ts";
import type { AppOptions } from "../request.ts";

/** A language tag in a request, in its canonical spelling. */
export const languageTag = z
  .string()
  .max(35)
  .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/, "must be a language tag such as de or pt-BR")
  .transform((text, context) => {
    const tag = canonicalLanguage(text);
    if (tag === undefined) context.addIssue("must be a language tag such as de or pt-BR");
    return tag ?? z.NEVER;
  })
  .openapi({ type: "string", example: "hi" });

/** The language of a session, and those to choose from. */
export const languageFields = {
  language: z.string().nullable().openapi({ description: "The session's language, a BCP 47 tag." }),
  dir: z.enum(["ltr", "rtl"]).openapi({ description: "The direction in which that language is written." }),
  languages: z.array(z.string()).openapi({
    description:
      "The languages to offer. With a single one there is no choice. In `LANGUAGE_MODE` `auto` others are accepted too.",
  }),
};

/** A session's language, with its direction and the languages that its customer may choose from. */
export function languagesOf(session: Session, { languages: policy }: AppOptions) {
  const { language, plan = "basic" } = session;
  return {
    language: language ?? null,
    dir: directionOf(language),
    languages: [...languagesFor(policy, plan)],
  };
}
