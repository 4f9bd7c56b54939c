import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Bot } from "../../src/core/answer/bot.ts";
import type { Channel } from "../../src/core/channel.ts";
import { HubError } from "../../src/core/errors.ts";
import type { Store } from "../../src/core/store.ts";
import { begin, type Line, post, type TestHub, testHub } from "../support/http.ts";

const secret = { "x-telegram-bot-api-secret-token": "telegram-secret" };
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const uuid = expect.stringMatching(/^[0-9a-f-]{36}$/);

function update(update_id: number) {
  const chat = { id: 103, type: "private", first_name: "Ada" };
  const message = {
    message_id: update_id,
    date: 1_793_600_000,
    from: { ...chat, is_bot: false },
    chat,
    text: "Hello",
  };
  return post({ update_id, message }, { ...secret, "x-request-id": `request-${update_id}` });
}

/** A hub whose Telegram accepts every part, unless `send` is given. */
function hubWith(
  parts: { bot?: Bot; send?: Channel["send"]; showTyping?: Channel["showTyping"]; store?: Store } = {},
): TestHub {
  const { channels } = testHub().hub;
  const { send = async () => "id", showTyping = async () => {}, bot, store } = parts;
  const telegram: Channel = { ...channels.telegram!, send, showTyping };
  return testHub({ channels: { ...channels, telegram }, ...(bot && { bot }), ...(store && { store }) });
}

/** All log lines of one kind. */
function linesOf({ lines }: TestHub, event: string): Line[] {
  return lines.filter((line) => line.event === event);
}

describe("the request's line", () => {
  test("is one, with its id, its ids, counts, code and time", async () => {
    const hub = hubWith();
    await hub.request("/webhooks/telegram", update(1));
    await hub.idle();
    expect(linesOf(hub, "request")).toEqual([
      {
        level: "info",
        event: "request",
        fields: {
          request_id: "request-1",
          method: "POST",
          route: "/webhooks/telegram",
          status: 200,
          duration_ms: expect.any(Number),
          channel: "telegram",
          received: 1,
          turns: 1,
          session_ids: [uuid],
          message_ids: [uuid],
        },
      },
    ]);
  });

  test("makes a request id if none or an invalid one is given", async () => {
    for (const given of [undefined, "a b", "x".repeat(65), '{"x":1}']) {
      const hub = testHub();
      const response = await hub.request("/", given ? { headers: { "x-request-id": given } } : {});
      const id = response.headers.get("x-request-id");
      expect(id).toMatch(/^[0-9a-f-]{36}$/);
      expect(linesOf(hub, "request")[0]?.fields.request_id).toBe(id);
    }
  });
});

describe("the turn's line", () => {
  test("is one, with the request that began it, its ids, counts and times", async () => {
    const bot: Bot = {
      history: 0,
      reply: async () => [
        { kind: "text", text: "one" },
        { kind: "text", text: "x\n".repeat(2_500) },
      ],
    };
    const hub = hubWith({ bot });
    await hub.request("/webhooks/telegram", update(1));
    await hub.idle();
    const { session_ids, message_ids } = linesOf(hub, "request")[0]!.fields as Record<string, string[]>;
    expect(linesOf(hub, "turn")).toEqual([
      {
        level: "info",
        event: "turn",
        fields: {
          request_id: "request-1",
          turn_id: uuid,
          session_id: session_ids?.[0],
          message_id: message_ids?.[0],
          channel: "telegram",
          attempt: 1,
          outcome: "done",
          messages: 1,
          replies: 2,
          parts_sent: 3,
          parts_failed: 0,
          parts_dead: 0,
          bot_ms: 0,
          save_ms: 0,
          send_ms: 0,
        },
      },
    ]);
  });

  test("measures each time on its own", async () => {
    const bot: Bot = {
      history: 0,
      async reply() {
        pass(700);
        return [{ kind: "text", text: "x" }];
      },
    };
    const hub = hubWith({
      bot,
      async send() {
        pass(90);
        return "id";
      },
    });
    const pass = (ms: number) => {
      hub.clock.now = new Date(hub.clock.now.getTime() + ms);
    };
    await hub.request("/webhooks/telegram", update(1));
    await hub.idle();
    expect(linesOf(hub, "turn")[0]?.fields).toMatchObject({ bot_ms: 700, save_ms: 0, send_ms: 90 });
  });

  test.for<[string, unknown, object]>([
    [
      "fails for now",
      new HubError("unavailable", "x", { reason: "bot_http_500" }),
      { level: "warn", outcome: "failed", code: "unavailable", reason: "bot_http_500" },
    ],
    [
      "throws",
      new TypeError("Hello"),
      { level: "warn", outcome: "failed", code: "internal", reason: "TypeError" },
    ],
    [
      "refuses for good",
      new HubError("rejected", "x", { reason: "no" }),
      { level: "error", outcome: "dead", code: "rejected", reason: "no" },
    ],
  ])("says how it ended when the bot %s", async ([, error, { level, ...fields }]: any) => {
    const hub = hubWith({ bot: { history: 0, reply: () => Promise.reject(error) } });
    await hub.request("/webhooks/telegram", update(1));
    await hub.idle();
    expect(linesOf(hub, "turn")).toMatchObject([{ level, fields: { ...fields, replies: 0 } }]);
  });

  test("reports an invalid answer of the bot, which is tried again too", async () => {
    for (const nonsense of [undefined, "text", [{ kind: "text" }], [null]]) {
      const hub = hubWith({ bot: { history: 0, reply: async () => nonsense as never } });
      await hub.request("/webhooks/telegram", update(1));
      await hub.idle();
      expect(linesOf(hub, "turn")).toMatchObject([{ fields: { outcome: "failed", reason: "TypeError" } }]);
    }
  });

  test("counts the parts that failed, and each of them has a line", async () => {
    const send = () => Promise.reject(new HubError("throttled", "x", { reason: "429", retryAfterMs: 5_000 }));
    const hub = hubWith({ send });
    await hub.request("/webhooks/telegram", update(1));
    await hub.idle();
    expect(linesOf(hub, "turn")).toMatchObject([
      { level: "info", fields: { outcome: "done", parts_sent: 0, parts_failed: 1, parts_dead: 0 } },
    ]);
    expect(linesOf(hub, "delivery.failed")).toMatchObject([
      {
        level: "warn",
        fields: {
          request_id: "request-1",
          delivery_id: uuid,
          message_id: uuid,
          code: "throttled",
          reason: "429",
          dead: false,
        },
      },
    ]);
  });

  test("is written even when the store fails", async () => {
    const down = () => Promise.reject(new HubError("unavailable", "x", { reason: "57P01" }));
    for (const [method, outcome, parts_sent] of [
      ["complete", "unsaved", 0],
      ["settle", "done", 1],
    ] as const) {
      const { store } = testHub().hub;
      const conversations = { ...store.conversations, [method]: down };
      const hub = hubWith({ store: { ...store, conversations } });
      await hub.request("/webhooks/telegram", update(1));
      await hub.idle();
      const fields = { outcome, parts_sent, code: "unavailable", reason: "57P01" };
      expect(linesOf(hub, "turn")).toMatchObject([{ level: "warn", fields }]);
      expect(linesOf(hub, "background.failed")).toHaveLength(1);
    }
  });

  test("names the request that answers it, for a turn that waited behind another", async () => {
    const bot: Bot = { history: 0, reply: () => pause(50).then(() => [{ kind: "text", text: "x" }]) };
    const hub = hubWith({ bot });
    await hub.request("/webhooks/telegram", update(1));
    await hub.request("/webhooks/telegram", update(2));
    await hub.idle();
    expect(linesOf(hub, "turn").map(({ fields }) => fields.request_id)).toEqual(["request-1", "request-1"]);
  });
});

describe("showing typing", () => {
  test("delays no turn, and is not cut off when the turn is done", async () => {
    const happened: string[] = [];
    const hub = hubWith({
      showTyping: () => pause(150).then(() => void happened.push("attended")),
      send: async () => `sent ${happened.push("sent")}`,
    });
    await hub.request("/webhooks/telegram", update(1));
    await hub.idle();
    expect(happened).toEqual(["sent", "attended"]);
  });

  test("fails no turn when it fails, and is not cut off when the turn fails", async () => {
    const down = () => Promise.reject(new HubError("unavailable", "x", { reason: "down" }));
    const hub = hubWith({ showTyping: () => pause(50).then(down), bot: { history: 0, reply: down } });
    await hub.request("/webhooks/telegram", update(1));
    await hub.idle();
    expect(hub.lines.map(({ event, fields: { reason } }) => [event, reason])).toEqual([
      ["request", undefined],
      ["turn", "down"],
      ["showTyping.failed", "down"],
    ]);
  });

  test("does not delay the answer to a waiting web caller", async () => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    const started = Date.now();
    await hub.request("/webhooks/web?wait=10", post({ external_id: "1", text: "Hello" }, bearer));
    expect(Date.now() - started).toBeLessThan(1_000);
  });
});

test("every event that the hub logs is explained to operators", () => {
  const docs = readFileSync("docs/operations.md", "utf8");
  const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  const events = sources.flatMap((name) => {
    const calls = readFileSync(join("src", name), "utf8").matchAll(/\b(?:log|runInBackground)\(([^{;]*)/g);
    return [...calls].flatMap(([, parts = ""]) =>
      [...parts.matchAll(/"([a-z_]+(?:\.[a-z_]+)?)"/g)].map(([, word]) => word!),
    );
  });
  const named = new Set(events.filter((word) => !["info", "warn", "error"].includes(word)));
  expect(named.size).toBeGreaterThan(20);
  const unexplained = [...named].filter(
    (event) => !docs.includes(`\`${event}\``) && !docs.includes(`"event": "${event}"`),
  );
  expect(unexplained).toEqual([]);
});
