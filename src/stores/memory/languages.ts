import { HubError } from "../../core/errors.ts";
import { type Notices, noticesIn } from "../../core/identity/notices.ts";
import { languagesFor, permittedLanguage } from "../../core/language/policy.ts";
import { baseOf } from "../../core/language/tag.ts";
import type { Message } from "../../core/messages/message.ts";
import { CATALOGUE } from "../../core/texts/catalogue.ts";
import { lastEndedOf, livingOf } from "./customers.ts";
import { addMessage } from "./messages.ts";
import type { CustomerRow, SessionRow, Tables } from "./tables.ts";

/** The customer's preferred language where it is permitted. */
export function preferenceOf({ settings }: Tables, customer: CustomerRow): string | undefined {
  const { preferred_language, plan } = customer;
  return preferred_language && permittedLanguage(settings.languages, plan, preferred_language);
}

/** The language in which the hub speaks to a customer. */
export function spokenTo(tables: Tables, customer: CustomerRow | undefined): string | undefined {
  if (!customer) return tables.settings.language;
  const row = livingOf(tables, customer) ?? lastEndedOf(tables, customer);
  return row?.session.language ?? preferenceOf(tables, customer) ?? tables.settings.language;
}

/** A notice in a language. The deployment's own texts come first. */
export function noticeIn({ settings }: Tables, name: keyof Notices, language: string | undefined): string {
  return settings.notices?.[name] ?? noticesIn(language)[name];
}

/** Lets a message decide the language of a session that has not decided one. The preferred language wins. */
export function decideLanguage(tables: Tables, row: SessionRow, shown: string | undefined): void {
  const { languages } = tables.settings;
  if (!languages || languages.mode === "single" || shown === undefined || row.language_by) return;
  if (row.customer.plan !== "premium") return;
  const preferred = preferenceOf(tables, row.customer);
  const language = preferred ?? permittedLanguage(languages, row.customer.plan, shown);
  if (language === undefined) return;
  if (row.session.language !== language) row.session.version += 1;
  row.session.language = language;
  row.language_by = preferred === undefined ? "message" : "customer";
}

/** The language that a session of this customer gets if this one is chosen. Throws `language_not_allowed`. */
export function chosenLanguage({ settings }: Tables, { plan }: CustomerRow, language: string): string {
  const permitted = permittedLanguage(settings.languages, plan, language);
  if (permitted !== undefined) return permitted;
  throw new HubError("language_not_allowed", "this session may not have that language", {
    details: { languages: [...languagesFor(settings.languages, plan)] },
  });
}

/** Switches a session to a chosen language, and says so in its history. Undefined if it was chosen before. */
export function switchLanguage(
  tables: Tables,
  row: SessionRow,
  chosen: string,
  now: Date,
): Message | undefined {
  const { session, customer } = row;
  const language = chosenLanguage(tables, customer, chosen);
  if (session.language === language && row.language_by === "chosen") return undefined;
  session.language = language;
  session.version += 1;
  row.language_by = "chosen";
  customer.preferred_language = language;
  const text = Object.hasOwn(CATALOGUE, baseOf(language))
    ? noticeIn(tables, "language_set", language)
    : noticeIn(tables, "language_set_other", language).replace("{language}", language);
  const said = { direction: "outbound", role: "system", status: "sent" } as const;
  const content = { kind: "text", text } as const;
  return addMessage(tables, row, { channel: session.channel, ...said, content }, now).message;
}
