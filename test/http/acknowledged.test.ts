import { expect, test } from "vitest";
import { hmacHex } from "../../src/core/signature.ts";
import { ENV, post } from "../support/http.ts";
import { call, keys, strictHub } from "../support/people.ts";

test("the sample message of Meta's dashboard is acknowledged, and opens and answers nothing", async () => {
  const hub = strictHub();
  const message = { from: "16315551181", id: "ABGGFlA5Fpa", timestamp: "1504902988", type: "text" };
  const value = {
    metadata: { display_phone_number: "16505551111", phone_number_id: "123456123" },
    contacts: [{ profile: { name: "test user name" }, wa_id: "16315551181" }],
    messages: [{ ...message, text: { body: "this is a text message" } }],
  };
  const body = {
    object: "whatsapp_business_account",
    entry: [{ id: "0", changes: [{ field: "messages", value }] }],
  };
  const hmac = await hmacHex(ENV.WHATSAPP_APP_SECRET, new TextEncoder().encode(JSON.stringify(body)));
  const { status } = await call(
    hub,
    "/webhooks/whatsapp",
    post(body, { "x-hub-signature-256": `sha256=${hmac}` }),
  );
  expect([status, hub.sent]).toEqual([200, []]);
  expect((await call(hub, "/session/restore?phone=%2B16315551181", { headers: keys.admin })).status).toBe(
    404,
  );
  expect(hub.lines.find(({ fields }) => fields.ignored)?.fields).toMatchObject({ ignored: { test: 1 } });
});

/** A button under one of the bot's messages, pressed in a group. */
const pressed = {
  update_id: 1,
  callback_query: {
    id: "4382bf",
    from: { id: 4711, is_bot: false },
    message: { message_id: 5, date: 1, chat: { id: -1001, type: "supergroup" } },
    data: "yes",
  },
};
const secret = { "x-telegram-bot-api-secret-token": ENV.TELEGRAM_WEBHOOK_SECRET };

test("a button pressed in a group is acknowledged, and nothing of it is stored", async () => {
  const hub = strictHub();
  const shown: unknown[] = [];
  hub.hub.channels.telegram!.showTyping = async (to, id) => void shown.push([to, id]);
  expect((await call(hub, "/webhooks/telegram", post(pressed, secret))).status).toBe(200);
  expect(shown).toEqual([[{ chat_id: "-1001", callback_query_id: "4382bf" }, "callback:4382bf"]]);
  expect((await call(hub, "/session/restore?telegram_chat_id=4711", { headers: keys.admin })).status).toBe(
    404,
  );
});

test("Telegram's refusal of that is logged and fails nothing", async () => {
  const hub = strictHub();
  hub.hub.channels.telegram!.showTyping = async () => {
    throw new Error("query is too old");
  };
  expect((await call(hub, "/webhooks/telegram", post(pressed, secret))).status).toBe(200);
  expect(hub.lines.map(({ event }) => event)).toContain("ignored.not_acknowledged");
});
