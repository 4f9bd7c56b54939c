import type { Channel } from "../../core/channel.ts";
import type { Reply, ReplyOf } from "../../core/content/reply.ts";
import { type Template, variablesOf } from "../../core/content/template.ts";
import { HubError, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";

/**
 * Checks the templates among replies before anything is saved. Throws `unavailable` with the reason `template_not_found`,
 * `template_not_approved` or `template_parameters`, so that the bot can change its answer. Templates that were never read from
 * the platform are not checked.
 */
export async function checkTemplates(
  hub: Hub,
  name: string,
  channel: Channel,
  replies: readonly Reply[],
): Promise<void> {
  const templates = hub.store.features?.templates;
  const account = channel.templates?.account;
  if (!templates || account === undefined) return;
  for (const reply of replies) {
    if (reply.kind !== "template" || reply.raw?.[name]) continue;
    const { templates: found, synced } = await templates.find({ channel: name, account, name: reply.name });
    if (synced) checkTemplate(reply, found);
  }
}

/**
 * Checks the settings' template before it is sent in place of a reply with its text as the one variable. Throws `rejected` with the
 * reasons of `checkTemplates`: a later attempt would send the same.
 */
export async function checkApproved(
  hub: Hub,
  name: string,
  channel: Channel,
  template: { readonly name: string; readonly language: string },
): Promise<void> {
  try {
    await checkTemplates(hub, name, channel, [{ kind: "template", ...template, body: ["text"] }]);
  } catch (thrown) {
    const { code, message, reason = "" } = toHubError(thrown);
    const isRefused = code === "unavailable" && reason.startsWith("template_");
    throw isRefused ? new HubError("rejected", message, { reason }) : thrown;
  }
}

/** Checks one reply against the translations of its template. */
export function checkTemplate(reply: ReplyOf<"template">, found: readonly Template[]): void {
  const { name, language } = reply;
  if (found.length === 0) throw refused("template_not_found", `there is no template ${name}`);
  const template = found.find((one) => one.language === language);
  if (!template)
    throw refused(
      "template_not_found",
      `template ${name} is in ${found.map((one) => one.language).join(", ")}, not in ${language}`,
    );
  if (template.status !== "APPROVED")
    throw refused("template_not_approved", `template ${name} in ${language} is ${template.status}`);
  checkVariables(reply, template);
}

function checkVariables(reply: ReplyOf<"template">, template: Template): void {
  const { name, header, header_media, body = [], buttons = [] } = reply;
  const wanted = variablesOf(template);
  const wrong = (what: string) => refused("template_parameters", `template ${name} ${what}`);
  if (wanted.other.length > 0) throw wrong(`has variables in ${wanted.other.join(", ")}: send it raw`);
  const given = { header: typeof header === "string" ? [header] : (header ?? []), body };
  for (const part of ["header", "body"] as const) {
    const values = given[part];
    const count = Array.isArray(values) ? values.length : Object.keys(values).length;
    if (wanted[part].length !== count)
      throw wrong(`has ${wanted[part].length} variables in its ${part}, not ${count}`);
    if (count > 0 && (template.named ?? false) === Array.isArray(values))
      throw wrong(
        template.named ? `has named variables in its ${part}` : `has variables without names in its ${part}`,
      );
    if (!Array.isArray(values) && wanted[part].some((one) => !Object.hasOwn(values, one)))
      throw wrong(`has the variables ${wanted[part].join(", ")} in its ${part}`);
  }
  if (wanted.header_media !== header_media?.kind)
    throw wrong(
      `has ${wanted.header_media ?? "no file"} in its header, not ${header_media?.kind ?? "nothing"}`,
    );
  for (const button of buttons) {
    const carried = "url" in button ? "url" : "id" in button ? "id" : "code";
    if (wanted.buttons[button.at] !== carried)
      throw wrong(`has no button ${button.at} that carries ${carried}`);
  }
  for (const [at, carried] of wanted.buttons.entries())
    if ((carried === "url" || carried === "code") && !buttons.some((button) => button.at === at))
      throw wrong(`needs the ${carried} of its button ${at}`);
}

function refused(reason: string, message: string): HubError {
  return new HubError("unavailable", message, { reason });
}
