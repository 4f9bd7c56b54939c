import { createHmac } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Emulator } from "../../dev/emulators/server.ts";
import { startWhatsAppEmulator, type WhatsAppOptions } from "../../dev/emulators/whatsapp.ts";
import { answer, type Hub, quick, scriptOf, startHub } from "../support/emulators.ts";

let hub: Hub;
let emulator: Emulator;
const { post, get } = scriptOf(() => emulator);

beforeEach(async () => {
  hub = await startHub();
});

afterEach(async () => {
  await emulator?.stop();
  await hub.stop();
});

const OURS = "106540352242922";
const CUSTOMER = "447700900123";
const text = (body: string, to: unknown = CUSTOMER) => ({
  messaging_product: "whatsapp",
  to,
  type: "text",
  text: { body },
});

function buttons(...titles: string[]) {
  const replies = titles.map((title, i) => ({ type: "reply", reply: { id: `${i}`, title } }));
  const interactive = { type: "button", body: { text: "?" }, action: { buttons: replies } };
  return { type: "interactive", interactive };
}

async function start(options: Partial<WhatsAppOptions> = {}): Promise<void> {
  emulator = await startWhatsAppEmulator({
    port: 0,
    accessToken: "token",
    appSecret: "app-secret",
    verifyToken: "verify",
    phoneNumberId: OURS,
    webhookUrl: hub.url,
    delivery: quick,
    statuses: false,
    ...options,
  });
}

function send(payload: unknown, token = "token", path = `/v25.0/${OURS}/messages`): Promise<[number, any]> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return answer(fetch(emulator.url + path, { method: "POST", headers, body: JSON.stringify(payload) }));
}

test("webhooks are signed over their exact bytes, and repeated unless the answer is 200", async () => {
  await start();
  hub.statuses.push(202);
  const sent = await post("/_customer/message", {
    from: CUSTOMER,
    name: "Zoë",
    user_id: "GB.1a2b",
    text: "hé",
  });
  expect(sent.status).toBe(202);
  const raw = '{"object":"whatsapp_business_account",\n "entry":[ ] , "é":"\\u00e9"}';
  expect(await answer(fetch(`${emulator.url}/_customer/webhook`, { method: "POST", body: raw }))).toEqual([
    200,
    { status: 200 },
  ]);
  const webhooks = await hub.until(3);
  for (const { body, headers } of webhooks) {
    const expected = createHmac("sha256", "app-secret").update(body).digest("hex");
    expect(headers["x-hub-signature-256"]).toBe(`sha256=${expected}`);
  }
  expect(webhooks.map(({ body }) => body)).toContain(raw);
  expect(webhooks[0]?.json).toEqual({
    object: "whatsapp_business_account",
    entry: [
      {
        id: expect.any(String),
        changes: [
          {
            field: "messages",
            value: {
              messaging_product: "whatsapp",
              metadata: { display_phone_number: "15550001111", phone_number_id: OURS },
              contacts: [{ profile: { name: "Zoë" }, wa_id: CUSTOMER, user_id: "GB.1a2b" }],
              messages: [
                {
                  from: CUSTOMER,
                  from_user_id: "GB.1a2b",
                  id: sent.message_id,
                  timestamp: expect.stringMatching(/^\d{10}$/),
                  type: "text",
                  text: { body: "hé" },
                },
              ],
            },
          },
        ],
      },
    ],
  });
});

test("a batch carries several customers in one webhook, and one of them has no phone", async () => {
  await start();
  const messages = [
    { from: CUSTOMER, text: "a" },
    { user_id: "IN.ab12", username: "ann", text: "b" },
    { from: CUSTOMER, text: "c" },
  ];
  const { message_ids } = await post("/_customer/batch", { messages });
  const value = hub.webhooks.at(-1)?.json.entry[0].changes[0].value;
  expect(value.messages.map(({ id }: any) => id)).toEqual(message_ids);
  expect(value.contacts).toHaveLength(2);
  expect(value.messages[1].from).toBeUndefined();
  expect(
    await send({ messaging_product: "whatsapp", recipient: "IN.ab12", type: "text", text: { body: "hi" } }),
  ).toMatchObject([200, { contacts: [{ input: "IN.ab12", user_id: "IN.ab12" }] }]);
});

test("the handshake expects its challenge back", async () => {
  await start();
  expect(await post("/_subscribe", {})).toMatchObject({ ok: true, status: 200 });
  expect(await post("/_subscribe", { verify_token: "wrong" })).toMatchObject({ ok: false, status: 403 });
  expect(await get("/_subscribe")).toMatchObject({ ok: false, status: 403 });
  const url = `${hub.url}?echo=something-else`;
  expect(await post("/_subscribe", { url })).toMatchObject({ ok: false, status: 200 });
});

test("a message is accepted within the window, and its statuses follow", async () => {
  await start({ statuses: true });
  await post("/_customer/message", { from: CUSTOMER, text: "hello" });
  const [status, body] = await send({ ...text("hi", `+${CUSTOMER}`), biz_opaque_callback_data: "d1" });
  const [{ id }] = body.messages;
  expect([status, body]).toEqual([
    200,
    {
      messaging_product: "whatsapp",
      contacts: [{ input: `+${CUSTOMER}`, wa_id: CUSTOMER }],
      messages: [{ id: expect.stringMatching(/^wamid\./) }],
    },
  ]);
  expect(await get(`/_sent?chat_id=${CUSTOMER}`)).toMatchObject({
    sent: [{ n: 1, method: "text", message_id: id, text: "hi", chat_id: CUSTOMER }],
  });
  await hub.until(3);
  await post("/_customer/read", { from: CUSTOMER });
  await post("/_customer/status", { message_id: id, status: "failed", code: 131026 });
  const statuses = (await hub.until(5))
    .slice(1)
    .map(({ json }) => json.entry[0].changes[0].value.statuses[0]);
  expect(statuses.map((each) => each.status)).toEqual(["sent", "delivered", "read", "failed"]);
  expect(statuses[0]).toMatchObject({ id, recipient_id: CUSTOMER, biz_opaque_callback_data: "d1" });
  expect(statuses[3].errors[0].code).toBe(131026);
});

test.for([
  [
    "no messaging_product",
    { messaging_product: undefined },
    100,
    "The parameter messaging_product is required.",
  ],
  ["no recipient", { to: null }, 100, "The parameter to is required."],
  ["no body", { text: {} }, 100, "The parameter text['body'] is required."],
  [
    "4097 characters",
    text("x".repeat(4097)),
    100,
    "Param text['body'] must be at most 4096 characters long.",
  ],
  ["an unknown type", { type: "hologram" }, 131051, "Unsupported message type"],
  ["no part of the type", { type: "image" }, 100, "The parameter image is required."],
  ["an image from nowhere", { type: "image", image: {} }, 131008, "Required parameter is missing"],
  ["21 characters on a button", buttons("x".repeat(21)), 131009, "Parameter value is not valid"],
  ["four buttons", buttons("a", "b", "c", "d"), 131009, "Parameter value is not valid"],
  ["a stranger", { to: "447700900999" }, 131047, "Re-engagement message"],
] as const)("refuses %s with the platform's error", async ([, payload, code, words]) => {
  await start();
  await post("/_customer/message", { from: CUSTOMER, text: "hello" });
  const [status, body] = await send({ ...text("x"), ...payload });
  const message = `(#${code}) ${words}`;
  expect([status, body]).toMatchObject([400, { error: { message, type: "OAuthException", code } }]);
  expect((await get("/_sent")).sent).toEqual([]);
});

test("limits count characters, not UTF-16 units", async () => {
  await start({ strict: false });
  expect((await send(text("😀".repeat(4096))))[0]).toBe(200);
  expect((await send({ ...text("x"), ...buttons("😀".repeat(20)) }))[0]).toBe(200);
});

test("wrong tokens, numbers and versions are refused", async () => {
  await start();
  expect(await send(text("x"), "wrong")).toMatchObject([
    401,
    { error: { type: "OAuthException", code: 190 } },
  ]);
  expect(await send(text("x"), "token", "/v25.0/1/messages")).toMatchObject([
    400,
    { error: { code: 100, error_subcode: 33 } },
  ]);
  expect(await send(text("x"), "token", `/v1.0/${OURS}/messages`)).toMatchObject([
    404,
    { error: { code: 803 } },
  ]);
  expect(await answer(fetch(`${emulator.url}/nowhere`))).toMatchObject([404, { error: { code: 803 } }]);
});

test("24 hours after the customer's last message only a template is sent, and the error can come as a status", async () => {
  await start();
  await post("/_customer/silence", { from: CUSTOMER });
  expect(await send(text("x"))).toMatchObject([
    400,
    { error: { code: 131047, error_data: { messaging_product: "whatsapp" } } },
  ]);
  const template = { name: "hello", language: { code: "en" } };
  expect((await send({ ...text("x"), type: "template", template }))[0]).toBe(200);
  await post("/_settings", { windowErrors: "status" });
  expect((await send(text("x")))[0]).toBe(200);
  const status = (await hub.until(1)).at(-1)?.json.entry[0].changes[0].value.statuses[0];
  expect(status).toMatchObject({ status: "failed", errors: [{ code: 131047 }] });
});

test("with limits on, one customer gets 45 messages at once and all customers together 80", async () => {
  await start({ strict: false, limits: true });
  for (let i = 0; i < 45; i++) await send(text(`${i}`));
  expect(await send(text("x"))).toMatchObject([400, { error: { code: 131056 } }]);
  const others = Array.from({ length: 600 }, (_, i) => `44770091${1000 + i}`);
  const answers = await Promise.all(others.map((to) => send(text("x", to))));
  expect(answers.find(([status]) => status === 429)?.[1].error.code).toBe(130429);
});

test("a message is marked read, with typing, and its media downloaded with the bearer", async () => {
  await start();
  const image = { id: "137524587935346", mime_type: "image/jpeg" };
  const { message_id } = await post("/_customer/message", { from: CUSTOMER, image });
  const read = {
    messaging_product: "whatsapp",
    status: "read",
    message_id,
    typing_indicator: { type: "text" },
  };
  expect(await send(read)).toEqual([200, { success: true }]);
  expect((await send({ ...read, message_id: "wamid.unknown" }))[0]).toBe(400);
  expect((await get("/_sent")).sent).toMatchObject([{ method: "typing", chat_id: CUSTOMER, message_id }]);
  const headers = { authorization: "Bearer token" };
  const [, media] = await answer(fetch(`${emulator.url}/v25.0/${image.id}`, { headers }));
  expect(media).toMatchObject({ id: image.id, mime_type: "image/jpeg", messaging_product: "whatsapp" });
  expect((await fetch(media.url)).status).toBe(401);
  expect((await (await fetch(media.url, { headers })).arrayBuffer()).byteLength).toBe(media.file_size);
});

test("faults answer with the platform's errors, and the answer to an accepted message can be lost", async () => {
  await start({ strict: false });
  await post("/_faults", { kind: "status", code: 131048, method: "text", chat_id: CUSTOMER });
  expect(await send(text("x"))).toMatchObject([400, { error: { code: 131048 } }]);
  await post("/_faults", { kind: "status", status: 503 });
  expect(await send(text("x"))).toMatchObject([503, { error: { code: 2 } }]);
  await post("/_faults", { kind: "accept-then-cut" });
  await expect(send(text("accepted"))).rejects.toThrow();
  expect((await get("/_sent")).sent).toMatchObject([{ text: "accepted", cut: true }]);
});

const waba = "102290129340398";
const byTemplate = (components: object[] = [], over: object = {}) => ({
  ...text("x"),
  type: "template",
  template: { name: "shipped", language: { code: "en_US" }, components, ...over },
});
const body = (...texts: string[]) => ({
  type: "body",
  parameters: texts.map((each) => ({ type: "text", text: each })),
});

test("templates are kept, listed page by page, and their changes reach the webhook", async () => {
  await start();
  const { id } = await post("/_templates", { name: "shipped", body: "It comes on {{1}}." });
  for (let i = 0; i < 30; i++) await post("/_templates", { name: `other_${i}`, body: "Hi" });
  const list = (query: string) =>
    answer(
      fetch(`${emulator.url}/v25.0/${waba}/message_templates?${query}`, {
        headers: { authorization: "Bearer token" },
      }),
    );
  const [status, first] = await list("limit=25");
  expect([status, first.data.length, first.paging.next !== undefined]).toEqual([200, 25, true]);
  const [, second] = await list(`limit=25&after=${first.paging.cursors.after}`);
  expect([second.data.length, second.paging.next]).toEqual([6, undefined]);
  expect([...first.data, ...second.data].find((one: any) => one.id === id)).toMatchObject({
    name: "shipped",
    language: "en_US",
    status: "APPROVED",
    category: "UTILITY",
  });
  expect((await answer(fetch(`${emulator.url}/v25.0/${waba}/message_templates`)))[0]).toBe(401);
  await post("/_templates", { name: "shipped", status: "PAUSED", reason: "LOW_QUALITY" });
  const change = (await hub.until(1)).at(-1)?.json.entry[0];
  expect(change).toMatchObject({
    id: waba,
    changes: [
      {
        field: "message_template_status_update",
        value: { event: "PAUSED", message_template_name: "shipped", reason: "LOW_QUALITY" },
      },
    ],
  });
});

test.for<[string, object, object, number]>([
  ["another name", {}, byTemplate([body("a")], { name: "nothing" }), 132001],
  ["another language", {}, byTemplate([body("a")], { language: { code: "de" } }), 132001],
  ["a refused template", { status: "REJECTED" }, byTemplate([body("a")]), 132007],
  ["too few parameters", {}, byTemplate(), 132000],
  ["too many parameters", {}, byTemplate([body("a", "b")]), 132000],
  [
    "a parameter of another type",
    {},
    byTemplate([{ type: "body", parameters: [{ type: "currency" }] }]),
    132012,
  ],
  ["a line break in a parameter", {}, byTemplate([body("a\nb")]), 132018],
  ["a text that is too long in all", {}, byTemplate([body("x".repeat(1020))]), 132005],
  ["a paused template", { status: "PAUSED" }, byTemplate([body("a")]), 132015],
  ["a disabled template", { status: "DISABLED" }, byTemplate([body("a")]), 132016],
])("refuses %s with the platform's error", async ([, over, payload, code]) => {
  await start();
  await post("/_templates", { name: "shipped", body: "It comes on {{1}}.", ...over });
  expect(await send(payload)).toMatchObject([code === 132001 ? 404 : 400, { error: { code } }]);
  expect((await get("/_sent")).sent).toEqual([]);
  await post("/_templates", { name: "shipped", status: "APPROVED" });
  expect((await send(byTemplate([body("Monday")])))[0]).toBe(200);
});

test("a person who cannot be reached, or takes part in an experiment, gets nothing after a success", async () => {
  await start();
  await post("/_templates", { name: "shipped", body: "Hi", category: "MARKETING" });
  await post("/_customer/message", { from: CUSTOMER, text: "hello" });
  const codeOf = async (count: number) =>
    (await hub.until(count)).at(-1)?.json.entry[0].changes[0].value.statuses[0].errors[0].code;
  await post("/_customer/refuse", { from: CUSTOMER, code: 131026 });
  expect((await send(text("x")))[0]).toBe(200);
  expect(await codeOf(2)).toBe(131026);
  await post("/_customer/refuse", { from: CUSTOMER, code: 130472 });
  expect((await send(text("x")))[0]).toBe(200);
  expect((await send(byTemplate()))[0]).toBe(200);
  expect(await codeOf(3)).toBe(130472);
  await post("/_customer/refuse", { from: CUSTOMER });
  expect((await send(byTemplate()))[0]).toBe(200);
  expect(await hub.until(3)).toHaveLength(3);
});

test("a platform that is a day ahead has closed the window, and Direct Send goes through where the account may", async () => {
  await start();
  await post("/_customer/message", { from: CUSTOMER, text: "hello" });
  await post("/_settings", { aheadMs: 25 * 3_600_000 });
  expect(await send(text("x"))).toMatchObject([400, { error: { code: 131047 } }]);
  const direct = { ...text("x"), category: "utility" };
  expect(await send(direct)).toMatchObject([400, { error: { code: 131047 } }]);
  await post("/_settings", { directSend: true });
  expect((await send(direct))[0]).toBe(200);
  await post("/_customer/message", { from: CUSTOMER, text: "back" });
  expect((await send(text("x")))[0]).toBe(200);
});
