import type { Channel } from "../../core/channel.ts";
import type { Reply, ReplyOf } from "../../core/content/reply.ts";
import { type Template, variablesOf } from "../../core/content/template.ts";
import { HubError } from "../../core/errors.ts";
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

/** Checks one reply against the translations of its template. */
export function checkTemplate(reply: ReplyOf<"template">, found: readonly Template[]): void {
  const { name, language, header, body = [] } = reply;
  if (found.length === 0) throw refused("template_not_found", `there is no template ${name}`);
  const template = found.find((one) => one.language === language);
  if (!template)
    throw refused(
      "template_not_found",
      `template ${name} is in ${found.map((one) => one.language).join(", ")}, not in ${language}`,
    );
  if (template.status !== "APPROVED")
    throw refused("template_not_approved", `template ${name} in ${language} is ${template.status}`);
  const wanted = variablesOf(template);
  const given = { header: header === undefined ? 0 : 1, body: body.length };
  if (template.named)
    throw refused("template_parameters", `template ${name} has named variables: send it raw`);
  if (wanted.other.length > 0)
    throw refused(
      "template_parameters",
      `template ${name} has variables in ${wanted.other.join(", ")}: send it raw`,
    );
  for (const part of ["header", "body"] as const)
    if (wanted[part] !== given[part])
      throw refused(
        "template_parameters",
        `template ${name} has ${wanted[part]} variables in its ${part}, not ${given[part]}`,
      );
}

function refused(reason: string, message: string): HubError {
  return new HubError("unavailable", message, { reason });
}
