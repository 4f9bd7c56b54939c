import type { Hono } from "hono";
import { badControl, readFields } from "./control.ts";
import type { Fields } from "./fields.ts";
import type { OnNode } from "./server.ts";
import { type GraphError, graphError } from "./whatsapp-error.ts";
import type { WhatsApp } from "./whatsapp-state.ts";

/** A template of the business account, as the platform keeps it. */
export interface EmulatedTemplate {
  readonly id: string;
  readonly name: string;
  readonly language: string;
  readonly status: string;
  readonly category: string;
  readonly components: readonly Fields[];
  readonly parameter_format: "NAMED" | "POSITIONAL";
  readonly rejected_reason?: string;
}

const STATUSES = ["APPROVED", "PENDING", "REJECTED", "PAUSED", "DISABLED"];
const CATEGORIES = ["UTILITY", "MARKETING", "AUTHENTICATION"];
const HYDRATED = 1024;
const VARIABLE = /\{\{\s*(\w+)\s*\}\}/g;

export const templateRoutes: Record<string, string> = {
  "POST /_templates":
    "{name, language?: en_US, status?: APPROVED|PENDING|REJECTED|PAUSED|DISABLED, category?, body? or components?, reason?} makes or changes it, and tells the webhook of a new status -> the template; {templates: [...]} replaces all -> {templates}",
  "GET /_templates": "-> {templates}",
  "DELETE /_templates": "?name= &language= deletes one, or all -> {deleted}",
};

/** Mounts the routes with which a script keeps the templates of the business account. */
export function mountTemplates(app: Hono<OnNode>, whatsapp: WhatsApp): void {
  const { templates } = whatsapp;

  app.post("/_templates", async (c) => {
    const fields = await readFields(c);
    if (!Array.isArray(fields.templates)) return c.json(keep(fields));
    for (const key of [...templates.values()].map(({ name, language }) => `${name} ${language}`))
      templates.delete(key);
    return c.json({ templates: (fields.templates as Fields[]).map(keep) });
  });

  function keep({ name, language = "en_US", body, reason, ...fields }: Fields): EmulatedTemplate {
    if (typeof name !== "string" || !/^[a-z0-9_]{1,512}$/.test(name)) badControl("name is missing or wrong");
    const key = `${name} ${language}`;
    const known = templates.get(key);
    const status = oneOf(STATUSES, fields.status ?? known?.status ?? "APPROVED");
    const text = body === undefined ? undefined : [{ type: "BODY", text: String(body) }];
    const components = (fields.components as Fields[] | undefined) ?? text ?? known?.components ?? [];
    const template: EmulatedTemplate = {
      id: known?.id ?? String(1_000_000_000_000_000 + Math.floor(Math.random() * 1e15)),
      name,
      language: String(language),
      status,
      category: oneOf(CATEGORIES, fields.category ?? known?.category ?? "UTILITY"),
      components,
      parameter_format: isNamed(components) ? "NAMED" : "POSITIONAL",
      ...(reason !== undefined && { rejected_reason: String(reason) }),
    };
    templates.set(key, template);
    if (known && known.status !== status) tell(whatsapp, template, status);
    return template;
  }

  app.get("/_templates", (c) => c.json({ templates: [...templates.values()] }));
  app.delete("/_templates", (c) => {
    const { name, language } = c.req.query();
    const gone = [...templates.values()].filter(
      (one) => (!name || one.name === name) && (!language || one.language === language),
    );
    for (const one of gone) {
      templates.delete(`${one.name} ${one.language}`);
      tell(whatsapp, one, "DELETED");
    }
    return c.json({ deleted: gone.length });
  });
}

/** Answers `GET /<business account>/message_templates`, a page at a time. */
export function listTemplates({ templates }: WhatsApp, query: URLSearchParams): Fields {
  const limit = Math.min(Math.max(Number(query.get("limit") ?? 25) || 25, 1), 100);
  const all = [...templates.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const from = all.findIndex(({ id }) => id > (query.get("after") ?? ""));
  const data = from < 0 ? [] : all.slice(from, from + limit);
  const after = data.at(-1)?.id;
  const more = after !== undefined && after !== all.at(-1)?.id;
  return { data, paging: { cursors: { after }, ...(more && { next: "https://graph.facebook.com/next" }) } };
}

/**
 * The platform's refusal of a message from a template; undefined for one that it sends. An account that keeps no template at all
 * takes every name, so that a script which does not care about templates need not make them.
 */
export function wrongTemplate({ templates }: WhatsApp, payload: Fields): GraphError | undefined {
  const { name, language, components } = payload.template as Fields;
  if ([...templates.values()].length === 0) return undefined;
  const code = (language as Fields).code as string;
  const template = templates.get(`${name} ${code}`);
  if (template?.status === "REJECTED") return graphError(132007);
  if (!template || template.status === "PENDING")
    return graphError(132001, `template name (${name}) does not exist in ${code}`);
  if (template.status === "PAUSED") return graphError(132015);
  if (template.status === "DISABLED") return graphError(132016);
  const given = (components ?? []) as Fields[];
  return wrongHeader(template, given) ?? wrongText(template, given, "body") ?? wrongButtons(template, given);
}

function wrongHeader(template: EmulatedTemplate, given: readonly Fields[]): GraphError | undefined {
  const format = String(partOf(template, "header")?.format ?? "TEXT").toLowerCase();
  if (format === "text") return wrongText(template, given, "header");
  const parameters = parametersOf(given, "header");
  if (parameters.length !== 1) return wrongCount("header", parameters.length, 1);
  if (parameters[0]!.type !== format)
    return graphError(132012, `header: format mismatch, expected ${format.toUpperCase()}`);
  return undefined;
}

function wrongText(
  template: EmulatedTemplate,
  given: readonly Fields[],
  part: string,
): GraphError | undefined {
  const text = textOf(template, part);
  const parameters = parametersOf(given, part);
  const names = [...new Set(Array.from(text.matchAll(VARIABLE), ([, name]) => name!))];
  if (parameters.length !== names.length) return wrongCount(part, parameters.length, names.length);
  if (parameters.some(({ type }) => type !== "text"))
    return graphError(132012, `${part}: format mismatch, expected TEXT`);
  if (names.some((name) => !/^\d+$/.test(name) && !parameters.some((one) => one.parameter_name === name)))
    return graphError(132000, `${part}: parameter name is missing or empty`);
  if (parameters.some((one) => /[\n\t]| {5}/.test(String(one.text))))
    return graphError(
      132018,
      "Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
    );
  const whole = parameters.reduce<string>(
    (filled, one) => filled.replace(/\{\{\s*\w+\s*\}\}/, () => String(one.text)),
    text,
  );
  return whole.length > (part === "header" ? 60 : HYDRATED) ? graphError(132005) : undefined;
}

/** A link with a variable, and a code, need their parameter. */
function wrongButtons(template: EmulatedTemplate, given: readonly Fields[]): GraphError | undefined {
  const buttons = (partOf(template, "buttons")?.buttons ?? []) as Fields[];
  const carried = given.filter(({ type }) => type === "button");
  const types = { url: "URL", quick_reply: "QUICK_REPLY", copy_code: "COPY_CODE" } as Record<string, string>;
  for (const { index, sub_type } of carried) {
    const button = buttons[Number(index)];
    if (!button || String(button.type).toUpperCase() !== types[String(sub_type)])
      return graphError(132012, `button: index ${index} is no ${sub_type}`);
  }
  const missing = buttons.findIndex(
    ({ type, url }, at) =>
      (String(type).toUpperCase() === "COPY_CODE" || /\{\{/.test(String(url ?? ""))) &&
      !carried.some(({ index }) => Number(index) === at),
  );
  return missing < 0 ? undefined : graphError(131008, `button: index ${missing} needs a parameter`);
}

function wrongCount(part: string, given: number, wanted: number): GraphError {
  return graphError(
    132000,
    `${part}: number of localizable_params (${given}) does not match the expected number of params (${wanted})`,
  );
}

function parametersOf(given: readonly Fields[], part: string): Fields[] {
  return (given.find(({ type }) => type === part)?.parameters ?? []) as Fields[];
}

/** The category of the template of a message, in lower case; utility for one that is not kept. */
export function categoryOf({ templates }: WhatsApp, payload: Fields): string {
  const { name, language } = payload.template as Fields;
  const { category = "UTILITY" } = templates.get(`${name} ${(language as Fields).code}`) ?? {};
  return category.toLowerCase();
}

function partOf({ components }: EmulatedTemplate, part: string): Fields | undefined {
  return components.find(({ type }) => String(type).toLowerCase() === part);
}

function textOf(template: EmulatedTemplate, part: string): string {
  const { text } = partOf(template, part) ?? {};
  return typeof text === "string" ? text : "";
}

/** Sends `message_template_status_update`. */
function tell(
  { deliveries, settings, accountId }: WhatsApp,
  template: EmulatedTemplate,
  event: string,
): void {
  if (!settings.webhookUrl) return;
  const value = {
    event,
    message_template_id: Number(template.id),
    message_template_name: template.name,
    message_template_language: template.language,
    reason: template.rejected_reason ?? "NONE",
  };
  const changes = [{ field: "message_template_status_update", value }];
  const time = Math.floor(Date.now() / 1000);
  const body = { object: "whatsapp_business_account", entry: [{ id: accountId, time, changes }] };
  void deliveries.deliver(JSON.stringify(body));
}

function oneOf(values: readonly string[], value: unknown): string {
  const found = values.find((one) => one === String(value).toUpperCase());
  return found ?? badControl(`${String(value)} is none of ${values.join(", ")}`);
}

function isNamed(components: readonly Fields[]): boolean {
  return components.some(({ text }) => typeof text === "string" && /\{\{\s*[a-z_]/.test(text));
}
