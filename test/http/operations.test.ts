import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Bot } from "../../src/core/answer/bot.ts";
import type { Channel } from "../../src/core/channel.ts";
import { HubError } from "../../src/core/errors.ts";
import type { Metrics } from "../../src/core/operations.ts";
import type { JournalDepth } from "../../src/core/receive/journal.ts";
import { prometheusText } from "../../src/http/prometheus.ts";
import { begin, faultyStore, post, type TestHub, testHub } from "../support/http.ts";
import { createHubRig } from "../support/hub-rig.ts";
import { figure, type ReadFamily, readPrometheus } from "../support/prometheus.ts";

const admin = { headers: { "x-api-key": "admin-key" } };
const retryOf = (id: string): [string, RequestInit] => [
  `/api/dead-letters/${id}/retry`,
  { method: "POST", ...admin },
];
const nobody = "00000000-0000-4000-8000-000000000000";

/** A hub whose bot and platform do as given. Every failure is final. */
function brittleHub() {
  const state = { bot: true, platform: true };
  const bot: Bot = {
    history: 0,
    async reply({ message }) {
      if (!state.bot) throw new HubError("rejected", "the bot says no", { reason: "bot_http_400" });
      return [{ kind: "text", text: `to ${message.text}` }];
    },
  };
  const sent: string[] = [];
  const telegram: Channel = {
    ...testHub().hub.channels.telegram!,
    showTyping: async () => {},
    async send(_to, { text }) {
      if (!state.platform)
        throw new HubError("rejected", "the platform says no", { reason: "chat_not_found" });
      sent.push(text);
      return `id-${sent.length}`;
    },
  };
  const hub = testHub({ bot, channels: { ...testHub().hub.channels, telegram } });
  let update_id = 0;
  /** Sends a customer's message on Telegram and waits for all its work. */
  const hear = async (text: string) => {
    update_id++;
    const chat = { id: 103, type: "private", first_name: "Ada" };
    const message = {
      message_id: update_id,
      date: 1_793_600_000,
      from: { ...chat, is_bot: false },
      chat,
      text,
    };
    const secret = { "x-telegram-bot-api-secret-token": "telegram-secret" };
    await hub.request("/webhooks/telegram", post({ update_id, message }, secret));
    await hub.idle();
    hub.clock.now = new Date(hub.clock.now.getTime() + 1_000);
  };
  const list = async (query = "") =>
    (await (await hub.request(`/api/dead-letters${query}`, admin)).json()) as any;
  return { hub, state, sent, hear, list };
}

describe("dead letters", () => {
  test("are listed with the hub's code and the bot's or platform's reason, and without any content", async () => {
    const { hub, state, hear, list } = brittleHub();
    expect(await list()).toEqual({ dead_letters: [], cursor: null, more: false });
    state.bot = false;
    await hear("a secret question");
    Object.assign(state, { bot: true, platform: false });
    await hear("another secret");
    const page = await list();
    const shared = {
      id: expect.any(String),
      session_id: expect.any(String),
      message_id: expect.any(String),
      channel: "telegram",
      attempt: 1,
      code: "rejected",
    };
    expect(page).toEqual({
      dead_letters: [
        { ...shared, type: "turn", reason: "bot_http_400", created_at: "2026-11-02T10:00:00.000Z" },
        { ...shared, type: "delivery", reason: "chat_not_found", created_at: "2026-11-02T10:00:01.000Z" },
      ],
      cursor: page.dead_letters[1].id,
      more: false,
    });
    expect(JSON.stringify(page)).not.toMatch(/secret|103/);
    expect(hub.lines.filter(({ level }) => level === "error").map(({ event }) => event)).toEqual([
      "turn",
      "delivery.failed",
    ]);
  });

  test("come page by page, each once", async () => {
    const { state, hear, list } = brittleHub();
    state.bot = false;
    for (const text of ["1", "2", "3", "4", "5"]) await hear(text);
    const ids: string[] = [];
    let after = "";
    for (const more of [true, true, false]) {
      const page = await list(`?limit=2${after}`);
      expect(page.more).toBe(more);
      ids.push(...page.dead_letters.map(({ id }: { id: string }) => id));
      after = `&after=${page.cursor}`;
    }
    expect(new Set(ids).size).toBe(5);
    expect(await list(`?limit=2${after}`)).toEqual({ dead_letters: [], cursor: ids[4], more: false });
  });

  test("are listed of one session alone", async () => {
    const { hub, state, hear, list } = brittleHub();
    state.bot = false;
    await hear("Hello");
    const { bearer, id } = await begin(hub);
    await hub.request("/webhooks/web", post({ external_id: "1", text: "x" }, bearer));
    await hub.idle();
    const all = (await list()).dead_letters;
    expect(all).toHaveLength(2);
    const theirs = await list(`?session_id=${id.toUpperCase()}`);
    expect(theirs.dead_letters).toEqual(all.filter(({ session_id }: any) => session_id === id));
    expect((await list(`?session_id=${nobody}`)).dead_letters).toEqual([]);
  });

  test("a retried turn asks the bot at once, after the answer", async () => {
    const { hub, state, sent, hear, list } = brittleHub();
    state.bot = false;
    await hear("Hello");
    state.bot = true;
    const [{ id }] = (await list()).dead_letters;
    const response = await hub.request(...retryOf(id.toUpperCase()));
    expect([response.status, await response.json()]).toEqual([200, { retried: true }]);
    await hub.idle();
    expect(sent).toEqual(["to Hello"]);
    expect((await list()).dead_letters).toEqual([]);
    expect((await hub.request(...retryOf(id))).status).toBe(404);
    const line = hub.lines.findLast(({ event }) => event === "turn");
    const request = hub.lines.find(({ fields }) => fields.dead_letter_id === id);
    expect(line?.fields).toMatchObject({ outcome: "done", attempt: 1, parts_sent: 1 });
    expect(line?.fields.request_id).toBe(request?.fields.request_id);
  });

  test("a retried delivery is sent at once, and its message is pending", async () => {
    const { hub, state, sent, hear, list } = brittleHub();
    state.platform = false;
    await hear("Hello");
    state.platform = true;
    const [{ id, session_id }] = (await list()).dead_letters;
    expect((await hub.request(...retryOf(id))).status).toBe(200);
    await hub.idle();
    expect(sent).toEqual(["to Hello"]);
    expect((await list()).dead_letters).toEqual([]);
    const history = await hub.request(`/api/sessions/${session_id}/messages`, admin);
    expect(((await history.json()) as any).messages.at(-1)).toMatchObject({
      text: "to Hello",
      status: "sent",
    });
  });

  test("one that fails again is a dead letter again", async () => {
    const { hub, state, hear, list } = brittleHub();
    state.bot = false;
    await hear("Hello");
    const before = await list();
    await hub.request(...retryOf(before.dead_letters[0].id));
    await hub.idle();
    expect(await list()).toEqual(before);
  });

  test("an unknown one cannot be retried", async () => {
    const hub = testHub();
    const response = await hub.request(...retryOf(nobody));
    expect([response.status, ((await response.json()) as any).error.code]).toEqual([404, "not_found"]);
  });

  test.for(["?limit=0", "?limit=201", "?limit=x", "?after=1", "?session_id=1", "?session=1"])(
    "%s is refused",
    async (query) => {
      const response = await testHub().request(`/api/dead-letters${query}`, admin);
      expect([response.status, ((await response.json()) as any).error.code]).toEqual([400, "malformed"]);
    },
  );
});

describe.each(["GET /api/dead-letters", `POST /api/dead-letters/${nobody}/retry`, "GET /metrics"])(
  "%s",
  (route) => {
    const [method, path] = route.split(" ") as [string, string];

    test("is for operators only", async () => {
      const hub = testHub();
      const { bearer } = await begin(hub);
      for (const [headers, status] of [
        [{}, 401],
        [{ "x-api-key": "guess" }, 401],
        [bearer, 401],
        [{ "x-api-key": "web-key" }, 403],
        [{ authorization: "Bearer kiosk-key-1" }, 403],
      ] as const)
        expect((await hub.request(path, { method, headers: headers as Record<string, string> })).status).toBe(
          status,
        );
      expect(
        (await hub.request(path, { method, headers: { authorization: "Bearer admin-key" } })).status,
      ).not.toBe(403);
    });
  },
);

async function scrape(hub: Pick<TestHub, "request">): Promise<Map<string, ReadFamily>> {
  const response = await hub.request("/metrics", admin);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return readPrometheus(await response.text());
}

/** A hub with a journal of this depth. */
function journaling(depth: () => Promise<JournalDepth>) {
  const { hub } = testHub();
  const journal = {
    depth,
    find: async () => [],
    replay: async () => ({ taken: 0, results: [], empty: true }),
  };
  return testHub({ store: { ...hub.store, journal } });
}

describe("GET /metrics", () => {
  test("lists every series from the start with 0, so that the first count shows as a rise", async () => {
    const families = await scrape(testHub());
    const of = (name: string, labels?: Record<string, string>) => figure(families, name, labels);
    expect([of("hub_store_up"), of("hub_build_info", { version: "1.2.3" })]).toEqual([1, 1]);
    for (const channel of ["telegram", "whatsapp", "kiosk", "web"]) {
      expect(of("hub_messages_received_total", { channel })).toBe(0);
      expect(of("hub_messages_duplicate_total", { channel })).toBe(0);
      expect(of("hub_turns_total", { channel, outcome: "dead" })).toBe(0);
      expect(of("hub_deliveries_total", { channel, state: "dead" })).toBe(0);
      expect(of("hub_receipts_total", { channel, status: "failed" })).toBe(0);
      expect(of("hub_answer_seconds_bucket", { channel, le: "0.1" })).toBe(0);
      expect(of("hub_delivery_seconds_count", { channel })).toBe(0);
    }
    expect([of("hub_open_turns"), of("hub_open_deliveries")]).toEqual([0, 0]);
    expect([of("hub_oldest_turn_age_seconds"), of("hub_oldest_delivery_age_seconds")]).toEqual([0, 0]);
    expect(of("hub_journal_depth")).toBeUndefined();
  });

  test("turns the store's counts into cumulative buckets, for any bounds", async () => {
    const counters = {
      "answer_ms.le|web|100": 3,
      "answer_ms.le|web|2500": 2,
      "answer_ms.le|web|300000": 1,
      "answer_ms.le|web|inf": 4,
      "answer_ms.sum|web": 2_345_678,
    };
    const metrics: Metrics = {
      counters,
      model: { turns: 0, input_tokens: 0, output_tokens: 0, cost: 0 },
      open_turns: 0,
      open_deliveries: 0,
    };
    const { hub } = testHub();
    const operations = { ...hub.store.operations, metrics: async () => metrics };
    const families = await scrape(testHub({ store: { ...hub.store, operations } }));
    const buckets = ["0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "300", "+Inf"].map((le) =>
      figure(families, "hub_answer_seconds_bucket", { channel: "web", le }),
    );
    expect(buckets).toEqual([3, 3, 3, 3, 5, 5, 5, 5, 5, 6, 10]);
    expect(figure(families, "hub_answer_seconds_sum", { channel: "web" })).toBe(2_345.678);
    expect(figure(families, "hub_answer_seconds_count", { channel: "web" })).toBe(10);
  });

  test("escapes the values of labels", () => {
    const value = 'a "quoted" back\\slash\nand a line';
    const help = "a back\\slash\nand a line";
    const text = prometheusText([
      { name: "x", type: "gauge", help, samples: [{ labels: { value }, value: 1.5 }] },
    ]);
    expect(text.split("\n")).toHaveLength(4);
    expect(figure(readPrometheus(text), "x", { value })).toBe(1.5);
  });

  test("reports the age of the oldest unfinished work", async () => {
    const hub = testHub({
      bot: {
        history: 0,
        reply: async () => Promise.reject(new HubError("throttled", "", { retryAfterMs: 1e6 })),
      },
    });
    const { bearer } = await begin(hub);
    await hub.request("/webhooks/web", post({ external_id: "1", text: "Hello" }, bearer));
    await hub.idle();
    hub.clock.now = new Date(hub.clock.now.getTime() + 90_500);
    const families = await scrape(hub);
    expect(figure(families, "hub_open_turns")).toBe(1);
    expect(figure(families, "hub_oldest_turn_age_seconds")).toBe(90.5);
    const health = (await (await hub.request("/health", admin)).json()) as any;
    expect(health.work).toEqual({
      open_turns: 1,
      oldest_turn_age_s: 90.5,
      open_deliveries: 0,
      oldest_delivery_age_s: 0,
    });
  });

  test("has every metric explained to operators", async () => {
    const docs = readFileSync("docs/operations.md", "utf8");
    const depth = async () => ({ depth: 0, quarantined: 0 });
    const families = await scrape(journaling(depth));
    expect([...families.keys()].filter((name) => !docs.includes(`\`${name}`))).toEqual([]);
  });

  test("answers while the store is down, and reports it", async () => {
    const dead = async () =>
      Promise.reject(new HubError("unavailable", "down", { reason: "CONNECT_TIMEOUT" }));
    const hub = testHub({ store: faultyStore(dead) });
    const families = await scrape(hub);
    expect(figure(families, "hub_store_up")).toBe(0);
    expect(families.has("hub_messages_received_total")).toBe(false);
    const line = hub.lines.findLast(({ event }) => event === "request");
    expect(line?.fields).toMatchObject({ code: "unavailable", reason: "CONNECT_TIMEOUT" });
    const health = (await (await hub.request("/health", admin)).json()) as any;
    expect([health.status, health.work]).toEqual(["degraded", undefined]);
  });

  test("reports the journal's depth, and a journal that does not answer", async () => {
    const oldest_at = new Date(testHub().clock.now.getTime() - 12_000);
    const waiting = await scrape(journaling(async () => ({ depth: 7, oldest_at, quarantined: 1 })));
    expect(figure(waiting, "hub_journal_up")).toBe(1);
    expect(figure(waiting, "hub_journal_depth")).toBe(7);
    expect(figure(waiting, "hub_journal_age_seconds")).toBe(12);
    expect(figure(waiting, "hub_journal_quarantined")).toBe(1);
    const gone = await scrape(journaling(async () => Promise.reject(new HubError("unavailable", "gone"))));
    expect(figure(gone, "hub_journal_up")).toBe(0);
    expect(gone.has("hub_journal_depth")).toBe(false);
    expect(figure(gone, "hub_store_up")).toBe(1);
  });

  test("has the figures of a real run, also after a restart and from any instance", async () => {
    const rig = await createHubRig();
    const bot: Bot = {
      history: 0,
      reply: async ({ message }) => [{ kind: "text", text: `to ${message.text}` }],
    };
    const first = await rig.open({ bot, paced: false });
    const request = (path: string, init?: RequestInit) => rig.ask(path, init);
    const now = async (name: string, labels?: Record<string, string>) =>
      figure(await scrape({ request }), name, labels);
    await rig.whatsapp.tell("/_settings", { statuses: false });
    for (let i = 1; i <= 5; i++)
      await rig.telegram.tell("/_customer/message", { chat: { id: 7000 + i }, text: `t${i}` });
    for (const from of ["4915112345601", "4915112345602", "4915112345603"])
      await rig.whatsapp.tell("/_customer/message", { from, text: "w" });
    await expect
      .poll(() => now("hub_deliveries_total", { channel: "whatsapp", state: "sent" }), { timeout: 20_000 })
      .toBe(3);
    for (const [from, status] of [
      ["4915112345601", "delivered"],
      ["4915112345602", "delivered"],
      ["4915112345602", "sent"],
      ["4915112345603", "failed"],
    ])
      await rig.whatsapp.tell("/_customer/status", { from, status });
    await rig.whatsapp.tell("/_delivery", { copies: 3 });
    await rig.whatsapp.tell("/_customer/message", { from: "4915112345609", text: "thrice" });
    const web = post({ external_id: "1", phone: "+4915112345601", text: "k" }, { "x-api-key": "web-key" });
    await rig.ask("/webhooks/web?wait=5", web);
    await rig.telegram.tell("/_faults", { kind: "status", method: "sendMessage", status: 403 });
    await rig.telegram.tell("/_customer/message", { chat: { id: 7001 }, text: "and blocks us" });
    await expect
      .poll(() => now("hub_deliveries_total", { channel: "telegram", state: "dead" }), { timeout: 20_000 })
      .toBe(1);
    await expect
      .poll(() => now("hub_messages_duplicate_total", { channel: "whatsapp" }), { timeout: 20_000 })
      .toBe(2);
    await expect.poll(() => now("hub_open_deliveries"), { timeout: 20_000 }).toBe(0);
    await expect.poll(() => now("hub_open_turns"), { timeout: 20_000 }).toBe(0);
    const before = await scrape({ request });
    const of = (name: string, channel: string, more = {}) => figure(before, name, { channel, ...more });
    expect(of("hub_messages_received_total", "telegram")).toBe(6);
    expect(of("hub_messages_received_total", "whatsapp")).toBe(4);
    expect(of("hub_messages_received_total", "web")).toBe(1);
    expect(of("hub_messages_duplicate_total", "telegram")).toBe(0);
    expect(of("hub_messages_duplicate_total", "whatsapp")).toBe(2);
    expect(of("hub_turns_total", "telegram", { outcome: "done" })).toBe(6);
    expect(of("hub_turns_total", "whatsapp", { outcome: "done" })).toBe(4);
    expect(of("hub_deliveries_total", "telegram", { state: "sent" })).toBe(5);
    expect(of("hub_deliveries_total", "whatsapp", { state: "sent" })).toBe(4);
    expect(of("hub_deliveries_total", "web", { state: "sent" })).toBe(0);
    expect(of("hub_receipts_total", "whatsapp", { status: "delivered" })).toBe(2);
    expect(of("hub_receipts_total", "whatsapp", { status: "sent" })).toBe(0);
    expect(of("hub_receipts_total", "whatsapp", { status: "failed" })).toBe(1);
    expect(of("hub_answer_seconds_count", "telegram")).toBe(6);
    expect(of("hub_delivery_seconds_count", "whatsapp")).toBe(4);
    expect(of("hub_answer_seconds_sum", "telegram")).toBeLessThan(60);

    await first.stop();
    await rig.open({ bot, paced: false });
    const after = await scrape({ request });
    for (const name of before.keys())
      if (name.endsWith("_total")) expect([name, after.get(name)]).toEqual([name, before.get(name)]);
    const counted = await rig.sql`
      select distinct split_part(split_part(key, '|', 1), '.', 1) as name
      from jsonb_object_keys(public.hub_metrics('{}') -> 'counters') key`;
    expect(counted.map(({ name }) => name).sort()).toEqual([
      "answer_ms",
      "billed",
      "deliver_ms",
      "deliveries",
      "duplicates",
      "receipts",
      "received",
      "turns",
    ]);
  });
});
