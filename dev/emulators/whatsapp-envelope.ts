import { randomBytes } from "node:crypto";
import type { Fields } from "./fields.ts";
import type { Customer } from "./whatsapp-customers.ts";
import type { WhatsApp } from "./whatsapp-state.ts";

const KINDS = [
  "text",
  "image",
  "video",
  "audio",
  "document",
  "sticker",
  "location",
  "contacts",
  "reaction",
  "interactive",
  "button",
  "order",
  "system",
  "edit",
  "revoke",
];

/** A message in the form of `value.messages`. `text` may be given as a plain string. */
export function inboundMessage(customer: Customer, fields: Fields, now: number): Fields {
  const type = fields.type ?? KINDS.find((kind) => fields[kind] !== undefined) ?? "unsupported";
  const text = typeof fields.text === "string" ? { body: fields.text } : fields.text;
  return {
    ...(customer.wa_id && { from: customer.wa_id }),
    ...(customer.user_id && { from_user_id: customer.user_id }),
    id: newId(customer.wa_id ?? customer.user_id ?? ""),
    timestamp: seconds(now),
    ...fields,
    ...(text !== undefined && { text }),
    type,
  };
}

/** The `value` of a change for one phone number: the configured one, unless another is named. */
export function messagesValue(
  whatsapp: WhatsApp,
  content: Fields,
  phoneNumberId = whatsapp.phoneNumberId,
): Fields {
  const metadata = { display_phone_number: whatsapp.displayPhoneNumber, phone_number_id: phoneNumberId };
  return { messaging_product: "whatsapp", metadata, ...content };
}

/** The body of one webhook with these changes. */
export function envelope(whatsapp: WhatsApp, values: readonly Fields[]): string {
  const changes = values.map((value) => ({ value, field: "messages" }));
  return JSON.stringify({
    object: "whatsapp_business_account",
    entry: [{ id: whatsapp.accountId, changes }],
  });
}

export function contactOf({ name, username, wa_id, user_id }: Customer): Fields {
  return {
    profile: { name, ...(username && { username }) },
    ...(wa_id && { wa_id }),
    ...(user_id && { user_id }),
  };
}

/** The body of a webhook with the status of one sent message. A `failed` one has no contacts. */
export function statusBody(
  whatsapp: WhatsApp,
  customer: Customer,
  message: { readonly id: string; readonly tracker?: unknown },
  status: string,
  extra: Fields = {
    pricing: { billable: false, pricing_model: "PMP", category: "service", type: "free_customer_service" },
  },
): string {
  const entry = {
    id: message.id,
    status,
    timestamp: seconds(whatsapp.now()),
    ...(customer.wa_id && { recipient_id: customer.wa_id }),
    ...(customer.user_id && { recipient_user_id: customer.user_id }),
    ...(message.tracker !== undefined && { biz_opaque_callback_data: message.tracker }),
    ...extra,
  };
  const contacts = status === "failed" ? {} : { contacts: [contactOf(customer)] };
  return envelope(whatsapp, [messagesValue(whatsapp, { ...contacts, statuses: [entry] })]);
}

/** A new wamid in the platform's form: unique, with the customer's number inside. */
export function newId(customer: string): string {
  return `wamid.${Buffer.concat([Buffer.from(`\x1d\x04${customer}`), randomBytes(16)]).toString("base64")}`;
}

function seconds(now: number): string {
  return String(Math.floor(now / 1000));
}
