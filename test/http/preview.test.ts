import { expect, test } from "vitest";
import whatsapp from "../../src/channels/whatsapp/index.ts";
import { ENV, post, testHub } from "../support/http.ts";
import { call } from "../support/people.ts";
import { REPLIES } from "../support/replies.ts";

const KEYS = { kiosk: ["kiosk-key-1"], web: ["web-key"], admin: ["admin-key"], bot: ["bot-key"] };
const PATH = "/api/messages/preview";
const bot = { "x-api-key": "bot-key" };
const hub = () => testHub({}, { keys: KEYS });

test("shows what each channel would send, and the limits it meets", async () => {
  const buttons = ["S", "M", "L", "XL"].map((size) => ({ id: size, title: `Size ${size}` }));
  const { status, body } = await call(
    hub(),
    PATH,
    post({ content: { kind: "buttons", text: "Which?", buttons } }, bot),
  );
  expect(status).toBe(200);
  expect(Object.keys(body.channels).sort()).toEqual(["kiosk", "telegram", "web", "whatsapp"]);
  const { telegram, whatsapp, web } = body.channels;
  expect(telegram.parts[0].call.params.reply_markup.inline_keyboard).toHaveLength(4);
  expect(whatsapp).toMatchObject({
    as: "native",
    numbered: false,
    billed: 1,
    notes: ["more than 3 buttons, or a title over 20 characters: sent as a list"],
    parts: [{ call: { type: "interactive", interactive: { type: "list" } } }],
  });
  expect(web).toEqual({ as: "native", parts: [], numbered: false, billed: 0, notes: [], error: null });
});

test("names the field of a reply that a channel refuses, and the rest of them all the same", async () => {
  const content = { kind: "reaction", emoji: "🫠" };
  const { body } = await call(hub(), PATH, post({ content }, bot));
  expect(body.channels.telegram).toMatchObject({
    as: "refused",
    error: { reason: "bot_bad_reply", message: "emoji: telegram has no such reaction" },
  });
  expect(body.channels.whatsapp).toMatchObject({ as: "native", billed: 0 });
});

test("shows every reply, also a platform's own call", async () => {
  const own = hub();
  for (const content of REPLIES) expect((await call(own, PATH, post({ content }, bot))).status).toBe(200);
  const raw = {
    telegram: { method: "sendPoll", question: "?", options: [] },
    whatsapp: { type: "text", to: "1" },
  };
  const { body } = await call(own, PATH, post({ content: { kind: "text", text: "a poll", raw } }, bot));
  expect(body.channels.telegram).toMatchObject({
    as: "raw",
    parts: [{ text: "a poll", call: { method: "sendPoll", params: { question: "?" } } }],
  });
  expect(body.channels.whatsapp.error.message).toBe("raw.whatsapp.to: is set by the hub");
  for (const method of ["setWebhook", "sendX/../logOut", "deleteMessage"]) {
    const refused = { kind: "text", text: "x", raw: { telegram: { method } } };
    expect((await call(own, PATH, post({ content: refused }, bot))).body.channels.telegram.as).toBe(
      "refused",
    );
  }
});

test("shows what becomes of a part while the platform takes no free replies", async () => {
  const own = hub();
  const named = { ...ENV, WHATSAPP_WINDOW_TEMPLATE: "news" };
  Object.assign(own.hub.channels, { whatsapp: whatsapp(named) });
  const outside = async (content: object) =>
    (await call(own, PATH, post({ content, channels: ["whatsapp"] }, bot))).body.channels.whatsapp.parts.map(
      (part: any) => part.outside_window,
    );
  const text = { kind: "text", text: "hi" };
  expect(await outside(text)).toEqual([{ as: "dead", call: null }]);
  expect(await outside({ ...text, outside_window: "hold" })).toEqual([{ as: "held", call: null }]);
  expect(await outside({ ...text, outside_window: "template" })).toMatchObject([
    { as: "call", call: { type: "template", template: { name: "news" } } },
  ]);
  expect(await outside({ kind: "template", name: "news", language: "de" })).toEqual([
    { as: "same", call: null },
  ]);
  const { body } = await call(own, PATH, post({ content: text, channels: ["telegram"] }, bot));
  expect(body.channels.telegram.parts).toMatchObject([{ outside_window: null }]);
});

test("refuses unknown fields and channels, and anybody without a key", async () => {
  const own = hub();
  const status = async (body: unknown, headers: Record<string, string> = bot) =>
    (await call(own, PATH, post(body, headers))).status;
  const content = { kind: "text", text: "hi" };
  expect(await status({ content: { ...content, txt: "hi" } })).toBe(400);
  expect(await status({ content, channel: "web" })).toBe(400);
  expect(await status({ content, channels: ["fax"] })).toBe(400);
  expect(await status({ content: { kind: "image", media: { url: "http://a.example/x.png" } } })).toBe(400);
  expect(await status({ content: { kind: "image", media: { url: "https://u:p@a.example/x.png" } } })).toBe(
    400,
  );
  expect(await status({ content }, {})).toBe(401);
  expect(await status({ content }, { "x-api-key": "kiosk-key-1" })).toBe(403);
});
