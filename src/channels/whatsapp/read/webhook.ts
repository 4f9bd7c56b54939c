import { z } from "zod";
import type { IgnoredReason, Inbound } from "../../../core/messages/message.ts";
import { anything } from "../fields.ts";
import type { Line } from "./account.ts";
import { readUserIdUpdate } from "./identity-change.ts";
import { ignored } from "./ignored.ts";
import { readEcho, readMessage } from "./message.ts";
import { readContacts } from "./person.ts";
import { readStatus } from "./status.ts";

const OUR_PRODUCT = "whatsapp_business_account";

const webhookSchema = z.object({ object: anything, entry: anything });
const entrySchema = z.object({ changes: anything });
const changeSchema = z.object({ field: z.string(), value: z.record(z.string(), z.unknown()) });
const metadataSchema = z.object({ phone_number_id: z.string().regex(/^[\w-]{1,64}$/) });
const errorsSchema = z.array(z.object({ code: z.number() })).min(1);

/** Fields with news that is not from a customer, and why each is let go. */
const NOT_FOR_US: readonly [RegExp, IgnoredReason][] = [
  [/^calls$/, "call"],
  [/^history$/, "history"],
  [/^user_preferences$/, "preferences"],
  [/^group_/, "group"],
  [/^(account|business|message_template|partner|payment|phone_number|smb_app|template)_/, "account"],
  [/^(flows|security)$/, "account"],
];

/**
 * Everything a webhook says: all messages and statuses of all changes of all entries, in their order. What it cannot
 * read becomes one `ignored` and costs its neighbours nothing. A change without a phone number id is taken to be about
 * `ownNumber`.
 */
export function readWebhook(body: unknown, ownNumber: string): Inbound[] {
  const webhook = webhookSchema.safeParse(body).data;
  if (!webhook) return [ignored("unreadable", "webhook")];
  const { object, entry } = webhook;
  if (object !== undefined && object !== OUR_PRODUCT) return [ignored("foreign", object)];
  const changes = listOf(entry).flatMap((item) => {
    const found = listOf(entrySchema.safeParse(item).data?.changes);
    return found.length > 0 ? found : [undefined];
  });
  if (changes.length === 0) return [ignored("unknown", "webhook")];
  return changes.flatMap((change) =>
    change === undefined ? ignored("unknown", "entry") : readChange(change, ownNumber),
  );
}

function readChange(raw: unknown, ownNumber: string): Inbound[] {
  const change = changeSchema.safeParse(raw).data;
  if (!change) return [ignored("unreadable", "change")];
  const { field, value } = change;
  const line: Line = {
    account: metadataSchema.safeParse(value.metadata).data?.phone_number_id ?? ownNumber,
    contacts: readContacts(listOf(value.contacts)),
  };
  const said = readField(field, value, line);
  if (said.length > 0) return said;
  const reason = NOT_FOR_US.find(([pattern]) => pattern.test(field))?.[1] ?? "unknown";
  return [ignored(reason, field)];
}

function readField(field: string, value: Record<string, unknown>, line: Line): Inbound[] {
  switch (field) {
    case "messages": {
      const said = [
        ...listOf(value.messages).map((message) => readMessage(message, line)),
        ...listOf(value.statuses).map((status) => readStatus(status, line)),
      ];
      const trouble = errorsSchema.safeParse(value.errors).data?.[0];
      return said.length === 0 && trouble ? [ignored("account", `error ${trouble.code}`)] : said;
    }
    case "smb_message_echoes":
      return listOf(value.message_echoes).map((echo) => readEcho(echo, line));
    case "user_id_update":
      return listOf(value.user_id_update).map(readUserIdUpdate);
    default:
      return [];
  }
}

/** A list as it is, one thing as a list of one, nothing as an empty list. */
function listOf(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}
