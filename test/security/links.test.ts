import { expect, test } from "vitest";
import { hmacHex } from "../../src/core/signature.ts";
import { begin, ENV, post } from "../support/http.ts";
import { call, type StrictHub, strictHub } from "../support/people.ts";

const EVE = 7666600600;
const PHONE = "15550001001";
const telegramSecret = { "x-telegram-bot-api-secret-token": ENV.TELEGRAM_WEBHOOK_SECRET };
let updates = 0;

async function onTelegram(hub: StrictHub, kind: string, what: object) {
  const message_id = ++updates;
  const from = { id: EVE, is_bot: false };
  const message = { message_id, date: 1781000000, chat: { id: EVE, type: "private" }, from, ...what };
  const body = { update_id: message_id, [kind]: message };
  expect((await call(hub, "/webhooks/telegram", post(body, telegramSecret))).status).toBe(200);
}

async function onWhatsApp(hub: StrictHub, what: object) {
  const message = { id: `wamid.${++updates}`, from: PHONE, timestamp: "1781000000", ...what };
  const value = { metadata: { phone_number_id: "103" }, messages: [message] };
  const body = {
    object: "whatsapp_business_account",
    entry: [{ id: "1", changes: [{ field: "messages", value }] }],
  };
  const hmac = await hmacHex(ENV.WHATSAPP_APP_SECRET, new TextEncoder().encode(JSON.stringify(body)));
  const headers = { "x-hub-signature-256": `sha256=${hmac}` };
  expect((await call(hub, "/webhooks/whatsapp", post(body, headers))).status).toBe(200);
}

/** A page with a link, and whether a customer has joined its session since. */
async function page(hub: StrictHub) {
  const here = await begin(hub);
  const { body } = await call(hub, "/session/link", { method: "POST", headers: here.bearer });
  const token = /link_[\w-]{32}/.exec(body.links.whatsapp)![0];
  const joined = async () => {
    const { status, body } = await call(hub, "/session/restore", { headers: here.bearer });
    return status !== 200 || body.session.telegram_chat_id !== null || body.session.phone !== null;
  };
  return { token, joined };
}

const photo = [{ file_id: "AgAC", width: 1, height: 1 }];
const origin = { type: "user", date: 1, sender_user: { id: 1, is_bot: false, first_name: "V" } };
const place = { chat: { id: EVE, type: "private" }, date: 1, message_id: 1 };

test.for<[string, (hub: StrictHub, token: string) => Promise<void>]>([
  [
    "a message forwarded on Telegram",
    (hub, token) => onTelegram(hub, "message", { text: `/start ${token}`, forward_origin: origin }),
  ],
  [
    "a message via another bot",
    (hub, token) => onTelegram(hub, "message", { text: token, via_bot: { id: 1 } }),
  ],
  [
    "an edited message",
    (hub, token) => onTelegram(hub, "edited_message", { text: token, edit_date: 1781000001 }),
  ],
  ["a caption", (hub, token) => onTelegram(hub, "message", { photo, caption: token })],
  [
    "the message that is answered",
    (hub, token) => onTelegram(hub, "message", { text: "yes", reply_to_message: { ...place, text: token } }),
  ],
  [
    "a quote",
    (hub, token) => onTelegram(hub, "message", { text: "yes", quote: { text: token, position: 0 } }),
  ],
  [
    "an answer to another message",
    (hub, token) => onTelegram(hub, "message", { text: token, reply_to_message: { ...place, text: "x" } }),
  ],
  [
    "a message forwarded on WhatsApp",
    (hub, token) => onWhatsApp(hub, { type: "text", text: { body: token }, context: { forwarded: true } }),
  ],
  [
    "a message forwarded often",
    (hub, token) =>
      onWhatsApp(hub, { type: "text", text: { body: token }, context: { frequently_forwarded: true } }),
  ],
  [
    "an answer on WhatsApp",
    (hub, token) => onWhatsApp(hub, { type: "text", text: { body: token }, context: { id: "wamid.0" } }),
  ],
  [
    "a caption on WhatsApp",
    (hub, token) => onWhatsApp(hub, { type: "image", image: { id: "1", caption: token } }),
  ],
  [
    "an edit on WhatsApp",
    (hub, token) =>
      onWhatsApp(hub, {
        type: "edit",
        edit: { original_message_id: "wamid.0", message: { type: "text", text: { body: token } } },
      }),
  ],
])("a link in %s joins nobody, and stands in no history", async ([, say]) => {
  const hub = strictHub();
  const { token, joined } = await page(hub);
  await say(hub, token);
  expect(await joined()).toBe(false);
  const { store } = hub.hub;
  for (const who of [{ telegram_chat_id: String(EVE) }, { phone: `+${PHONE}` }]) {
    const session = await store.sessions
      .start({ identities: who, channel: "web", token_hash: "0".repeat(64) }, hub.clock.now)
      .catch(() => undefined);
    const page = session && (await store.sessions.messages(session, 0, 50, hub.clock.now));
    expect(JSON.stringify(page ?? "")).not.toContain(token);
  }
  await onTelegram(hub, "message", { text: `/start ${token}` });
  expect(await joined()).toBe(true);
});

test("it joins its sender on WhatsApp, also within a text", async () => {
  const hub = strictHub();
  const { token, joined } = await page(hub);
  await onWhatsApp(hub, { type: "text", text: { body: `Hello ${token}` } });
  expect(await joined()).toBe(true);
});
