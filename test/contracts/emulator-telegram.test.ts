import { Api, GrammyError } from "grammy";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Emulator } from "../../dev/emulators/server.ts";
import { startTelegramEmulator, type TelegramOptions } from "../../dev/emulators/telegram.ts";
import { answer, type Hub, quick, scriptOf, startHub } from "../support/emulators.ts";

const TOKEN = "123456:test-token";
let hub: Hub;
let emulator: Emulator;
const { post, get, del } = scriptOf(() => emulator);

beforeEach(async () => {
  hub = await startHub();
});

afterEach(async () => {
  await emulator?.stop();
  await hub.stop();
});

let api: Api;

async function start(options: Partial<TelegramOptions> = {}): Promise<void> {
  emulator = await startTelegramEmulator({
    port: 0,
    token: TOKEN,
    webhookUrl: hub.url,
    webhookSecret: "s3cret",
    delivery: quick,
    ...options,
  });
  api = new Api(TOKEN, { apiRoot: emulator.url });
}

test("a customer's message reaches the webhook as a whole update with the secret", async () => {
  await start();
  const first = await post("/_customer/message", { chat: { id: 7 }, text: "/start link-1" });
  const second = await post("/_customer/message", { chat: { id: 7 }, text: "hello" });
  expect(first).toMatchObject({ status: 200 });
  expect(second.update_id).toBeGreaterThan(first.update_id);
  expect(second.message_id).toBe(first.message_id + 1);
  const [start_] = await hub.until(2);
  expect(start_?.headers["x-telegram-bot-api-secret-token"]).toBe("s3cret");
  expect(start_?.json).toEqual({
    update_id: first.update_id,
    message: {
      message_id: first.message_id,
      from: { id: 7, is_bot: false, first_name: "Customer", language_code: "en" },
      chat: { id: 7, type: "private", first_name: "Customer" },
      date: expect.any(Number),
      text: "/start link-1",
      entities: [{ type: "bot_command", offset: 0, length: 6 }],
    },
  });
});

test("grammY can use it, and sent messages are listed in order", async () => {
  await start();
  const { message_id } = await post("/_customer/message", { chat: { id: 7 }, text: "hello" });
  expect(await api.getMe()).toMatchObject({ is_bot: true, username: "hub_bot" });
  await api.sendChatAction(7, "typing");
  const sent = await api.sendMessage(7, "<b>bold</b> &lt;", {
    parse_mode: "HTML",
    reply_parameters: { message_id },
    message_thread_id: 3,
  });
  expect(sent).toMatchObject({ text: "bold <", message_thread_id: 3, reply_to_message: { message_id } });
  await api.editMessageText(7, sent.message_id, "edited");
  await api.setMessageReaction(7, message_id, [{ type: "emoji", emoji: "👍" }]);
  await api.sendPhoto(7, "https://example.com/cat.png", { caption: "cat" });
  await api.deleteMessage(7, sent.message_id);
  const { last, sent: listed } = await get("/_sent?chat_id=7");
  expect(listed.map((entry: any) => [entry.n, entry.method, entry.text])).toEqual([
    [1, "sendChatAction", undefined],
    [2, "sendMessage", "bold <"],
    [3, "editMessageText", "edited"],
    [4, "setMessageReaction", undefined],
    [5, "sendPhoto", "cat"],
    [6, "deleteMessage", undefined],
  ]);
  expect(last).toBe(6);
});

const keyboard = { inline_keyboard: [[{ text: "b", callback_data: "é".repeat(33) }]] };
const parse = "can't parse entities: ";
test.for([
  ["an unknown chat", { chat_id: 99 }, "chat not found"],
  ["no chat", { chat_id: undefined }, "chat_id is empty"],
  ["an empty text", { text: "" }, "message text is empty"],
  ["4097 UTF-16 units", { text: "x".repeat(4097) }, "message is too long"],
  ["an open tag", html("<b>x"), `${parse}Can't find end tag corresponding to start tag "b"`],
  ["an unknown tag", html("é<h1>"), `${parse}Unsupported start tag "h1" at byte offset 2`],
  ["a bare dot", { text: "a.b", parse_mode: "MarkdownV2" }, `${parse}Character '.' is reserved and must be`],
  ["an open star", { text: "a *b", parse_mode: "Markdown" }, `${parse}Can't find end of the entity starting`],
  ["a missing reply", { reply_parameters: { message_id: 1 } }, "message to be replied not found"],
  ["66 bytes of callback data", { reply_markup: keyboard }, "BUTTON_DATA_INVALID"],
] as const)("refuses %s with Telegram's error", async ([, params, words]) => {
  await start();
  await post("/_customer/message", { chat: { id: 7 }, text: "hello" });
  const [status, body] = await call("sendMessage", { chat_id: 7, text: "x", ...params });
  expect([status, body]).toEqual([400, { ok: false, error_code: 400, description: expect.any(String) }]);
  expect(body.description.slice(0, 13 + words.length)).toBe(`Bad Request: ${words}`);
});

test("counts the limit of 4096 after parsing the markup", async () => {
  await start({ strict: false });
  await api.sendMessage(7, `<b>${"&amp;".repeat(4096)}</b>`, { parse_mode: "HTML" });
});

test("forms and multipart are read like JSON, and wrong tokens, methods and paths refused", async () => {
  await start({ strict: false });
  const form = new FormData();
  form.set("chat_id", "7");
  form.set("document", new Blob(["bytes"]), "a.txt");
  const url = `${emulator.url}/bot${TOKEN}`;
  expect(await answer(fetch(`${url}/sendDocument`, { method: "POST", body: form }))).toMatchObject([
    200,
    { result: { document: { file_name: "a.txt", file_size: 5 } } },
  ]);
  const body = new URLSearchParams({ chat_id: "7", text: "x", reply_markup: '{"inline_keyboard":[]}' });
  expect(await answer(fetch(`${url}/sendmessage`, { method: "POST", body }))).toMatchObject([
    200,
    { ok: true },
  ]);
  expect(await answer(fetch(`${url}/sendMessage?chat_id=7&text=get`))).toMatchObject([200, { ok: true }]);
  expect(await answer(fetch(`${emulator.url}/bot1:no/getMe`))).toEqual([
    401,
    { ok: false, error_code: 401, description: "Unauthorized" },
  ]);
  const notFound = [404, { ok: false, error_code: 404, description: "Not Found" }];
  expect(await answer(fetch(`${url}/sendNothing`))).toEqual(notFound);
  expect(await answer(fetch(`${emulator.url}/a/b/c`))).toEqual(notFound);
});

test("a callback is answered once asked, and a block shows on both sides", async () => {
  await start();
  const { message_id } = await post("/_customer/message", { chat: { id: 7 }, text: "hello" });
  const { callback_query_id } = await post("/_customer/callback", { chat: 7, data: "yes", message_id });
  await api.answerCallbackQuery(callback_query_id);
  await expect(api.answerCallbackQuery("never")).rejects.toThrow(/query ID is invalid/);
  await post("/_customer/block", { chat: 7 });
  await expect(api.sendMessage(7, "x")).rejects.toMatchObject({
    error_code: 403,
    description: "Forbidden: bot was blocked by the user",
  });
  await post("/_customer/unblock", { chat: 7 });
  await api.sendMessage(7, "x");
  const kinds = hub.webhooks.map(({ json }) => Object.keys(json)[1]);
  expect(kinds).toEqual(["message", "callback_query", "my_chat_member", "my_chat_member"]);
  expect(hub.webhooks[2]?.json.my_chat_member.new_chat_member.status).toBe("kicked");
});

test("a shared contact has the customer's user_id only if it is their own", async () => {
  await start();
  await post("/_customer/contact", { chat: 7, phone_number: "447700900123" });
  await post("/_customer/contact", { chat: 7, phone_number: "447700900124", own: false, user_id: 8 });
  expect(hub.webhooks.map(({ json }) => [json.message.from.id, json.message.contact.user_id])).toEqual([
    [7, 7],
    [7, 8],
  ]);
});

test("an edit keeps its message_id, and a raw update is delivered as given and can be answered", async () => {
  await start();
  const { message_id } = await post("/_customer/message", { chat: 7, text: "helo" });
  await post("/_customer/edit", { chat: 7, message_id, text: "hello" });
  expect(hub.webhooks[1]?.json.edited_message).toMatchObject({
    message_id,
    text: "hello",
    edit_date: expect.any(Number),
  });
  const chat = { id: -100123, type: "supergroup", title: "General" };
  const update = { update_id: 5, message: { message_id: 11, date: 1, chat, text: "hi" } };
  expect(await post("/_customer/update", update)).toEqual({ update_id: 5, status: 200 });
  expect(hub.webhooks[2]?.json).toEqual(update);
  await api.sendMessage(chat.id, "hi", { reply_parameters: { message_id: 11 } });
});

test("a refused update is redelivered unchanged before the chat's next one, and given up in the end", async () => {
  await start({ delivery: { ...quick, retryMs: 30 } });
  hub.statuses.push(503, 500);
  const first = await post("/_customer/message", { chat: 7, text: "one" });
  const error = "Wrong response from the webhook: 503 Service Unavailable";
  expect(first).toMatchObject({ status: 503, error });
  expect(await post("/_customer/message", { chat: 7, text: "two" })).toMatchObject({ status: 200 });
  const webhooks = await hub.until(4);
  expect(webhooks.map(({ json }) => json.message.text)).toEqual(["one", "one", "one", "two"]);
  expect(webhooks[2]?.body).toBe(webhooks[0]?.body);
  expect(await api.getWebhookInfo()).toMatchObject({
    pending_update_count: 0,
    last_error_message: "Wrong response from the webhook: 500 Internal Server Error",
  });
  hub.statuses.push(500, 500, 500, 500);
  await post("/_customer/message", { chat: 7, text: "poison" });
  await hub.until(8);
  await expect
    .poll(() => get("/_delivery"))
    .toMatchObject({ stats: { pending: 0, delivered: 2, dropped: 1 } });
});

test("copies and shuffling make the deliveries at-least-once and unordered", async () => {
  await start();
  await post("/_delivery", { copies: 3, delayMs: 40, shuffle: true });
  await Promise.all(
    Array.from({ length: 12 }, (_, i) => post("/_customer/message", { chat: 7, text: `${i}` })),
  );
  const ids = (await hub.until(36)).map(({ json }) => json.update_id);
  expect(new Set(ids).size).toBe(12);
  expect(ids).not.toEqual(ids.toSorted());
});

test("setWebhook moves the deliveries and the secret", async () => {
  await start({ webhookUrl: "", webhookSecret: "" });
  await api.setWebhook(hub.url, { secret_token: "other", allowed_updates: ["message"] });
  await post("/_customer/message", { chat: 7, text: "hello" });
  const callback = await post("/_customer/callback", { chat: 7, data: "x", message_id: 1 });
  expect(callback).toMatchObject({ status: 0, error: "callback_query is not in allowed_updates" });
  expect(hub.webhooks.map(({ headers }) => headers["x-telegram-bot-api-secret-token"])).toEqual(["other"]);
  await expect(api.setWebhook(hub.url, { secret_token: "not allowed" })).rejects.toThrow(
    /unallowed characters/,
  );
});

test("faults apply to the named calls the given number of times", async () => {
  await start({ strict: false });
  await post("/_faults", {
    kind: "status",
    status: 429,
    retry_after: 0,
    method: "sendMessage",
    chat_id: 7,
  });
  await api.sendMessage(8, "another chat");
  const error = await api.sendMessage(7, "x").catch((e: GrammyError) => e);
  expect(error).toMatchObject({ error_code: 429, parameters: { retry_after: 0 } });
  await post("/_faults", { kind: "cut", times: 2 });
  for (let i = 0; i < 2; i++) await expect(api.sendMessage(7, "cut")).rejects.toThrow(/Network request/);
  await post("/_faults", { kind: "accept-then-cut" });
  await expect(api.sendMessage(7, "accepted")).rejects.toThrow(/Network request/);
  await post("/_faults", { kind: "timeout", ms: 30 });
  await expect(api.sendMessage(7, "late")).rejects.toThrow(/Network request/);
  await post("/_faults", { kind: "slow", ms: 30 });
  const began = performance.now();
  await api.sendMessage(7, "slow");
  expect(performance.now() - began).toBeGreaterThan(25);
  const { sent } = await get("/_sent?chat_id=7");
  expect(sent.map(({ text, cut }: any) => [text, cut])).toEqual([
    ["accepted", true],
    ["slow", undefined],
  ]);
  expect(await get("/_faults")).toEqual({ faults: [] });
  expect(
    await answer(fetch(`${emulator.url}/_faults`, { method: "POST", body: '{"kind":"odd"}' })),
  ).toMatchObject([400, { error: expect.stringContaining("kind") }]);
});

test("with limits on, a chat gets five messages at once and then one a second, a group twenty", async () => {
  await start({ strict: false, limits: true });
  for (let i = 0; i < 5; i++) await api.sendMessage(7, `${i}`);
  const error = await api.sendMessage(7, "sixth").catch((e: GrammyError) => e);
  expect(error).toBeInstanceOf(GrammyError);
  expect(error).toMatchObject({
    error_code: 429,
    description: "Too Many Requests: retry after 1",
    parameters: { retry_after: 1 },
  });
  for (let i = 0; i < 20; i++) await api.sendMessage(-7, `${i}`);
  await expect(api.sendMessage(-7, "x")).rejects.toMatchObject({ parameters: { retry_after: 3 } });
  await post("/_settings", { limits: false });
  await api.sendMessage(7, "sixth");
});

test("a long poll returns on the entry it waits for, and the log keeps only its newest entries", async () => {
  await start({ strict: false, keep: 3 });
  const poll = get("/_sent?chat_id=7&method=sendMessage&wait=5&count=2");
  await api.sendChatAction(7, "typing");
  await api.sendMessage(8, "another chat");
  await api.sendMessage(7, "one");
  await api.sendMessage(7, "two");
  const { last, sent } = await poll;
  expect(sent.map(({ text }: any) => text)).toEqual(["one", "two"]);
  expect(await get(`/_sent?after=${last}&wait=0.01`)).toEqual({ last, sent: [] });
  expect((await get("/_sent")).sent.map(({ n }: any) => n)).toEqual([2, 3, 4]);
  expect((await get("/_sent?limit=1")).last).toBe(2);
  expect(await del("/_sent")).toEqual({ cleared: 3 });
  await api.sendMessage(7, "three");
  expect((await get("/_sent?chat_id=7")).sent).toMatchObject([{ n: 5, text: "three" }]);
});

test("a file in a message can be looked up and downloaded", async () => {
  await start();
  const photo = [{ file_id: "AgACAgUAAxkBAAMR", file_unique_id: "AQAD", width: 1, height: 1, file_size: 70 }];
  await post("/_customer/message", { chat: 7, photo, caption: "me" });
  const { file_path } = await api.getFile("AgACAgUAAxkBAAMR");
  const response = await fetch(`${emulator.url}/file/bot${TOKEN}/${file_path}`);
  expect(Buffer.from(await response.arrayBuffer()).toString("latin1")).toContain("PNG");
  await expect(api.getFile("unknown")).rejects.toThrow(/wrong file_id/);
});

function html(text: string) {
  return { text, parse_mode: "HTML" };
}

async function call(method: string, params: unknown): Promise<[number, any]> {
  const headers = { "content-type": "application/json" };
  return answer(
    fetch(`${emulator.url}/bot${TOKEN}/${method}`, {
      method: "POST",
      headers,
      body: JSON.stringify(params),
    }),
  );
}

const owner = { id: 900, first_name: "Olga" };
const refusalOf = (sending: Promise<unknown>) =>
  sending.then(
    () => "sent",
    (error: GrammyError) => `${error.error_code} ${error.description}`,
  );

test("a user connects the bot to their account, and messages to that account reach it as business messages", async () => {
  await start();
  const { business_connection_id } = await post("/_customer/business/connect", { user: owner });
  const about = { business_connection_id, chat: { id: 7, first_name: "Ana" } };
  const asked = await post("/_customer/business/message", { ...about, text: "open?" });
  const answered = await post("/_customer/business/message", { ...about, owner: true, text: "yes" });
  await post("/_customer/business/edit", { ...about, message_id: asked.message_id, text: "open now?" });
  await post("/_customer/business/delete", { ...about, message_ids: [asked.message_id] });
  await post("/_customer/business/disconnect", { business_connection_id });
  const [connected, message, own, edited, deleted, disconnected] = await hub.until(6);
  expect(connected!.json.business_connection).toEqual({
    id: business_connection_id,
    user: { ...owner, is_bot: false },
    user_chat_id: owner.id,
    date: expect.any(Number),
    rights: { can_reply: true },
    is_enabled: true,
  });
  const chat = { id: 7, type: "private", first_name: "Ana" };
  expect(message!.json.business_message).toEqual({
    business_connection_id,
    message_id: asked.message_id,
    from: { id: 7, is_bot: false, first_name: "Ana", language_code: "en" },
    chat,
    date: expect.any(Number),
    text: "open?",
  });
  expect(own!.json.business_message).toMatchObject({ from: owner, chat, text: "yes" });
  expect(answered.message_id).toBe(asked.message_id + 1);
  expect(edited!.json.edited_business_message).toMatchObject({
    text: "open now?",
    edit_date: expect.any(Number),
  });
  expect(deleted!.json.deleted_business_messages).toEqual({
    business_connection_id,
    chat,
    message_ids: [asked.message_id],
  });
  expect(disconnected!.json.business_connection).toMatchObject({ is_enabled: false });
  expect(disconnected!.json.business_connection.rights).toBeUndefined();
  expect(await api.getBusinessConnection(business_connection_id)).toMatchObject({
    user: owner,
    is_enabled: false,
  });
});

test("the bot answers in a connected account in its owner's name, apart from its own chats", async () => {
  await start();
  const { business_connection_id } = await post("/_customer/business/connect", { user: owner });
  await post("/_customer/business/message", { business_connection_id, chat: { id: 7 }, text: "open?" });
  const sent = await api.sendMessage(7, "yes", { business_connection_id });
  expect(sent).toMatchObject({
    business_connection_id,
    from: owner,
    sender_business_bot: { username: "hub_bot" },
    chat: { id: 7 },
    text: "yes",
  });
  expect((await get("/_sent")).sent).toMatchObject([{ business_connection_id, chat_id: 7, text: "yes" }]);
  expect(await api.editMessageText(7, sent.message_id, "yes!", { business_connection_id })).toMatchObject({
    text: "yes!",
  });
  // That customer never wrote to the bot itself.
  expect(await refusalOf(api.sendMessage(7, "hello"))).toBe("400 Bad Request: chat not found");
});

test("an unknown or disabled connection, or one without the right to reply, sends nothing, and none sends to chats that did not write", async () => {
  await start();
  const send = (chat: number, business_connection_id: string) =>
    refusalOf(api.sendMessage(chat, "hello", { business_connection_id }));
  expect(await refusalOf(api.getBusinessConnection("nobody's"))).toBe(
    "400 Bad Request: business connection not found",
  );
  expect(await send(7, "nobody's")).toBe("400 Bad Request: business connection not found");
  const { business_connection_id: id } = await post("/_customer/business/connect", { user: owner });
  const about = { business_connection_id: id, text: "hi" };
  expect(await send(-5, id)).toBe("400 Bad Request: chat must be a private chat");
  expect(await send(owner.id, id)).toBe("400 Bad Request: messages must not be sent to self");
  expect(await send(7, id)).toBe("400 Bad Request: BUSINESS_PEER_INVALID");
  await post("/_customer/business/message", { ...about, chat: { id: 7 }, owner: true });
  expect(await send(7, id)).toBe("400 Bad Request: BUSINESS_PEER_USAGE_MISSING");
  await post("/_customer/business/message", { ...about, chat: { id: 7 } });
  expect(await send(7, id)).toBe("sent");
  await post("/_customer/business/connect", { user: owner, business_connection_id: id, rights: {} });
  expect(await send(7, id)).toBe("403 Forbidden: BOT_ACCESS_FORBIDDEN");
  await post("/_customer/business/connect", { user: owner, business_connection_id: id });
  expect(await send(7, id)).toBe("sent");
  await post("/_customer/business/disconnect", { business_connection_id: id });
  expect(await send(7, id)).toBe("400 Bad Request: BUSINESS_CONNECTION_INVALID");
  expect(await post("/_customer/business/message", { ...about, chat: { id: 7 } })).toHaveProperty("error");
});

test("a channel's post and an inline query reach the bot as such", async () => {
  await start();
  await post("/_customer/channel_post", { chat: { id: -1001, title: "News" }, text: "sale" });
  await post("/_customer/inline", { from: { id: 7 }, query: "coffee" });
  const [channel, inline] = await hub.until(2);
  expect(channel!.json.channel_post).toMatchObject({
    chat: { id: -1001, type: "channel", title: "News" },
    sender_chat: { id: -1001 },
    text: "sale",
  });
  expect(channel!.json.channel_post.from).toBeUndefined();
  expect(inline!.json.inline_query).toMatchObject({ from: { id: 7 }, query: "coffee", offset: "" });
});
