import { describe, expect, test } from "vitest";
import { hmacHex } from "../../src/core/signature.ts";
import { ENV, post, type TestHub, testHub } from "../support/http.ts";

const encoder = new TextEncoder();
const SECRET = ENV.WHATSAPP_APP_SECRET;
const history = { headers: { "x-api-key": "admin-key" } };

/** A WhatsApp webhook with one text. */
function whatsapp(text: string, over: object = {}): string {
  const value = {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: "15550001000", phone_number_id: "103" },
    contacts: [{ profile: { name: "Ada" }, wa_id: "4915112340001" }],
    messages: [
      { id: "wamid.A", timestamp: "1781000000", type: "text", from: "4915112340001", text: { body: text } },
    ],
  };
  return JSON.stringify({
    object: "whatsapp_business_account",
    entry: [{ id: "1", changes: [{ field: "messages", value }] }],
    ...over,
  });
}

function telegram(text: string, update_id = 1): string {
  const chat = { id: 4711, type: "private" };
  const from = { id: 4711, is_bot: false, first_name: "Ada" };
  return JSON.stringify({
    update_id,
    message: { message_id: update_id, date: 1781000000, chat, from, text },
  });
}

async function signed(body: string, secret = SECRET): Promise<Record<string, string>> {
  return { "x-hub-signature-256": `sha256=${await hmacHex(secret, encoder.encode(body))}` };
}

const deliver = async (hub: TestHub, channel: string, body: string, headers: Record<string, string>) =>
  (await hub.request(`/webhooks/${channel}`, post(body, headers))).status;

/** The stored messages of the session with this identity. */
async function storedTexts(hub: TestHub, query: string): Promise<string[]> {
  await hub.idle();
  const found = await hub.request(`/session/restore?${query}`, history);
  if (found.status === 404) return [];
  const { session } = (await found.json()) as any;
  const page = (await (
    await hub.request(`/api/sessions/${session.session_id}/messages`, history)
  ).json()) as any;
  return page.messages.filter((one: any) => one.direction === "inbound").map((one: any) => one.text);
}

describe("WhatsApp's signature", () => {
  const body = whatsapp("Hello");
  const hex = () => hmacHex(SECRET, encoder.encode(body));

  test.for<[string, () => Promise<Record<string, string>>]>([
    ["is missing", async () => ({})],
    ["is empty", async () => ({ "x-hub-signature-256": "" })],
    ["is only its scheme", async () => ({ "x-hub-signature-256": "sha256=" })],
    ["has no scheme", async () => ({ "x-hub-signature-256": await hex() })],
    ["names another scheme", async () => ({ "x-hub-signature-256": `sha1=${await hex()}` })],
    ["is cut short", async () => ({ "x-hub-signature-256": `sha256=${(await hex()).slice(0, -2)}` })],
    ["is longer", async () => ({ "x-hub-signature-256": `sha256=${await hex()}00` })],
    ["has one digit changed", async () => ({ "x-hub-signature-256": `sha256=${flipped(await hex())}` })],
    ["is all zeros", async () => ({ "x-hub-signature-256": `sha256=${"0".repeat(64)}` })],
    ["is of another app", () => signed(body, "another-app-secret")],
    ["is of an empty secret", () => signed(body, "\0")],
    ["is of the verify token", () => signed(body, ENV.WHATSAPP_VERIFY_TOKEN)],
    ["is of the access token", () => signed(body, ENV.WHATSAPP_ACCESS_TOKEN)],
    ["is of another body", () => signed(whatsapp("Hello!"))],
    ["is of the same words in other bytes", () => signed(JSON.stringify(JSON.parse(body), null, 1))],
    [
      "is two, one of them right",
      async () => ({ "x-hub-signature-256": `sha256=${"0".repeat(64)}, sha256=${await hex()}` }),
    ],
    ["stands in the old header", async () => ({ "x-hub-signature": `sha256=${await hex()}` })],
    ["is a key of the shop", async () => ({ "x-api-key": "admin-key" })],
    ["is the bot's secret", async () => ({ "x-telegram-bot-api-secret-token": ENV.TELEGRAM_WEBHOOK_SECRET })],
  ])("is refused when it %s, and nothing is storedTexts", async ([, headers]) => {
    const hub = testHub();
    expect(await deliver(hub, "whatsapp", body, await headers())).toBe(401);
    expect(await storedTexts(hub, "phone=%2B4915112340001")).toEqual([]);
  });

  test("is accepted in capitals too, so that the cases above fail only for their change", async () => {
    const hub = testHub();
    const capitals = { "x-hub-signature-256": `sha256=${(await hex()).toUpperCase()}` };
    expect(await deliver(hub, "whatsapp", body, capitals)).toBe(200);
    expect(await storedTexts(hub, "phone=%2B4915112340001")).toEqual(["Hello"]);
  });

  test.for(["page", "instagram", "user", "whatsapp", ""])(
    "by the same app on an event of %j is not accepted",
    async (object) => {
      const hub = testHub();
      const foreign = whatsapp("Hello", { object });
      expect(await deliver(hub, "whatsapp", foreign, await signed(foreign))).toBe(200);
      expect(await storedTexts(hub, "phone=%2B4915112340001")).toEqual([]);
    },
  );

  test("on a replayed webhook stores nothing twice and answers nothing twice, at any time", async () => {
    let replies = 0;
    const reply = async () => {
      replies++;
      return [];
    };
    const hub = testHub({ bot: { history: 0, reply } });
    const headers = await signed(body);
    for (let i = 0; i < 5; i++) {
      expect(await deliver(hub, "whatsapp", body, headers)).toBe(200);
      await hub.idle();
      hub.clock.now = new Date(hub.clock.now.getTime() + 86_400_000);
    }
    expect(await storedTexts(hub, "phone=%2B4915112340001")).toEqual(["Hello"]);
    expect(replies).toBe(1);
  });

  test("opens no other channel", async () => {
    const hub = testHub();
    const headers = { ...(await signed(telegram("Hello"))) };
    for (const channel of ["telegram", "kiosk", "web"])
      expect(await deliver(hub, channel, telegram("Hello"), headers)).toBe(401);
  });
});

describe("Telegram's secret", () => {
  const body = telegram("Hello");
  const right = ENV.TELEGRAM_WEBHOOK_SECRET;

  test.for<[string, Record<string, string>]>([
    ["is missing", {}],
    ["is empty", { "x-telegram-bot-api-secret-token": "" }],
    ["is cut short", { "x-telegram-bot-api-secret-token": right.slice(0, -1) }],
    ["is longer", { "x-telegram-bot-api-secret-token": `${right}x` }],
    ["is in capitals", { "x-telegram-bot-api-secret-token": right.toUpperCase() }],
    ["is two, one of them right", { "x-telegram-bot-api-secret-token": `x, ${right}` }],
    ["is a bearer", { authorization: `Bearer ${right}` }],
    ["is the bot's token", { "x-telegram-bot-api-secret-token": ENV.TELEGRAM_BOT_TOKEN }],
    ["is a key of the shop", { "x-api-key": "admin-key" }],
    ["is `undefined`", { "x-telegram-bot-api-secret-token": "undefined" }],
  ])("is refused when it %s, and nothing is storedTexts", async ([, headers]) => {
    const hub = testHub();
    expect(await deliver(hub, "telegram", body, headers)).toBe(401);
    expect(await storedTexts(hub, "telegram_chat_id=4711")).toEqual([]);
  });

  test("does not make a replay count twice", async () => {
    const hub = testHub();
    const headers = { "x-telegram-bot-api-secret-token": right };
    for (let i = 0; i < 3; i++) expect(await deliver(hub, "telegram", body, headers)).toBe(200);
    expect(await storedTexts(hub, "telegram_chat_id=4711")).toEqual(["Hello"]);
  });

  test("is not read from a query", async () => {
    const hub = testHub();
    const path = `/webhooks/telegram?secret_token=${right}&x-telegram-bot-api-secret-token=${right}`;
    expect((await hub.request(path, post(body))).status).toBe(401);
  });
});

describe("the handshake", () => {
  test.for(["", "guess", "verify-toke", "verify-token2", "VERIFY-TOKEN", "app-secret"])(
    "returns no challenge for the token %j",
    async (token) => {
      const query = `hub.mode=subscribe&hub.verify_token=${token}&hub.challenge=CANARY`;
      const response = await testHub().request(`/webhooks/whatsapp?${query}`);
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(await response.text()).not.toContain("CANARY");
    },
  );
});

function flipped(hex: string): string {
  return `${hex.slice(0, -1)}${hex.endsWith("0") ? "1" : "0"}`;
}
