import { longerThan } from "./characters.ts";
import { type Fields, fieldsIn } from "./fields.ts";
import { type GraphError, graphError } from "./whatsapp-error.ts";

const TYPES = new Set([
  "button",
  "list",
  "cta_url",
  "flow",
  "product",
  "product_list",
  "catalog_message",
  "location_request_message",
  "address_message",
  "call_permission_request",
]);

/** Checks the limits of buttons and lists. Of other interactive types it checks only the texts. */
export function checkInteractive(part: Fields): GraphError | undefined {
  const type = String(part.type);
  if (!TYPES.has(type)) return invalid(`Interactive type ${type} is not supported`);
  const { header, body, footer } = part as Record<string, Fields | undefined>;
  const action = (part.action ?? {}) as Fields;
  return (
    checkLength("Body text", body?.text, type === "product" || type === "catalog_message" ? 0 : 1, 1024) ??
    (header?.type === "text" ? checkLength("Header text", header.text, 1, 60) : undefined) ??
    (footer ? checkLength("Footer text", footer.text, 1, 60) : undefined) ??
    (type === "button" ? checkButtons(action) : undefined) ??
    (type === "list" ? checkList(action) : undefined)
  );
}

function checkButtons(action: Fields): GraphError | undefined {
  const buttons = fieldsIn(action.buttons);
  if (buttons.length < 1 || buttons.length > 3)
    return invalid("Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3");
  const replies = buttons.map(({ reply }) => (reply ?? {}) as Fields);
  return (
    first(
      replies,
      (reply) =>
        checkLength("Button title", reply.title, 1, 20) ?? checkLength("Button id", reply.id, 1, 256),
    ) ?? unlike("Button", replies)
  );
}

function checkList(action: Fields): GraphError | undefined {
  const sections = fieldsIn(action.sections);
  const rows = sections.flatMap((section) => fieldsIn(section.rows));
  if (rows.length < 1 || rows.length > 10)
    return invalid("Total row count exceed max allowed count: 10, or there is no row");
  return (
    checkLength("Button label", action.button, 1, 20) ??
    first(sections, ({ title }) => checkLength("Section title", title, sections.length > 1 ? 1 : 0, 24)) ??
    first(
      rows,
      (row) =>
        checkLength("Row title", row.title, 1, 24) ??
        checkLength("Row description", row.description, 0, 72) ??
        checkLength("Row id", row.id, 1, 200),
    ) ??
    (new Set(rows.map(({ id }) => id)).size < rows.length ? invalid("Duplicated row id") : undefined)
  );
}

function unlike(what: string, choices: readonly Fields[]): GraphError | undefined {
  for (const key of ["id", "title"])
    if (new Set(choices.map((choice) => choice[key])).size < choices.length)
      return invalid(`${what} ${key}s must be unique`);
}

function first<T>(items: readonly T[], check: (item: T) => GraphError | undefined): GraphError | undefined {
  for (const item of items) {
    const error = check(item);
    if (error) return error;
  }
}

function checkLength(what: string, value: unknown, min: number, max: number): GraphError | undefined {
  const text = typeof value === "string" ? value : "";
  if (text.length >= min && !longerThan(text, max)) return undefined;
  return invalid(`${what} length invalid. Min length: ${min}, Max length: ${max}`);
}

function invalid(details: string): GraphError {
  return graphError(131009, details);
}
