import { escapeHtml, prose } from "./text.ts";

/** The parts of a JSON Schema that the page shows. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}

/** A schema as a table of its fields; nested fields have dotted names. A schema without fields becomes one line. */
export function fields(schema: Schema): string {
  const rows = rowsOf(schema, "");
  return rows
    ? `<div class="wide"><table>${rows}</table></div>`
    : `<p>${typeOf(schema)} ${notes(schema)}</p>`;
}

/** One row of such a table. */
export function row(name: string, schema: Schema, required: boolean): string {
  const must = required ? ` <span class="must">required</span>` : "";
  return `<tr><th><code>${escapeHtml(name)}</code>${must}</th><td>${typeOf(schema)}</td><td>${notes(schema)}</td></tr>`;
}

function rowsOf(schema: Schema, prefix: string): string {
  const variants = schema.oneOf ?? schema.anyOf ?? [];
  const here = Object.entries(schema.properties ?? {}).map(
    ([name, field]) =>
      row(prefix + name, field, schema.required?.includes(name) ?? false) +
      rowsOf(field.items?.properties ? field.items : field, `${prefix}${name}${field.items ? "[]" : ""}.`),
  );
  const inside = variants.flatMap((variant) => {
    const rows = rowsOf(variant, prefix);
    const title = variantTitle(variant);
    return rows ? [title ? `<tr><th colspan="3">${title}</th></tr>${rows}` : rows] : [];
  });
  return [...here, ...inside].join("");
}

function variantTitle(variant: Schema): string {
  const [name, field] = Object.entries(variant.properties ?? {})[0] ?? [];
  const value = field?.const ?? (field?.enum?.length === 1 ? field.enum[0] : undefined);
  return name && value !== undefined ? `<code>${escapeHtml(`${name}: ${JSON.stringify(value)}`)}</code>` : "";
}

function typeOf(schema: Schema): string {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1)!;
    return `<a href="#${escapeHtml(name)}">${escapeHtml(name)}</a>`;
  }
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants) return [...new Set(variants.map(typeOf))].join(" or ");
  if (schema.const !== undefined) return `<code>${escapeHtml(JSON.stringify(schema.const))}</code>`;
  if (schema.enum) return schema.enum.map((value) => `<code>${escapeHtml(String(value))}</code>`).join(" ");
  if (schema.items) return `array of ${typeOf(schema.items)}`;
  return escapeHtml([schema.type ?? "anything"].flat().join(" or "));
}

function notes(schema: Schema): string {
  const { minimum, maximum, minLength, maxLength } = schema;
  const said = [
    schema.description && prose(schema.description),
    schema.format && `<span class="soft">${escapeHtml(schema.format)}</span>`,
    range(minimum, maximum, ""),
    range(minLength, maxLength, " characters"),
    schema.default !== undefined && `default <code>${escapeHtml(JSON.stringify(schema.default))}</code>`,
  ];
  return said.filter(Boolean).join(" · ");
}

function range(from: number | undefined, to: number | undefined, unit: string): string {
  const isOpen = (bound: number | undefined) =>
    bound === undefined || Math.abs(bound) >= Number.MAX_SAFE_INTEGER;
  if (isOpen(from) && isOpen(to)) return "";
  if (isOpen(to)) return `at least ${from}${unit}`;
  return isOpen(from) ? `at most ${to}${unit}` : `${from} to ${to}${unit}`;
}
