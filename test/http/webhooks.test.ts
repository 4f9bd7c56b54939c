import { describe, expect, test } from "vitest";
import { hmacHex } from "../../src/core/signature.ts";
import { begin, post, type TestHub, testHub } from "../support/http.ts";

const telegramSecret = { "x-telegram-bot-api-secret-token": "telegram-secret" };
const kiosk = { "x-api-key": "kiosk-key-1" };

/** A Telegram update with one text message. */
function update(update_id: number, text = "Hello") {
  const from = { id: 103, is_bot: false, first_name: "Ada" };
  const chat = { id: 103, type: "private", first_name: "Ada" };
  return { update_id, message: { message_id: update_id, date: 1_793_600_000, from, chat, text } };
}

/** A WhatsApp webhook with one text message. */
function whatsapp(id: string, text = "Hello") {
  const metadata = { display_phone_number: "15550783881", phone_number_id: "103" };
  const messages = [
    { id, from: "493012345678", timestamp: "1793600000", type: "text", text: { body: text } },
  ];
  const contacts = [{ wa_id: "493012345678", profile: { name: "Ada" } }];
  const value = { messaging_product: "whatsapp", metadata, contacts, messages };
  return {
    object: "whatsapp_business_account",
    entry: [{ id: "1", changes: [{ field: "messages", value }] }],
  };
}

async function signed(body: unknown): Promise<RequestInit> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const signature = await hmacHex("app-secret", new TextEncoder().encode(text));
  return post(text, { "x-hub-signature-256": `sha256=${signature}` });
}

async function codeOf(response: Response | Promise<Response>) {
  return [(await response).status, ((await (await response).json()) as any).error.code];
}

function requestLine(hub: TestHub) {
  return hub.lines.findLast(({ event }) => event === "request")!;
}

describe("platform webhooks", () => {
  test("acknowledge a Telegram update once it is saved, and the bot answers after", async () => {
    const hub = testHub();
    const response = await hub.request("/webhooks/telegram", post(update(1), telegramSecret));
    expect([response.status, await response.json()]).toEqual([200, {}]);
    expect(requestLine(hub)).toMatchObject({
      level: "info",
      fields: { route: "/webhooks/telegram", status: 200, channel: "telegram", received: 1 },
    });
    await hub.idle();
    const { session } = await begin(hub, { channel: "web", telegram_chat_id: "103" }, kiosk);
    expect(session).toMatchObject({ channel: "telegram", message_count: 2 });
  });

  test("acknowledge a WhatsApp message once it is saved, and name a redelivery in the log", async () => {
    const hub = testHub();
    for (let i = 0; i < 2; i++) {
      const response = await hub.request("/webhooks/whatsapp", await signed(whatsapp("wamid.1")));
      expect([response.status, await response.json()]).toEqual([200, {}]);
    }
    expect(requestLine(hub).fields).toMatchObject({ channel: "whatsapp", received: 1, duplicates: 1 });
    await hub.idle();
    const { session } = await begin(hub, { channel: "web", phone: "+493012345678" }, kiosk);
    expect(session).toMatchObject({ channel: "whatsapp", message_count: 2 });
  });

  test("acknowledge events that open no session, and count them by reason", async () => {
    const hub = testHub();
    const group = update(1);
    group.message.chat = { id: -100, type: "group", first_name: "" };
    const response = await hub.request("/webhooks/telegram", post(group, telegramSecret));
    expect(response.status).toBe(200);
    expect(requestLine(hub).fields).toMatchObject({ received: 0, ignored: { group: 1 } });
  });

  test("take any content type, for platforms choose their own", async () => {
    const hub = testHub();
    const call = post(update(1), { ...telegramSecret, "content-type": "text/plain" });
    expect((await hub.request("/webhooks/telegram", call)).status).toBe(200);
  });

  test.for([
    {},
    { "x-telegram-bot-api-secret-token": "" },
    { "x-telegram-bot-api-secret-token": "telegram-secrets" },
  ])("refuse Telegram's %j with 401", async (headers: Record<string, string>) => {
    const hub = testHub();
    expect(await codeOf(hub.request("/webhooks/telegram", post(update(1), headers)))).toEqual([
      401,
      "unauthorized",
    ]);
  });

  test.for(["", "sha256=", "sha256=00", `sha256=${"0".repeat(64)}`, "nonsense"])(
    "refuse WhatsApp's signature %j with 401 and never show the right one",
    async (signature) => {
      const hub = testHub();
      const call = post(whatsapp("wamid.1"), { "x-hub-signature-256": signature });
      const response = await hub.request("/webhooks/whatsapp", call);
      const right = await hmacHex("app-secret", new TextEncoder().encode(String(call.body)));
      expect(await response.clone().text()).not.toContain(right);
      expect(await codeOf(response)).toEqual([401, "unauthorized"]);
    },
  );

  test("refuse bytes that were changed after signing", async () => {
    const hub = testHub();
    const call = await signed(whatsapp("wamid.1"));
    call.body = String(call.body).replace("Hello", "Hallo");
    expect(await codeOf(hub.request("/webhooks/whatsapp", call))).toEqual([401, "unauthorized"]);
  });

  test("answer 404 for a channel that is not configured", async () => {
    const { hub } = testHub();
    const { web } = hub.channels;
    const without = testHub({ channels: { web: web! } });
    const call = post(update(1), telegramSecret);
    expect(await codeOf(without.request("/webhooks/telegram", call))).toEqual([404, "not_found"]);
    expect(await codeOf(without.request("/webhooks/whatsapp?hub.mode=subscribe"))).toEqual([
      404,
      "not_found",
    ]);
  });

  test("keep the failure of one turn apart from the others", async () => {
    const failing = { history: 0, reply: async () => Promise.reject(new Error("bot")) };
    const hub = testHub({ bot: failing });
    expect((await hub.request("/webhooks/telegram", post(update(1), telegramSecret))).status).toBe(200);
    await hub.idle();
    expect(hub.lines).toContainEqual(
      expect.objectContaining({ event: "turn", fields: expect.objectContaining({ outcome: "failed" }) }),
    );
  });
});

describe("GET /webhooks/whatsapp", () => {
  test("returns the challenge as text for the right verify token", async () => {
    const hub = testHub();
    const query = "hub.mode=subscribe&hub.verify_token=verify-token&hub.challenge=115820";
    const response = await hub.request(`/webhooks/whatsapp?${query}`);
    expect([response.status, await response.text()]).toEqual([200, "115820"]);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
  });

  test("answers 403 to a wrong token and 4xx to other requests", async () => {
    const hub = testHub();
    const wrong = "hub.mode=subscribe&hub.verify_token=guess&hub.challenge=1";
    expect(await codeOf(hub.request(`/webhooks/whatsapp?${wrong}`))).toEqual([403, "forbidden"]);
    expect((await hub.request("/webhooks/whatsapp")).status).toBeGreaterThanOrEqual(400);
    expect((await hub.request("/webhooks/whatsapp")).status).toBeLessThan(500);
  });
});

describe.each(["kiosk", "web"])("POST /webhooks/%s", (name) => {
  const key = { "x-api-key": name === "kiosk" ? "kiosk-key-2" : "web-key" };
  const path = `/webhooks/${name}`;

  test("saves a trusted caller's message and returns message and session", async () => {
    const hub = testHub();
    const body = { external_id: "1", phone: "030 12345678", text: "Hello" };
    const response = await hub.request(path, post(body, key));
    expect(response.status).toBe(200);
    const answer = (await response.json()) as any;
    expect(answer).toMatchObject({
      message: {
        external_id: "1",
        channel: name,
        kind: "text",
        text: "Hello",
        direction: "inbound",
        role: "user",
      },
      session: { phone: "+493012345678", channel: name, channels: [name], message_count: 1 },
      duplicate: false,
    });
    expect(answer.replies).toBeUndefined();
  });

  test("delays the answer until the bot's replies are saved", async () => {
    const hub = testHub();
    const { bearer, id } = await begin(hub);
    const response = await hub.request(`${path}?wait=10`, post({ external_id: "1", text: "Hello" }, bearer));
    const { message, session, duplicate, replies } = (await response.json()) as any;
    expect([session.session_id, duplicate]).toEqual([id, false]);
    expect(replies).toMatchObject([
      { direction: "outbound", role: "assistant", channel: name, status: "sent" },
    ]);
    expect(replies[0].reply_to).toBe(message.message_id);
    expect(replies[0].text).toContain("Hello");
  });

  test("asks the store for the replies only when the bot has answered", async () => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    let asked = 0;
    const { messages } = hub.hub.store.sessions;
    hub.hub.store.sessions.messages = (...call) => {
      asked++;
      return messages(...call);
    };
    await hub.request(`${path}?wait=10`, post({ external_id: "1", text: "Hello" }, bearer));
    expect(asked).toBe(1);
  });

  test("answers a redelivery with the first message and the earlier replies", async () => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    const call = () => hub.request(`${path}?wait=10`, post({ external_id: "1", text: "Hello" }, bearer));
    const first = (await (await call()).json()) as any;
    const second = (await (await call()).json()) as any;
    expect(second.duplicate).toBe(true);
    expect(second.message).toEqual(first.message);
    expect(second.replies).toEqual(first.replies);
    expect(second.session.message_count).toBe(2);
  });

  test("answers a silent bot's turn as soon as it is over", async () => {
    const hub = testHub({ bot: { history: 0, reply: async () => [] } });
    const { bearer } = await begin(hub);
    const started = Date.now();
    const response = await hub.request(`${path}?wait=20`, post({ external_id: "1", text: "Hello" }, bearer));
    expect(((await response.json()) as any).replies).toEqual([]);
    expect(Date.now() - started).toBeLessThan(2_000);
  });

  test("answers without replies when the wait ends, and the bot continues", async () => {
    let done = (_: unknown): void => {};
    const slow = new Promise((resolve) => {
      done = resolve;
    });
    const hub = testHub({
      bot: {
        history: 0,
        reply: async () => {
          await slow;
          return [{ kind: "text", text: "late" }];
        },
      },
    });
    const { bearer } = await begin(hub);
    const response = await hub.request(`${path}?wait=0.2`, post({ external_id: "1", text: "Hello" }, bearer));
    expect(((await response.json()) as any).replies).toEqual([]);
    done(undefined);
    await hub.idle();
    const { messages } = (await (await hub.request("/session/messages", { headers: bearer })).json()) as any;
    expect(messages.map(({ text }: any) => text)).toEqual(["Hello", "late"]);
  });

  test("waits for its own reply while another request holds the session's turn", async () => {
    const hub = testHub({
      bot: {
        history: 0,
        reply: async ({ message }) => {
          await new Promise((resolve) => setTimeout(resolve, 150));
          return [{ kind: "text", text: `to ${message.text}` }];
        },
      },
    });
    const { bearer } = await begin(hub);
    const ask = (external_id: string) =>
      hub.request(`${path}?wait=10`, post({ external_id, text: external_id }, bearer));
    const responses = await Promise.all(["1", "2", "3"].map(ask));
    const answers = (await Promise.all(responses.map((response) => response.json()))) as any[];
    expect(answers.map(({ replies }) => replies.map(({ text }: any) => text))).toEqual([
      ["to 1"],
      ["to 2"],
      ["to 3"],
    ]);
  });

  test("answers 401 without a key, to an unknown key and to the other channel's key", async () => {
    const hub = testHub();
    const other = name === "kiosk" ? "web-key" : "kiosk-key-1";
    for (const headers of [
      {},
      { "x-api-key": "guess" },
      { "x-api-key": other },
      { authorization: "Basic eA==" },
    ]) {
      const call = post(
        { external_id: "1", phone: "+493012345678", text: "x" },
        headers as Record<string, string>,
      );
      expect(await codeOf(hub.request(path, call))).toEqual([401, "unauthorized"]);
    }
  });

  test("accepts the admin key like this channel's key", async () => {
    const hub = testHub();
    const call = post({ external_id: "1", phone: "+493012345678", text: "x" }, { "x-api-key": "admin-key" });
    expect((await hub.request(path, call)).status).toBe(200);
  });

  test("answers 404 to the token of an ended or expired session", async () => {
    const hub = testHub();
    const one = await begin(hub);
    const two = await begin(hub);
    await hub.request("/session/end", { method: "POST", headers: one.bearer });
    const body = { external_id: "1", text: "x" };
    expect(await codeOf(hub.request(path, post(body, one.bearer)))).toEqual([404, "session_not_found"]);
    hub.clock.now = new Date("2026-12-01T00:00:00Z");
    expect(await codeOf(hub.request(path, post(body, two.bearer)))).toEqual([404, "session_expired"]);
  });

  test.for([{}, { external_id: "1" }, { text: "x" }, { external_id: 1, text: "x" }, [], null])(
    "refuses %j as malformed",
    async (body) => {
      const hub = testHub();
      const { bearer } = await begin(hub);
      expect(await codeOf(hub.request(path, post(JSON.stringify(body), bearer)))).toEqual([400, "malformed"]);
    },
  );

  test("refuses another content type with 415 and a strange wait with 400", async () => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    const body = { external_id: "1", text: "x" };
    const plain = post(body, { ...bearer, "content-type": "text/plain" });
    expect(await codeOf(hub.request(path, plain))).toEqual([415, "unsupported_media_type"]);
    expect(await codeOf(hub.request(`${path}?wait=26`, post(body, bearer)))).toEqual([400, "malformed"]);
  });
});

test("one customer goes from web to kiosk to WhatsApp in one session", async () => {
  const hub = testHub();
  const key = { "x-api-key": "web-key" };
  const { id } = await begin(hub, { channel: "web", phone: "+49 30 12345678" }, key);
  const body = { external_id: "1", phone: "030 12345678", text: "Hello" };
  await hub.request("/webhooks/kiosk", post(body, kiosk));
  await hub.request("/webhooks/whatsapp", await signed(whatsapp("wamid.1")));
  await hub.idle();
  const response = await hub.request("/session/restore?phone=%2B493012345678", { headers: key });
  const { session } = (await response.json()) as any;
  expect(session).toMatchObject({ session_id: id, channels: ["web", "kiosk", "whatsapp"], message_count: 4 });
});
