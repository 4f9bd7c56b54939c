import type { Hono } from "hono";
import { badControl, readFields } from "./control.ts";
import { type Fields, fieldsIn } from "./fields.ts";
import type { Outcome } from "./post.ts";
import type { OnNode } from "./server.ts";
import type { Customer } from "./whatsapp-customers.ts";
import { contactOf, envelope, inboundMessage, messagesValue, statusBody } from "./whatsapp-envelope.ts";
import { statusError } from "./whatsapp-error.ts";
import { learnMedia } from "./whatsapp-media.ts";
import type { WhatsApp } from "./whatsapp-state.ts";

export const customerRoutes: Record<string, string> = {
  "POST /_customer/message":
    "{from? (digits), user_id?, name?, username?, phone_number_id?, text | image | ...} -> {message_id, status, error?}; status is the first delivery's, 0 without an answer",
  "POST /_customer/batch": "{messages: [as above, ...]} in one webhook -> {message_ids, status, error?}",
  "POST /_customer/read":
    "{message_id? or from? or user_id?} the newest sent there -> {message_id, status, error?}",
  "POST /_customer/status": "as read, with {status: sent|delivered|read|played|failed, code?} -> as read",
  "POST /_customer/silence": "{from? or user_id?, hours: 25} moves the last message back -> {last_at}",
  "POST /_customer/refuse":
    "{from? or user_id?, code: 131026 | 130472 | ...} later messages there fail with it, after a success; 130472 fails marketing templates; without code they arrive again -> {code}",
  "POST /_customer/webhook": "any bytes, signed and delivered as they are -> {status, error?}",
};

/** Mounts the routes with which a script plays the business's customers. */
export function mountCustomer(app: Hono<OnNode>, whatsapp: WhatsApp): void {
  const { customers, deliveries } = whatsapp;

  app.post("/_customer/message", async (c) => {
    const { message, value } = write(whatsapp, await readFields(c));
    const outcome = await deliveries.deliver(envelope(whatsapp, [value]));
    return c.json({ message_id: message.id, ...answer(outcome) });
  });

  app.post("/_customer/batch", async (c) => {
    const { messages } = await readFields(c);
    if (!Array.isArray(messages) || messages.length === 0) badControl("messages is not a list");
    const written = (messages as Fields[]).map((fields) => write(whatsapp, fields));
    const outcome = await deliveries.deliver(envelope(whatsapp, gather(written.map(({ value }) => value))));
    return c.json({ message_ids: written.map(({ message }) => message.id), ...answer(outcome) });
  });

  app.post("/_customer/read", async (c) =>
    c.json(await report(whatsapp, { ...(await readFields(c)), status: "read" })),
  );
  app.post("/_customer/status", async (c) => c.json(await report(whatsapp, await readFields(c))));

  app.post("/_customer/silence", async (c) => {
    const { hours = 25, ...fields } = await readFields(c);
    const customer = customers.meet(named(fields));
    customer.lastAt = whatsapp.now() - Number(hours) * 3_600_000;
    customers.save(customer);
    return c.json({ last_at: customer.lastAt });
  });

  app.post("/_customer/refuse", async (c) => {
    const { code, ...fields } = await readFields(c);
    const customer = customers.meet(named(fields));
    customer.refuses = code === undefined ? undefined : Number(code);
    customers.save(customer);
    return c.json({ code: customer.refuses ?? null });
  });

  app.post("/_customer/webhook", async (c) => {
    const bytes = new Uint8Array(await c.req.arrayBuffer());
    learn(whatsapp, bytes);
    return c.json(answer(await deliveries.deliver(bytes)));
  });
}

function named(fields: Fields): Fields {
  if (!fields.from && !fields.user_id) badControl("from or user_id is missing");
  return fields;
}

function write(whatsapp: WhatsApp, fields: Fields): { message: Fields; value: Fields } {
  const { from, user_id, name, username, phone_number_id, ...rest } = named(fields);
  const customer = whatsapp.customers.meet({ from, user_id, name, username });
  const message = inboundMessage(customer, rest, whatsapp.now());
  hear(whatsapp, customer, message);
  const content = { contacts: [contactOf(customer)], messages: [message] };
  return { message, value: messagesValue(whatsapp, content, phone_number_id as string | undefined) };
}

function hear(whatsapp: WhatsApp, customer: Customer, message: Fields): void {
  customer.lastAt = whatsapp.now();
  whatsapp.customers.save(customer);
  whatsapp.received.set(String(message.id), customer.wa_id ?? customer.user_id ?? "");
  learnMedia(whatsapp, message);
}

/** One `value` for each phone number, with the contacts and messages of all its customers. */
function gather(values: readonly Fields[]): Fields[] {
  const groups = Map.groupBy(values, ({ metadata }) => (metadata as Fields).phone_number_id);
  return [...groups.values()].map((group) => {
    const contacts = new Map(
      group.flatMap((value) => value.contacts as Fields[]).map((each) => [JSON.stringify(each), each]),
    );
    return {
      ...group[0],
      contacts: [...contacts.values()],
      messages: group.flatMap((value) => value.messages),
    };
  });
}

async function report(whatsapp: WhatsApp, fields: Fields): Promise<Fields> {
  const { sent, customers, deliveries } = whatsapp;
  const known = sent.list({ after: 0 }).findLast((entry) => entry.message_id === fields.message_id);
  const key = known?.chat_id ?? fields.from ?? fields.user_id;
  const customer = key === undefined ? undefined : customers.find(String(key));
  const id = fields.message_id ?? customer?.lastSent;
  if (!customer || !id) badControl("nothing was sent there");
  const status = String(fields.status);
  const failure = { errors: [statusError(Number(fields.code ?? 131026))] };
  const message = { id: String(id), tracker: known?.biz_opaque_callback_data };
  const body = statusBody(whatsapp, customer, message, status, status === "failed" ? failure : undefined);
  return { message_id: id, ...answer(await deliveries.deliver(body)) };
}

function answer({ status, error }: Outcome): Fields {
  return { status, ...(error && { error }) };
}

/** Opens the 24 h window of each sender in a raw webhook. A webhook that cannot be read is delivered all the same. */
function learn(whatsapp: WhatsApp, bytes: Uint8Array): void {
  let body: Fields | null;
  try {
    body = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return; // broken JSON names no sender
  }
  const changes = fieldsIn(body?.entry).flatMap(({ changes }) => fieldsIn(changes));
  for (const message of changes.flatMap(({ value }) => fieldsIn((value as Fields | null)?.messages))) {
    const { from, from_user_id: user_id } = message;
    if (from || user_id) hear(whatsapp, whatsapp.customers.meet({ from, user_id }), message);
  }
}
