import type { Fields } from "./fields.ts";
import { type Customer, digits } from "./whatsapp-customers.ts";
import { newId, statusBody } from "./whatsapp-envelope.ts";
import { type GraphAnswer, graphError, statusError } from "./whatsapp-error.ts";
import { knowsMedia } from "./whatsapp-media.ts";
import { checkPayload } from "./whatsapp-payload.ts";
import { wrongInMessage } from "./whatsapp-schema.ts";
import type { WhatsApp } from "./whatsapp-state.ts";
import { categoryOf, wrongTemplate } from "./whatsapp-templates.ts";

const WINDOW_MS = 24 * 3_600_000;

/**
 * Answers `POST /<phone number id>/messages`.
 * https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
 */
export function postMessage(whatsapp: WhatsApp, payload: Fields, cut: boolean): GraphAnswer {
  const wrong = checkPayload(payload);
  if (wrong) return wrong;
  const invalid = payload.status === undefined ? wrongInMessage(payload) : undefined;
  if (invalid) return graphError(131009, invalid);
  return payload.status === undefined ? send(whatsapp, payload, cut) : markRead(whatsapp, payload, cut);
}

/** The name of a call in faults and `/_sent`: the message type, `read` or `typing`. */
export function kindOf(payload: Fields): string {
  if (payload.status === undefined) return String(payload.type ?? "text");
  return payload.typing_indicator === undefined ? "read" : "typing";
}

function send(whatsapp: WhatsApp, payload: Fields, cut: boolean): GraphAnswer {
  const { settings, customers, sent } = whatsapp;
  const input = String(payload.to || payload.recipient);
  const known = customers.find(input);
  const type = kindOf(payload);
  const direct = payload.category === "utility" && settings.directSend;
  const closed = type !== "template" && !direct && settings.strict && !isOpen(known, whatsapp.now());
  if (closed && settings.windowErrors === "answer") return graphError(131047);
  const wrong = type === "template" ? wrongTemplate(whatsapp, payload) : undefined;
  if (wrong) return wrong;
  const file = (payload[type] as Fields | undefined)?.id;
  if (file !== undefined && !knowsMedia(whatsapp, String(file)))
    return graphError(131009, "Media id is not valid");
  const tooFast = whatsapp.pace(input);
  if (tooFast) return tooFast;

  const customer = known ?? customers.meet(payload.to ? { from: input } : { user_id: input });
  const id = newId(input);
  customer.lastSent = id;
  customers.save(customer);
  const chat_id = payload.to ? (customer.wa_id ?? digits(input)) : input;
  sent.add({
    ...payload,
    method: type,
    chat_id,
    message_id: id,
    text: textOf(payload, type),
    ...(cut && { cut }),
  } as Fields & { method: string });
  const message = { id, tracker: payload.biz_opaque_callback_data };
  const refusal = closed ? 131047 : refusalOf(whatsapp, customer, payload);
  if (refusal) report(whatsapp, customer, message, ["failed"], { errors: [statusError(refusal)] });
  else if (settings.statuses) report(whatsapp, customer, message, ["sent", "delivered"]);
  const contact = payload.to ? { input, wa_id: chat_id } : { input, user_id: input };
  return { status: 200, body: { messaging_product: "whatsapp", contacts: [contact], messages: [{ id }] } };
}

function isOpen(customer: Customer | undefined, now: number): boolean {
  return customer !== undefined && now - customer.lastAt < WINDOW_MS;
}

/** The error of a message that the platform takes and does not deliver. 130472 concerns marketing templates only. */
function refusalOf(whatsapp: WhatsApp, { refuses }: Customer, payload: Fields): number | undefined {
  if (refuses !== 130472) return refuses;
  return kindOf(payload) === "template" && categoryOf(whatsapp, payload) === "marketing"
    ? refuses
    : undefined;
}

function markRead({ received, settings, sent }: WhatsApp, payload: Fields, cut: boolean): GraphAnswer {
  const id = String(payload.message_id);
  if (settings.strict && !received.has(id)) return graphError(100, `Message id ${id} does not exist`);
  const chat_id = received.get(id);
  sent.add({
    ...payload,
    method: kindOf(payload),
    ...(chat_id && { chat_id }),
    message_id: id,
    ...(cut && { cut }),
  });
  return { status: 200, body: { success: true } };
}

/** Sends the statuses in order, each in a webhook of its own. They may reach the hub before the answer does. */
function report(
  whatsapp: WhatsApp,
  customer: Customer,
  message: { id: string; tracker?: unknown },
  statuses: readonly string[],
  extra?: Fields,
): void {
  if (!whatsapp.settings.webhookUrl) return;
  statuses.forEach((status, index) => {
    const body = statusBody(whatsapp, customer, message, status, extra);
    void whatsapp.deliveries.deliver(body, { afterMs: index * whatsapp.settings.statusDelayMs });
  });
}

function textOf(payload: Fields, type: string): string | undefined {
  const part = payload[type] as Record<string, unknown>;
  const text = part.body ?? part.caption ?? part.emoji ?? part.name;
  if (type === "interactive") return String((part.body as Fields | undefined)?.text ?? "");
  return text === undefined ? undefined : String(text);
}
