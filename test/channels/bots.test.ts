import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import echo from "../../src/bots/echo/index.ts";
import { bots } from "../../src/bots/index.ts";
import webhook from "../../src/bots/webhook.ts";
import type { Answer } from "../../src/core/answer/bot.ts";
import type { Turn } from "../../src/core/answer/turn.ts";
import { REPLY_KINDS } from "../../src/core/content/reply.ts";
import { HubError } from "../../src/core/errors.ts";
import type { Message } from "../../src/core/messages/message.ts";
import type { Session } from "../../src/core/sessions/session.ts";
import { withTimeout } from "../../src/core/timeout.ts";
import { type MediaLinks, mediaLinks } from "../../src/features/media/links.ts";

const at = new Date("2026-11-01T10:05:00.000Z");
const session: Session = {
  session_id: "6f1f2a3e-0d7c-4c1a-9b7e-2a53d1f0c9aa",
  phone: "+5511987654321",
  channel: "web",
  channels: ["web", "kiosk"],
  status: "active",
  data: { cart: [] },
  metadata: {},
  version: 1,
  message_count: 3,
  created_at: at,
  updated_at: at,
  last_activity: at,
  expires_at: new Date("2026-11-08T10:05:00.000Z"),
};

function said(text: string, more: Partial<Message> = {}): Message {
  return {
    message_id: "4d0c8a52-1f57-4f37-8a3c-0a4b5c6d7e8f",
    session_id: session.session_id,
    seq: 3,
    channel: "kiosk",
    external_id: "m-3",
    direction: "inbound",
    role: "user",
    kind: "text",
    text,
    content: { kind: "text", text },
    created_at: at,
    ...more,
  };
}

function turnOf(message: Message, more: Partial<Turn> = {}): Turn {
  return {
    turn_id: "0b6f7c1e-5a0f-4a3e-9d0f-3f1f0c2f8a11",
    attempt: 2,
    session,
    message,
    messages: [message],
    channel: message.channel,
    account: "100000000000001",
    address: { phone: "secret-address" },
    history: [said("earlier", { seq: 1, sent_at: at })],
    ...more,
  };
}

const patient = new AbortController().signal;

test("the list holds every bot by its name", () => {
  expect(Object.keys(bots)).toEqual(["echo", "llm", "webhook"]);
});

describe("echo", () => {
  test("repeats the text, with its channel and the session's channels", async () => {
    expect(await echo().reply(turnOf(said("hi")), patient)).toEqual([
      { kind: "text", text: 'You said "hi" on kiosk. This session has seen: web, kiosk.' },
    ]);
  });

  test("quotes a long text in full", async () => {
    const long = "word ".repeat(3_000);
    const replies = (await echo().reply(turnOf(said(long)), patient)) as readonly unknown[];
    expect(replies).toMatchObject([{ text: expect.stringContaining(long) }]);
  });

  test("names the kind of content without text", async () => {
    const replies = (await echo().reply(
      turnOf(said("", { kind: "reaction" })),
      patient,
    )) as readonly unknown[];
    expect(replies).toMatchObject([
      { text: "You sent a message of kind reaction on kiosk. This session has seen: web, kiosk." },
    ]);
  });

  test.each([
    ["hi", "4 मेहमानों के लिए मेज़ बुक हो गई है: 24 दिसंबर 2026 को 7:00 pm बजे।"],
    [undefined, "A table for 4 guests is booked: December 24, 2026 at 7:00 PM."],
  ])("books a table and confirms it in the session's language (%s)", async (language, text) => {
    const turn = turnOf(said("/book 4 2026-12-24T19:00+01:00"), {
      session: { ...session, ...(language && { language }) },
    });
    const answer = (await echo().reply(turn, patient)) as Answer;
    expect({
      ...answer,
      replies: answer.replies.map((reply) =>
        (reply.kind === "text" ? reply.text : "").replaceAll("\u202f", " "),
      ),
    }).toEqual({
      replies: [text],
      actions: [
        {
          type: "create_reservation",
          name: "Guest",
          guests: 4,
          datetime: "2026-12-24T18:00:00.000Z",
          timezone: "+01:00",
        },
      ],
    });
  });

  test("names what is wrong with a time, and repeats a booking that the hub has refused", async () => {
    expect(await echo().reply(turnOf(said("/book 4 tomorrow")), patient)).toMatchObject({
      replies: [{ text: "The time must be a date and a time such as 2026-12-01T19:00:00+01:00." }],
      actions: [],
    });
    const failure = { code: "needs_database", reason: "actions[0]" } as const;
    const again = await echo().reply(turnOf(said("/book 4 2026-12-24T19:00Z"), { failure }), patient);
    expect(again).toMatchObject([{ text: expect.stringContaining("You said") }]);
  });

  test("asks for no history", () => {
    expect(echo().history).toBe(0);
  });
});

describe("webhook", () => {
  const secret = "a-secret-of-the-bot";
  const cleanups: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  interface Heard {
    readonly request: IncomingMessage;
    readonly body: Buffer;
  }

  /** A bot server that answers with `respond`, and the requests that it received. */
  async function operator(respond: (response: ServerResponse, request: IncomingMessage) => void) {
    const heard: Heard[] = [];
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      heard.push({ request, body: Buffer.concat(chunks) });
      respond(response, request);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(
      () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    );
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/bot?key=url-secret`;
    return { url, heard };
  }

  const json = (body: unknown) => (response: ServerResponse) => {
    response.setHeader("content-type", "application/json").end(JSON.stringify(body));
  };
  const status =
    (code: number, headers: Record<string, string> = {}) =>
    (response: ServerResponse) => {
      response.writeHead(code, headers).end("an explanation");
    };

  async function ask(respond: Parameters<typeof operator>[0], signal = patient) {
    const { url, heard } = await operator(respond);
    const bot = webhook({ BOT_WEBHOOK_URL: url, BOT_WEBHOOK_SECRET: secret }, { now: () => at });
    try {
      const answer = await bot.reply(turnOf(said("Olá 👋")), signal);
      const { replies, actions } = "replies" in answer ? answer : { replies: answer, actions: undefined };
      return { heard, replies, actions };
    } catch (error) {
      return { heard, error: error as HubError };
    }
  }

  test("sends a link to each message's file, where the hub signs links and knows its address", async () => {
    const { url, heard } = await operator(json({ replies: [] }));
    const bot = webhook({ BOT_WEBHOOK_URL: url, BOT_WEBHOOK_SECRET: secret }, { now: () => at });
    const content = { kind: "audio", voice: true, media: { id: "file-1" } } as const;
    const voice = said("[audio]", { kind: "audio", content });
    const turn = turnOf(voice, { history: [said("Hello")] });
    const links = mediaLinks(["a secret of at least 32 characters, surely"], "https://hub.test");
    const parts = (links: MediaLinks) => ({ media: { links, maxBytes: 1 } }) as never;
    await bot.reply(turn, patient, parts(links));
    await bot.reply(turn, patient, parts(mediaLinks([], "https://hub.test")));
    const [linked, plain] = heard.map(({ body }) => JSON.parse(body.toString("utf8")));
    for (const message of [linked.message, ...linked.messages])
      expect(message).toMatchObject({
        media_url: expect.stringMatching(
          new RegExp(
            `^https://hub\\.test/api/media/${voice.message_id}\\?expires=1793534400&signature=[0-9a-f]{32}$`,
          ),
        ),
        media_expires_at: "2026-11-01T12:00:00.000Z",
        content,
      });
    expect(linked.history[0]).not.toHaveProperty("media_url");
    expect(plain.message).not.toHaveProperty("media_url");
  });

  test("posts the turn, signed over its time and bytes", async () => {
    const { heard } = await ask(json({ replies: [] }));
    expect(heard).toHaveLength(1);
    const { request, body } = heard[0]!;
    expect(request.method).toBe("POST");
    expect(request.url).toBe("/bot?key=url-secret");
    expect(request.headers).toMatchObject({
      "content-type": "application/json",
      "x-hub-turn-id": "0b6f7c1e-5a0f-4a3e-9d0f-3f1f0c2f8a11",
      "x-hub-timestamp": String(at.getTime() / 1000),
      "x-hub-signature": `sha256=${createHmac("sha256", secret)
        .update(`${at.getTime() / 1000}.`)
        .update(body)
        .digest("hex")}`,
    });
  });

  test("sends session, message and history with ISO dates, and neither address nor account", async () => {
    const { heard } = await ask(json({ replies: [] }));
    const body = heard[0]!.body.toString("utf8");
    expect(JSON.parse(body)).toEqual({
      turn_id: "0b6f7c1e-5a0f-4a3e-9d0f-3f1f0c2f8a11",
      attempt: 2,
      session: {
        ...session,
        created_at: "2026-11-01T10:05:00.000Z",
        updated_at: "2026-11-01T10:05:00.000Z",
        last_activity: "2026-11-01T10:05:00.000Z",
        expires_at: "2026-11-08T10:05:00.000Z",
      },
      message: { ...said("Olá 👋"), created_at: "2026-11-01T10:05:00.000Z" },
      messages: [{ ...said("Olá 👋"), created_at: "2026-11-01T10:05:00.000Z" }],
      history: [
        {
          ...said("earlier", { seq: 1 }),
          created_at: "2026-11-01T10:05:00.000Z",
          sent_at: "2026-11-01T10:05:00.000Z",
        },
      ],
    });
    expect(body).not.toContain("secret-address");
  });

  test("asks for 20 earlier messages", () => {
    expect(webhook({ BOT_WEBHOOK_URL: "https://bot.test/", BOT_WEBHOOK_SECRET: secret }).history).toBe(20);
  });

  test("hands over what the bot asks to, and refuses a handoff that is none", async () => {
    const handed = async (handoff: unknown) => {
      const { url } = await operator(json({ replies: [{ text: "Wait" }], handoff }));
      const bot = webhook({ BOT_WEBHOOK_URL: url, BOT_WEBHOOK_SECRET: secret });
      return bot.reply(turnOf(said("Hi")), patient);
    };
    const handoff = { reason: "a refund", to: "billing" };
    expect(await handed(handoff)).toMatchObject({ replies: [{ text: "Wait" }], actions: [], handoff });
    expect(await handed(undefined)).toEqual([{ kind: "text", text: "Wait" }]);
    for (const wrong of [{}, { reason: "" }, { reason: "x".repeat(201) }, { reason: "a", other: 1 }, "now"])
      await expect(handed(wrong)).rejects.toMatchObject({ reason: "bot_bad_answer" });
  });

  test("takes waiting messages in one turn, and edits and reactions, only with the settings", () => {
    const env = { BOT_WEBHOOK_URL: "https://bot.test/", BOT_WEBHOOK_SECRET: secret };
    expect(webhook(env)).toMatchObject({ batch: false, hears: { edits: false, reactions: false } });
    expect(webhook({ ...env, BOT_BATCH: "true", BOT_HEARS: "edits,reactions" })).toMatchObject({
      batch: true,
      hears: { edits: true, reactions: true },
    });
    expect(webhook({ ...env, BOT_HEARS: "reactions" })).toMatchObject({
      hears: { edits: false, reactions: true },
    });
    expect(() => webhook({ ...env, BOT_HEARS: "gossip" })).toThrow(
      "BOT_HEARS must be a list of edits and reactions",
    );
  });

  test("passes the signature check in the docs for bot authors", async () => {
    const snippet = /```js\n([\s\S]*?)```/.exec(readFileSync("docs/bots.md", "utf8"))![1]!;
    const { isFromHub } = (await import(
      /* @vite-ignore */ `data:text/javascript,${encodeURIComponent(snippet)}`
    )) as { isFromHub: (secret: string, headers: object, body: Buffer) => boolean };
    const { url, heard } = await operator(json({ replies: [] }));
    const notified = { BOT_WEBHOOK_URL: url, BOT_WEBHOOK_SECRET: secret };
    await webhook(notified).reply(turnOf(said("hi")), patient);
    const { request, body } = heard[0]!;
    expect(isFromHub(secret, request.headers, body)).toBe(true);
    expect(isFromHub("another-secret-here", request.headers, body)).toBe(false);
    expect(isFromHub(secret, request.headers, Buffer.concat([body, Buffer.from(" ")]))).toBe(false);
    expect(isFromHub(secret, {}, body)).toBe(false);
    expect(isFromHub(secret, { ...request.headers, "x-hub-signature": "sha256=00" }, body)).toBe(false);
    await webhook(notified, { now: () => new Date(Date.now() - 301_000) }).reply(turnOf(said("hi")), patient);
    expect(isFromHub(secret, heard[1]!.request.headers, heard[1]!.body)).toBe(false);
  });

  describe("passes on", () => {
    test("replies in order, without other fields", async () => {
      const { replies } = await ask(
        json({
          replies: [
            { text: "one", mood: "good" },
            { kind: "text", text: "two" },
          ],
          usage: 12,
        }),
      );
      expect(replies).toEqual([
        { kind: "text", text: "one" },
        { kind: "text", text: "two" },
      ]);
    });

    test("no unknown fields, and logs their names the first time", async () => {
      const answer = {
        replies: [
          { text: "one", buttons: ["secret"] },
          { text: "two", mood: "secret" },
        ],
        usage: 12,
      };
      const { url } = await operator(json(answer));
      const lines: unknown[] = [];
      const bot = webhook(
        { BOT_WEBHOOK_URL: url, BOT_WEBHOOK_SECRET: secret },
        { log: (level, event, fields) => void lines.push({ level, event, ...fields }) },
      );
      for (let i = 0; i < 3; i++) await bot.reply(turnOf(said("hi")), patient);
      expect(lines).toEqual([
        {
          level: "warn",
          event: "bot.unknown_fields",
          turn_id: turnOf(said("hi")).turn_id,
          fields: ["usage", "replies[].buttons", "replies[].mood"],
          advice: expect.stringContaining("docs/bots.md"),
        },
      ]);
    });

    test("silence, as an empty list or as 204", async () => {
      expect((await ask(json({ replies: [] }))).replies).toEqual([]);
      expect((await ask((response) => response.writeHead(204).end())).replies).toEqual([]);
    });

    test("ten replies, and an answer of nearly 256 KiB", async () => {
      const text = "x".repeat(26_000);
      const { replies } = await ask(json({ replies: Array(10).fill({ text }) }));
      expect(replies).toHaveLength(10);
      expect(replies?.[9]).toEqual({ kind: "text", text });
    });

    test("another status of success, and an answer in chunks", async () => {
      const { replies } = await ask((response) => {
        response.writeHead(201);
        response.write('{"replies":[{"te');
        setTimeout(() => response.end('xt":"olá"}]}'), 20);
      });
      expect(replies).toEqual([{ kind: "text", text: "olá" }]);
    });

    test("invalid text as text that can be stored", async () => {
      const { replies } = await ask((response) => response.end('{"replies":[{"text":"a\\u0000b\\ud800c"}]}'));
      expect(replies).toEqual([{ kind: "text", text: "a\ufffdb\ufffdc" }]);
    });
  });

  describe("has actions", () => {
    const table = { name: "Anna", datetime: "2026-12-01T19:00:00+01:00", guests: 4 };
    const tea = { amount: 12.5, currency: "EUR", items: [{ sku: "tea", quantity: 2, unit_amount: "6.25" }] };

    test("which are ready for the store, with instants, exact amounts and phones", async () => {
      const { replies, actions } = await ask(
        json({
          replies: [{ text: "Booked" }],
          actions: [
            { type: "create_reservation", ...table, phone: "+49 30 12345678" },
            {
              type: "update_reservation",
              reservation_id: "6F1F2A3E-0D7C-4C1A-9B7E-2A53D1F0C9AA",
              status: "cancelled",
            },
            { type: "create_order", order_id: "A-1", ...tea },
            { type: "update_order", order_id: "A-1", status: "paid" },
            { type: "set_language", language: "HI-in" },
            { type: "update_customer", name: " Anna ", phone: "+49 30 12345678", attributes: { a: 1 } },
            { type: "set_data", data: { step: 2 } },
            { type: "set_summary", summary: "Tea" },
            { type: "end_session" },
          ],
        }),
      );
      expect(replies).toEqual([{ kind: "text", text: "Booked" }]);
      expect(actions).toEqual([
        {
          type: "create_reservation",
          ...table,
          datetime: "2026-12-01T18:00:00.000Z",
          timezone: "+01:00",
          phone: "+493012345678",
        },
        {
          type: "update_reservation",
          reservation_id: "6f1f2a3e-0d7c-4c1a-9b7e-2a53d1f0c9aa",
          status: "cancelled",
        },
        { type: "create_order", order_id: "A-1", ...tea, amount: "12.50" },
        { type: "update_order", order_id: "A-1", status: "paid" },
        { type: "set_language", language: "hi-IN" },
        { type: "update_customer", name: "Anna", phone: "+493012345678", attributes: { a: 1 } },
        { type: "set_data", data: { step: 2 } },
        { type: "set_summary", summary: "Tea" },
        { type: "end_session" },
      ]);
    });

    test("without replies, and an empty list is none", async () => {
      const ended = await ask(json({ replies: [], actions: [{ type: "end_session", summary: "Bye" }] }));
      expect(ended).toMatchObject({ replies: [], actions: [{ type: "end_session", summary: "Bye" }] });
      expect((await ask(json({ replies: [], actions: [] }))).actions).toBeUndefined();
    });

    test.for<[object, string]>([
      [{ type: "fly" }, "actions[0].type: Invalid discriminator value. Expected 'create_reservation'"],
      [{}, "actions[0].type: Invalid discriminator value. Expected 'create_reservation'"],
      [
        { type: "create_order", ...tea, amount: "12.505" },
        "actions[0].amount: must be an exact amount with at most 2 decimals",
      ],
      [
        { type: "create_order", ...tea, currency: "JPY", amount: "12" },
        "actions[0].items[0].unit_amount: must be an exact amount with at most 0 decimals",
      ],
      [
        { type: "create_order", amount: "1", currency: "XYZ" },
        "actions[0].currency: must be a currency of ISO 4217",
      ],
      [
        { type: "update_order", status: "paid" },
        "actions[0].order_id: Invalid input: expected string, received undefined",
      ],
      [{ type: "update_order", order_id: "A", amount: "1" }, "actions[0].currency: is needed with an amount"],
      [{ type: "update_order", order_id: "A", plan: "premium" }, 'actions[0]: Unrecognized key: "plan"'],
      [
        { type: "create_reservation", ...table, guests: 1001 },
        "actions[0].guests: Too big: expected number to be <=1000",
      ],
      [
        { type: "create_reservation", ...table, datetime: "2026-12-01T19:00" },
        "actions[0].datetime: needs an offset such as +01:00, or a timezone",
      ],
      [
        { type: "create_reservation", ...table, phone: "030 12345678" },
        "actions[0].phone: must be a phone with + and the country's prefix",
      ],
      [{ type: "update_customer", customer_id: "103" }, 'actions[0]: Unrecognized key: "customer_id"'],
      [
        { type: "set_data", data: { text: "x".repeat(70_000) } },
        "actions[0].data: must be at most 65536 bytes",
      ],
    ])("%j are a bad answer, and what is wrong is named", async ([action, wrong]) => {
      const { error } = await ask(json({ replies: [{ text: "Booked" }], actions: [action] }));
      expect(error).toMatchObject({ code: "unavailable", reason: "bot_bad_answer" });
      expect(error?.message).toContain(`the bot's answer cannot be used: ${wrong}`);
    });

    test("twenty at most", async () => {
      const { error } = await ask(
        json({ replies: [], actions: Array(21).fill({ type: "set_summary", summary: "x" }) }),
      );
      expect(error?.message).toMatch(/actions: Too big: expected array to have <=20 items$/);
    });

    test("and the bot learns why its last attempt failed", async () => {
      const failure = { code: "order_conflict", reason: "actions[1]" } as const;
      const { url, heard } = await operator(json({ replies: [] }));
      const bot = webhook({ BOT_WEBHOOK_URL: url, BOT_WEBHOOK_SECRET: secret }, { now: () => at });
      await bot.reply(turnOf(said("hi"), { failure }), patient);
      expect(JSON.parse(heard[0]!.body.toString()).failure).toEqual(failure);
    });
  });

  describe("counts as a failed attempt", () => {
    test.for<[string, Parameters<typeof operator>[0]]>([
      ["an empty body", (response) => response.end()],
      ["a page of HTML", (response) => response.end("<html>Welcome</html>")],
      ["half an answer", (response) => response.end('{"replies":[{"text":"hi"')],
      ["another shape", json({ reply: "hi" })],
      ["a bare list", json([{ text: "hi" }])],
      ["replies of plain text", json({ replies: ["hi"] })],
      ["a reply that is no text", json({ replies: [{ text: 7 }] })],
      ["a reply of a kind that cannot be sent", json({ replies: [{ kind: "image", text: "hi" }] })],
      ["a blank reply", json({ replies: [{ text: "hi" }, { text: " \n" }] })],
      ["eleven replies", json({ replies: Array(11).fill({ text: "hi" }) })],
      ["deep nesting", (response) => response.end(`${"[".repeat(1000)}${"]".repeat(1000)}`)],
      ["more than 256 KiB", json({ replies: [{ text: "x".repeat(256 * 1024) }] })],
      [
        "more than 256 KiB once unpacked",
        (response) => {
          const packed = gzipSync(JSON.stringify({ replies: [{ text: "x".repeat(1_000_000) }] }));
          response.writeHead(200, { "content-encoding": "gzip" }).end(packed);
        },
      ],
    ])("%s, as a bad answer", async ([, respond]) => {
      const { error } = await ask(respond);
      expect(error).toBeInstanceOf(HubError);
      expect(error).toMatchObject({ code: "unavailable", reason: "bot_bad_answer" });
    });

    test.for<[object, string]>([
      [{ reply: "hi" }, "replies: Invalid input: expected array, received undefined"],
      [
        { replies: [{ text: "hi" }, { text: 7 }] },
        "replies[1].text: Invalid input: expected string, received number",
      ],
      [
        { replies: [{ text: " secret\n".trim() }, { text: " \n" }] },
        "replies[1].text: must be a text that is not blank",
      ],
      [
        { replies: [{ kind: "secret", text: "hi" }] },
        `replies[0].kind: Invalid discriminator value. Expected ${REPLY_KINDS.map((kind) => `'${kind}'`).join(" | ")}`,
      ],
      [
        { replies: Array(11).fill({ text: "secret" }) },
        "replies: Too big: expected array to have <=10 items",
      ],
      [["secret"], "the answer: Invalid input: expected object, received array"],
    ])("%j, and names what is wrong with it but not what it says", async ([answer, wrong]) => {
      const { error } = await ask(json(answer));
      expect(error?.message).toBe(`the bot's answer cannot be used: ${wrong}`);
    });

    test("an endless answer, of which it reads only up to the limit", async () => {
      let written = 0;
      let closed = false;
      const { error } = await ask((response) => {
        response.on("close", () => {
          closed = true;
        });
        const more = () => {
          while (!closed && response.write(Buffer.alloc(65_536, "x"))) written += 65_536;
        };
        response.on("drain", more);
        more();
      });
      expect(error).toMatchObject({ code: "unavailable", reason: "bot_bad_answer" });
      await expect.poll(() => closed).toBe(true);
      expect(written).toBeLessThan(20_000_000);
    });

    test.for([400, 401, 404, 410, 418, 500, 502, 503])("status %i", async (code) => {
      const { error } = await ask(status(code));
      expect(error).toMatchObject({ code: "unavailable", reason: `bot_http_${code}` });
      expect(error?.retryAfterMs).toBeUndefined();
    });

    test.for<[number, string | undefined, number | undefined]>([
      [429, "7", 7_000],
      [503, "7", 7_000],
      [429, "0", 0],
      [429, "Sun, 01 Nov 2026 10:05:30 GMT", 30_000],
      [503, "Sun, 01 Nov 2026 10:04:00 GMT", 0],
      [429, "999999999", 900_000],
      [429, "soon", undefined],
      [429, undefined, undefined],
    ])("status %i with Retry-After %s, waiting %s ms", async ([code, after, retryAfterMs]) => {
      const { error } = await ask(status(code, after === undefined ? {} : { "retry-after": after }));
      expect(error).toMatchObject({ code: "throttled", reason: `bot_http_${code}` });
      expect(error?.retryAfterMs).toBe(retryAfterMs);
    });

    test.for([301, 302, 303, 307, 308])("a redirect by %i, which it does not follow", async (code) => {
      const elsewhere = await operator(json({ replies: [{ text: "stolen" }] }));
      const { error } = await ask(status(code, { location: elsewhere.url }));
      expect(error).toMatchObject({ code: "unavailable", reason: `bot_http_${code}` });
      expect(elsewhere.heard).toEqual([]);
    });

    test("a connection that is cut before the answer or within it", async () => {
      const before = await ask((response) => response.destroy());
      expect(before.error).toMatchObject({ code: "unavailable", reason: "bot_unreachable" });
      const within = await ask((response) => {
        response.writeHead(200, { "content-length": "1000" });
        response.write('{"replies":[');
        setTimeout(() => response.destroy(), 20);
      });
      expect(within.error).toMatchObject({ code: "unavailable", reason: "bot_unreachable" });
    });

    test("a closed port, without logging the URL", async () => {
      const bot = webhook({
        BOT_WEBHOOK_URL: "http://127.0.0.1:1/?key=url-secret",
        BOT_WEBHOOK_SECRET: secret,
      });
      const error = await bot.reply(turnOf(said("hi")), patient).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: "unavailable", reason: "bot_unreachable" });
      expect(error.message).toBe("the bot cannot be reached");
    });

    test.for<[string, (response: ServerResponse) => void]>([
      ["without an answer", () => {}],
      ["in the middle of an answer", (response) => response.writeHead(200).write('{"replies":[')],
    ])("waiting past the limit %s, and hangs up", async ([, respond]) => {
      let hungUp = false;
      const { url } = await operator((response) => {
        response.on("close", () => {
          hungUp = true;
        });
        respond(response);
      });
      const bot = webhook({ BOT_WEBHOOK_URL: url, BOT_WEBHOOK_SECRET: secret });
      const asked = withTimeout(100, "bot_timeout", (signal) => bot.reply(turnOf(said("hi")), signal));
      await expect(asked).rejects.toMatchObject({ code: "unavailable", reason: "bot_timeout" });
      await expect.poll(() => hungUp).toBe(true);
    });
  });

  describe("is refused at start", () => {
    const url = "https://bot.test/hook";
    test.for<[string, Record<string, string>, RegExp]>([
      ["without its settings", {}, /BOT_WEBHOOK_URL.*BOT_WEBHOOK_SECRET/],
      ["without a secret", { BOT_WEBHOOK_URL: url }, /BOT_WEBHOOK_SECRET is missing/],
      ["without a URL", { BOT_WEBHOOK_SECRET: secret }, /BOT_WEBHOOK_URL is missing/],
      [
        "with a short secret",
        { BOT_WEBHOOK_URL: url, BOT_WEBHOOK_SECRET: "hunter2hunter2!" },
        /BOT_WEBHOOK_SECRET must/,
      ],
      ...[
        "bot.test",
        "http://bot.test/",
        "http://127.0.0.1.evil.test/",
        "http://localhost.evil.test/",
        "http://10.0.0.1/",
        "ftp://127.0.0.1/",
        "https://user:hunter2@bot.test/",
      ].map((wrong): [string, Record<string, string>, RegExp] => [
        `with the URL ${wrong}`,
        { BOT_WEBHOOK_URL: wrong, BOT_WEBHOOK_SECRET: secret },
        /BOT_WEBHOOK_URL must be an https URL/,
      ]),
    ])("%s, naming the setting and no value", ([, env, message]) => {
      expect(() => webhook(env)).toThrow(expect.objectContaining({ code: "misconfigured" }));
      expect(() => webhook(env)).toThrow(message);
      expect(() => webhook(env)).not.toThrow(/hunter2/);
    });

    test("not with https anywhere, nor with http on this machine", () => {
      for (const right of [
        url,
        "http://localhost:3000/",
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "http://bot.localhost/",
      ])
        expect(() => webhook({ BOT_WEBHOOK_URL: right, BOT_WEBHOOK_SECRET: secret })).not.toThrow();
    });
  });
});
