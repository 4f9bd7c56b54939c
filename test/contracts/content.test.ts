import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Fields } from "../../dev/emulators/fields.ts";
import type { Emulator } from "../../dev/emulators/server.ts";
import { startTelegramEmulator } from "../../dev/emulators/telegram.ts";
import { startWhatsAppEmulator } from "../../dev/emulators/whatsapp.ts";
import { channels } from "../../src/channels/index.ts";
import type { Channel } from "../../src/core/channel.ts";
import { prepare } from "../../src/core/content/prepare.ts";
import { REPLY_KINDS, type Reply, strictReplySchema } from "../../src/core/content/reply.ts";
import { answer, quick, scriptOf } from "../support/emulators.ts";
import { REPLIES, seenIn, wordsOf } from "../support/replies.ts";

/** A platform with a customer who has written, and the hub's channel that talks to it. */
interface Stage {
  readonly emulator: Emulator;
  readonly channel: Channel;
  readonly to: Record<string, string>;
  /** The platform's id of the customer's message. */
  readonly external_id: string;
}

const stages: Record<string, Stage> = {};
const CUSTOMER = 7_100_200;

beforeAll(async () => {
  const telegram = await startTelegramEmulator({
    port: 0,
    token: "123456:test-token",
    strict: false,
    delivery: quick,
  });
  const said = await scriptOf(() => telegram).post("/_customer/message", {
    chat: { id: CUSTOMER },
    text: "hi",
  });
  stages.telegram = {
    emulator: telegram,
    channel: channels.telegram!({
      TELEGRAM_BOT_TOKEN: "123456:test-token",
      TELEGRAM_WEBHOOK_SECRET: "s3cret",
      TELEGRAM_API_ROOT: telegram.url,
    })!,
    to: { chat_id: String(CUSTOMER) },
    external_id: `${CUSTOMER}:${said.message_id}`,
  };
  const whatsapp = await startWhatsAppEmulator({
    port: 0,
    accessToken: "token",
    appSecret: "secret",
    verifyToken: "verify",
    phoneNumberId: "1001",
    statuses: false,
    delivery: quick,
  });
  const from = "4915112345601";
  const wrote = await scriptOf(() => whatsapp).post("/_customer/message", { from, text: "hi" });
  stages.whatsapp = {
    emulator: whatsapp,
    channel: channels.whatsapp!({
      WHATSAPP_ACCESS_TOKEN: "token",
      WHATSAPP_APP_SECRET: "secret",
      WHATSAPP_VERIFY_TOKEN: "verify",
      WHATSAPP_PHONE_NUMBER_ID: "1001",
      WHATSAPP_API_ROOT: whatsapp.url,
    })!,
    to: { phone_number_id: "1001", to: from },
    external_id: wrote.message_id,
  };
});

afterAll(async () => {
  for (const { emulator } of Object.values(stages)) await emulator.stop();
});

test("there is a reply of every kind", () => {
  expect([...new Set(REPLIES.map(({ kind }) => kind))].sort()).toEqual([...REPLY_KINDS].sort());
  for (const reply of REPLIES) expect(strictReplySchema.parse(reply)).toEqual(reply);
});

const named = REPLIES.filter(({ kind }) => kind !== "typing").map(
  (reply, i) => [`${i} ${reply.kind}`, reply] as const,
);

describe.each(["telegram", "whatsapp"])("%s", (name) => {
  test.for(named)("takes %s, and shows what it says", async ([, reply]) => {
    const { emulator, channel, to, external_id } = stages[name]!;
    const as = channel.content![reply.kind].as;
    const ready = () => prepare(name, channel, reply, { external_id });
    if (as === "refused") return expect(ready).toThrow(expect.objectContaining({ reason: "bot_bad_reply" }));
    const target = await channel.send(to, { kind: "text", text: "earlier" }, AbortSignal.timeout(5_000));
    const { parts, content } = ready();
    const { last } = await scriptOf(() => emulator).get("/_sent");
    for (const part of parts) {
      const sendable = part.target === undefined ? part : { ...part, targets: [target] };
      expect(await channel.send(to, sendable, AbortSignal.timeout(5_000))).not.toBe("");
    }
    const { sent } = await scriptOf(() => emulator).get(`/_sent?after=${last}`);
    expect(sent).toHaveLength(parts.length);
    const seen = seenIn(sent);
    for (const word of wordsOf(reply)) expect(seen).toContain(word);
    if ("numbered" in content) expect(seen).toMatch(/1\. /);
  });

  test("refuses what the platform refuses, with its own codes", async () => {
    const { emulator } = stages[name]!;
    for (const [path, body, error] of WRONG[name]!) {
      const headers = { authorization: "Bearer token", "content-type": "application/json" };
      const [status, said] = await answer(
        fetch(emulator.url + path, { method: "POST", headers, body: JSON.stringify(body) }),
      );
      expect([status, said]).toEqual([400, expect.objectContaining(error)]);
    }
  });
});

const telegramPath = (method: string) => `/bot123456:test-token/${method}`;
const badRequest = (words: string) => ({ error_code: 400, description: expect.stringContaining(words) });
const whatsapp = (type: string, part: unknown): [string, Fields, Fields] => [
  "/v25.0/1001/messages",
  { messaging_product: "whatsapp", to: "4915112345601", type, [type]: part },
  { error: expect.objectContaining({ code: 131009 }) },
];
const list = (rows: unknown[]) => ({
  type: "list",
  body: { text: "b" },
  action: { button: "b", sections: [{ rows }] },
});

/** Calls that each platform refuses: path, body, and the error. */
const WRONG: Record<string, [string, Fields, Fields][]> = {
  telegram: [
    [
      telegramPath("setMessageReaction"),
      { chat_id: CUSTOMER, message_id: 1, reaction: [{ type: "emoji", emoji: "🫠" }] },
      badRequest("REACTION_INVALID"),
    ],
    [
      telegramPath("sendMessage"),
      {
        chat_id: CUSTOMER,
        text: "x",
        reply_markup: { inline_keyboard: [[{ text: "x", callback_data: "ü".repeat(33) }]] },
      },
      badRequest("BUTTON_DATA_INVALID"),
    ],
    [
      telegramPath("sendVenue"),
      { chat_id: CUSTOMER, latitude: 91, longitude: 0, title: "", address: "a" },
      badRequest("title"),
    ],
  ],
  whatsapp: [
    whatsapp("interactive", {
      type: "button",
      body: { text: "b" },
      action: { buttons: [{ type: "reply", reply: { id: " a", title: "A" } }] },
    }),
    whatsapp("interactive", list([{ id: "a", title: "A", unknown: 1 }])),
    whatsapp("contacts", [{ phones: [] }]),
    whatsapp("document", { link: "https://example.com/a", filename: "x".repeat(241) }),
  ],
};

test("a web page gets every kind in the neutral form, but for a file that only a platform has", () => {
  for (const name of ["web", "kiosk"]) {
    const channel = channels[name]!({})!;
    for (const [, reply] of named) {
      const ready = () => prepare(name, channel, reply as Reply, {});
      if ("media" in reply && reply.media.url === undefined) expect(ready).toThrow(/url is needed/);
      else expect(ready()).toMatchObject({ parts: [], content: reply });
    }
  }
});
