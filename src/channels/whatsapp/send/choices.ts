import { type Choice, idWithin } from "../../../core/content/choices.ts";
import type { JsonObject } from "../../../core/json.ts";
import { LIMITS } from "../content.ts";

/** Texts around the choices of a message. */
export interface Around {
  readonly body: string;
  readonly header?: string | undefined;
  readonly footer?: string | undefined;
}

/** A row that stands under a section's title, at its place among all choices of the reply. */
export interface Row extends Choice {
  readonly place: number;
  readonly section?: string | undefined;
}

/** Whether choices fit onto reply buttons: at most three short titles, each with one meaning. */
export function fitButtons(choices: readonly Choice[]): boolean {
  return choices.length <= LIMITS.buttons && fitTitles(choices, LIMITS.buttonTitle);
}

/** Whether choices fit into lists: titles and descriptions that need not be cut, and few enough pages. */
export function fitRows(rows: readonly Row[]): boolean {
  return (
    rows.length <= LIMITS.rows * LIMITS.pages &&
    fitTitles(rows, LIMITS.rowTitle) &&
    rows.every(({ description = "", section = "" }) => {
      return description.length <= LIMITS.rowDescription && section.length <= LIMITS.sectionTitle;
    })
  );
}

function fitTitles(choices: readonly Choice[], longest: number): boolean {
  return (
    choices.every(({ title }) => title.length <= longest) &&
    new Set(choices.map(({ title }) => title)).size === choices.length
  );
}

/** Reply buttons. @see https://developers.facebook.com/documentation/business-messaging/whatsapp */
export function replyButtons(
  choices: readonly Choice[],
  before: number,
  around: Around,
  image?: JsonObject,
): JsonObject {
  const buttons = choices.map(({ id, title }, i) => ({
    type: "reply",
    reply: { id: idWithin(id, before + i + 1, within(LIMITS.buttonId)), title },
  }));
  return interactive("button", around, { buttons }, image);
}

/** One page of a list. Rows with the same section's title stand together; several sections need titles. */
export function listPage(rows: readonly Row[], button: string, around: Around): JsonObject {
  const groups: { title?: string; rows: JsonObject[] }[] = [];
  let last: string | undefined;
  for (const { id, title, description, place, section } of rows) {
    if (groups.length === 0 || section !== last)
      groups.push({ ...(section && { title: section }), rows: [] });
    last = section;
    const short = idWithin(id, place, within(LIMITS.rowId));
    groups.at(-1)!.rows.push({ id: short, title, ...(description && { description }) });
  }
  const sections = groups.length > 1 ? groups.map((group) => ({ title: "•", ...group })) : groups;
  return interactive("list", around, { button, sections });
}

/** A button that opens a link. */
export function linkButton(title: string, url: string, around: Around, image?: JsonObject): JsonObject {
  return interactive("cta_url", around, { name: "cta_url", parameters: { display_text: title, url } }, image);
}

function interactive(
  type: string,
  { body, header, footer }: Around,
  action: JsonObject,
  image?: JsonObject,
): JsonObject {
  const head = image ? { type: "image", image } : header ? { type: "text", text: header } : undefined;
  return {
    type: "interactive",
    interactive: {
      type,
      ...(head && { header: head }),
      body: { text: body },
      ...(footer && { footer: { text: footer } }),
      action,
    },
  };
}

/** Ids within the limit that Meta does not change: it removes spaces at their edges. */
function within(longest: number): (id: string) => boolean {
  return (id) => id.length <= longest && id.trim() === id;
}
