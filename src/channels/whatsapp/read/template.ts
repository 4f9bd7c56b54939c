import type { Inbound } from "../../../core/messages/message.ts";
import { fieldsIn, present, textIn } from "../fields.ts";
import { CHANNEL } from "./account.ts";

/** Changes of a template, by the webhook's field. */
const FIELDS = new Set([
  "message_template_status_update",
  "message_template_components_update",
  "message_template_quality_update",
  "template_category_update",
]);
/** Events that leave a template usable. */
const USABLE = new Set(["APPROVED", "REINSTATED", "UNPAUSED"]);

/**
 * A change of one of our templates; undefined for a change of something else, and for one that names no template. Only a
 * `message_template_status_update` says a status; the other fields say that the template is to be read again.
 */
export function readTemplate(change: unknown, account: unknown): Inbound | undefined {
  const { field, value } = fieldsIn(change) ?? {};
  if (typeof field !== "string" || !FIELDS.has(field) || typeof account !== "string") return undefined;
  const said = fieldsIn(value) ?? {};
  const name = textIn(said.message_template_name);
  const language = textIn(said.message_template_language);
  if (name === undefined || language === undefined) return undefined;
  const event = field === "message_template_status_update" ? textIn(said.event) : undefined;
  const reason = textIn(said.reason);
  return {
    type: "template",
    update: present({
      channel: CHANNEL,
      account,
      name,
      language: language.replace("-", "_"),
      status: event && (USABLE.has(event) ? "APPROVED" : event.slice(0, 64)),
      reason: reason === undefined || reason === "NONE" ? undefined : reason.slice(0, 200),
    }),
  };
}
