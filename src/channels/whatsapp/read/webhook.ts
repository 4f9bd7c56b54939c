import { z } from "zod";
import type { IgnoredReason, Inbound } from "../../../core/messages/message.ts";
import { fieldsIn } from "../fields.ts";
import type { Receiver } from "./account.ts";
import { readUserIdUpdate } from "./identity-change.ts";
import { ignored } from "./ignored.ts";
import { readEcho, readMessage } from "./message.ts";
import { readContacts } from "./person.ts";
import { readStatus } from "./status.ts";
import { readTemplate } from "./template.ts";

const OUR_PRODUCT = "whatsapp_business_account";
/** The id of the business account in samples from Meta's dashboard. */
const SAMPLE_ACCOUNT = "0";

/** The shop's phone number ids, from the settings. */
export interface Numbers {
  /** The hub sends from the first one. */
  readonly own: readonly string[];
  /**
   * Whether changes of other numbers are ignored. If not, their customers' messages are read and answered from there.
   */
  readonly isClosed: boolean;
}

const NUMBER_ID = /^[\w-]{1,64}$/;
const errorsSchema = z.array(z.object({ code: z.number() })).min(1);

/** The webhook fields to subscribe to, as `readField` reads them. */
export const WEBHOOK_FIELDS = ["messages", "smb_message_echoes", "user_id_update"] as const;

/** Fields whose changes do not come from a customer, each with the reason for ignoring it. */
const IGNORED_FIELDS: readonly [RegExp, IgnoredReason][] = [
  [/^calls$/, "call"],
  [/^history$/, "history"],
  [/^user_preferences$/, "preferences"],
  [/^group_/, "group"],
  [/^(account|business|message_template|partner|payment|phone_number|smb_app|template)_/, "account"],
  [/^(flows|security)$/, "account"],
];

/**
 * Reads all changes of all entries of a webhook, in their order. An item that cannot be read becomes one `ignored`, and
 * the others are read all the same. A change without a phone number id counts as one of the shop's first number.
 */
export function readWebhook(body: unknown, numbers: Numbers): Inbound[] {
  const webhook = fieldsIn(body);
  if (!webhook) return [ignored("unreadable", "webhook")];
  const { object, entry } = webhook;
  if (object !== undefined && object !== OUR_PRODUCT) return [ignored("foreign", object)];
  const entries = listOf(entry);
  if (entries.length === 0) return [ignored("unknown", "webhook")];
  return entries.flatMap((item) => {
    const { id, changes } = fieldsIn(item) ?? {};
    const found = listOf(changes);
    if (found.length === 0) return ignored("unknown", "entry");
    return found.flatMap(
      (change) => readTemplate(change, id) ?? readChange(change, numbers, id === SAMPLE_ACCOUNT),
    );
  });
}

function readChange(raw: unknown, { own, isClosed }: Numbers, isSample: boolean): Inbound[] {
  const { field, value: given } = fieldsIn(raw) ?? {};
  const value = fieldsIn(given);
  if (typeof field !== "string" || !value) return [ignored("unreadable", "change")];
  const number = fieldsIn(value.metadata)?.phone_number_id;
  const account = typeof number === "string" && NUMBER_ID.test(number) ? number : own[0]!;
  const isOurs = own.includes(account);
  if (isClosed && !isOurs) return [ignored("not_ours", field)];
  const receiver: Receiver = {
    account,
    isOurs,
    isSample,
    contacts: readContacts(listOf(value.contacts)),
  };
  const said = readField(field, value, receiver);
  if (said.length > 0) return said;
  const reason = IGNORED_FIELDS.find(([pattern]) => pattern.test(field))?.[1] ?? "unknown";
  return [ignored(reason, field)];
}

function readField(field: string, value: Readonly<Record<string, unknown>>, receiver: Receiver): Inbound[] {
  switch (field as (typeof WEBHOOK_FIELDS)[number]) {
    case "messages": {
      const said = [
        ...listOf(value.messages).map((message) => readMessage(message, receiver)),
        ...listOf(value.statuses).map((status) => readStatus(status, receiver)),
      ];
      if (said.length > 0) return said;
      const trouble = errorsSchema.safeParse(value.errors).data?.[0];
      return trouble ? [ignored("account", `error ${trouble.code}`)] : [];
    }
    case "smb_message_echoes":
      return listOf(value.message_echoes).map((echo) => readEcho(echo, receiver));
    case "user_id_update":
      return listOf(value.user_id_update).map((update) =>
        receiver.isOurs ? readUserIdUpdate(update) : ignored("not_ours", field),
      );
    default:
      return [];
  }
}

/** The list itself; a list of one for any other value; an empty list for undefined and null. */
function listOf(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}
