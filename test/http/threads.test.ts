import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import { sha256Hex } from "../../src/core/signature.ts";
import { THREAD_BYTES } from "../../src/features/threads/thread.ts";
import { begin, post, type TestHub, testHub } from "../support/http.ts";
import { operationsOf, sample } from "../support/openapi.ts";
import { call, keys } from "../support/people.ts";

const KEYS = { kiosk: ["kiosk-key-1"], web: ["web-key"], admin: ["admin-key"], bot: ["bot-key"] };
const bot = { "x-api-key": "bot-key" };
const DAY_MS = 86_400_000;
const hubWithBots = () => testHub({}, { keys: KEYS });

function put(body: unknown, headers: Record<string, string> = bot): RequestInit {
  return { ...post(body, headers), method: "PUT" };
}

const at = (id: string) => `/api/threads/${encodeURIComponent(id)}`;
const wait = (hub: TestHub, ms: number) => {
  hub.clock.now = new Date(hub.clock.now.getTime() + ms);
};

/** What a bot's key opens beside threads. */
const OF_BOTS = [
  "/api/templates",
  "/api/messages",
  "/api/messages/{id}",
  "/api/messages/{id}/cancel",
  "/api/media",
];

describe("a thread", () => {
  test("is kept, read, changed at its version, listed and deleted", async () => {
    const hub = hubWithBots();
    const made = await call(
      hub,
      at("t:1"),
      put({ user_id: 103, data: { step: 1 }, metadata: { tool: "x" } }),
    );
    const { version } = made.body.thread;
    expect([made.status, made.headers.get("etag"), made.body]).toEqual([
      201,
      `"${version}"`,
      {
        thread: {
          thread_id: "t:1",
          user_id: "103",
          ttl_hours: 24,
          version,
          created_at: "2026-11-02T10:00:00.000Z",
          updated_at: "2026-11-02T10:00:00.000Z",
          expires_at: "2026-11-03T10:00:00.000Z",
          data: { step: 1 },
          metadata: { tool: "x" },
        },
      },
    ]);
    wait(hub, 60_000);
    const read = await call(hub, at("t:1"), { headers: bot });
    expect([read.status, read.headers.get("etag"), read.body.thread.expires_at]).toEqual([
      200,
      `"${version}"`,
      "2026-11-03T10:01:00.000Z",
    ]);
    const change = put({ data: { step: 2 }, ttl_hours: 0.5 }, { ...bot, "if-match": `"${version}"` });
    const changed = await call(hub, at("t:1"), change);
    expect([changed.status, changed.body.thread]).toMatchObject([
      200,
      { data: { step: 2 }, metadata: { tool: "x" }, ttl_hours: 0.5, version: version + 1 },
    ]);
    const listed = await call(hub, "/api/threads?user_id=103", { headers: bot });
    const { data: _, metadata: __, ...summary } = changed.body.thread;
    expect(listed.body).toEqual({ threads: [{ ...summary, bytes: 22 }], cursor: null });
    const gone = { method: "DELETE", headers: bot };
    expect((await call(hub, at("t:1"), gone)).body).toEqual({ deleted: true });
    expect((await call(hub, at("t:1"), gone)).body).toEqual({ deleted: false });
    expect((await call(hub, at("t:1"), { headers: bot })).code).toBe("thread_not_found");
  });

  test("of another version is refused with 412, to change and to delete; delivered twice it is answered twice", async () => {
    const hub = hubWithBots();
    const { version } = (await call(hub, at("t1"), put({ data: { by: "a" } }))).body.thread;
    const matching = { ...bot, "if-match": `"${version}"` };
    const first = await call(hub, at("t1"), put({ data: { by: "b" } }, matching));
    const again = await call(hub, at("t1"), put({ data: { by: "b" } }, matching));
    expect([again.status, again.body.thread.version]).toEqual([200, first.body.thread.version]);
    const late = await call(hub, at("t1"), put({ data: { by: "c" } }, matching));
    expect([late.status, late.code]).toEqual([412, "precondition_failed"]);
    const removed = await call(hub, at("t1"), { method: "DELETE", headers: matching });
    expect([removed.status, removed.code]).toEqual([412, "precondition_failed"]);
    expect((await call(hub, at("t2"), put({ data: {} }, matching))).status).toBe(412);
    const none = { ...bot, "if-none-match": "*" };
    const taken = await call(hub, at("t1"), put({ data: {} }, none));
    expect([taken.status, taken.code]).toEqual([412, "precondition_failed"]);
    expect((await call(hub, at("t3"), put({ data: {} }, none))).status).toBe(201);
    for (const header of [{ "if-none-match": '"1"' }, { "if-none-match": "*", "if-match": '"1"' }])
      expect((await call(hub, at("t4"), put({ data: {} }, { ...bot, ...header }))).status).toBe(400);
    const odd = await call(hub, at("t1"), put({ data: {} }, { ...bot, "if-match": "yesterday's" }));
    expect([odd.status, odd.code]).toEqual([400, "malformed"]);
    expect((await call(hub, at("t1"), { headers: bot })).body.thread.data).toEqual({ by: "b" });
  });

  test("that expired says so for a week, one that never was does not", async () => {
    const hub = hubWithBots();
    await call(hub, at("t1"), put({ data: { secret: 1 } }));
    wait(hub, DAY_MS);
    const answers = [];
    for (const days of [0, 6.9, 0.2]) {
      wait(hub, days * DAY_MS);
      await hub.hub.store.housekeeping.expire(hub.clock.now, 10);
      const { status, code } = await call(hub, at("t1"), { headers: bot });
      answers.push([status, code]);
    }
    expect(answers).toEqual([
      [404, "thread_expired"],
      [404, "thread_expired"],
      [404, "thread_not_found"],
    ]);
    expect((await call(hub, at("never"), { headers: bot })).code).toBe("thread_not_found");
  });

  test("is shown page by page", async () => {
    const hub = hubWithBots();
    for (let i = 0; i < 5; i++) {
      wait(hub, 1_000);
      await call(hub, at(`a+b=${i}`), put({ user_id: "A 103/ä", data: {} }));
    }
    const seen: string[] = [];
    const query = new URLSearchParams({ user_id: "A 103/ä", limit: "2" });
    for (let cursor: string | null = ""; cursor !== null; query.set("after", cursor!)) {
      const { body } = await call(hub, `/api/threads?${query}`, { headers: bot });
      for (const { thread_id } of body.threads) seen.push(thread_id);
      cursor = body.cursor;
    }
    expect(seen).toEqual([4, 3, 2, 1, 0].map((i) => `a+b=${i}`));
    for (const wrong of ["?limit=1", "?user_id=", "?user_id=1&after=x", "?user_id=1&after=1.%2F"])
      expect([wrong, (await call(hub, `/api/threads${wrong}`, { headers: bot })).status]).toEqual([
        wrong,
        400,
      ]);
  });
});

describe("what a thread may hold", () => {
  test("is a mebibyte of compact JSON, however it is written on its way", async () => {
    const hub = hubWithBots();
    const room = THREAD_BYTES - JSON.stringify({ s: "" }).length - 2;
    const full = { data: { s: "x".repeat(room) } };
    const spaced = `{ "data" : { "s" :${" ".repeat(1_000_000)}"${"\\u0078".repeat(1_000)}${"x".repeat(room - 1_000)}" } }`;
    expect((await call(hub, at("t1"), put(spaced))).status).toBe(201);
    expect((await call(hub, at("t1"), put(full))).status).toBe(200);
    expect((await call(hub, at("t1"), { headers: bot })).body.thread.data).toEqual(full.data);
    for (const more of [
      { data: { s: `${full.data.s}x` } },
      { ...full, metadata: { m: 1 } },
      { data: { s: "x".repeat(5 * THREAD_BYTES) } },
    ]) {
      const refused = await call(hub, at("t1"), put(more));
      expect([refused.status, refused.code]).toEqual([413, "payload_too_large"]);
    }
  });

  test("nests as deep as a session's data, and no deeper", async () => {
    const hub = hubWithBots();
    const nested = (levels: number) => JSON.parse(`${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`);
    const answers = [];
    for (const body of [
      { data: nested(32) },
      { data: nested(33) },
      { data: {}, metadata: nested(33) },
      { data: nested(70) },
      { data: { list: JSON.parse("[".repeat(31) + "]".repeat(31)) } },
      { data: { list: JSON.parse("[".repeat(32) + "]".repeat(32)) } },
    ])
      answers.push((await call(hub, at("t1"), put(body))).status);
    expect(answers).toEqual([201, 413, 413, 400, 200, 413]);
  });

  test.for([
    ["no data", { metadata: {} }],
    ["a list as data", { data: [] }],
    ["text as data", { data: "x" }],
    ["no life", { data: {}, ttl_hours: 0 }],
    ["a life of more than a year", { data: {}, ttl_hours: 8_761 }],
    ["an unknown field", { data: {}, ttl: 1 }],
    ["an empty user", { data: {}, user_id: "" }],
    ["a user of 129 characters", { data: {}, user_id: "x".repeat(129) }],
  ] as const)("is not %s", async ([, body]) => {
    const { status, code } = await call(hubWithBots(), at("t1"), put(body));
    expect([status, code]).toEqual([400, "malformed"]);
  });

  test("has no strange id", async () => {
    const hub = hubWithBots();
    const good = ["a", "+4915112340001", "user@shop.example:7~1_=.-", "..a", "x".repeat(128)];
    for (const id of good)
      expect([id, (await call(hub, at(id), put({ data: { id } }))).status]).toEqual([id, 201]);
    for (const id of good)
      expect((await call(hub, at(id), { headers: bot })).body.thread.data).toEqual({ id });
    const strange = [
      "x".repeat(129),
      "a b",
      "a/b",
      "../customers",
      "ä",
      "\0",
      "a\n",
      "'",
      "{}",
      "%00",
      "a?b",
      "𝕏",
    ];
    for (const id of strange)
      for (const init of [put({ data: {} }), { headers: bot }, { method: "DELETE", headers: bot }])
        expect([id, (await call(hub, at(id), init)).status]).toEqual([id, 400]);
    expect((await call(hub, "/api/threads/%ff", { headers: bot })).status).toBe(400);
  });
});

describe("a thread is open to", () => {
  const CALLS: [string, string, RequestInit][] = [
    ["PUT", at("t1"), put({ data: {} }, {})],
    ["GET", at("t1"), {}],
    ["DELETE", at("t1"), { method: "DELETE" }],
    ["GET", "/api/threads?user_id=103", {}],
  ];
  const asked = async (hub: TestHub, headers: Record<string, string>) => {
    const answers = [];
    for (const [, path, init] of CALLS) {
      const all = { ...(init.headers as object), ...headers };
      answers.push((await call(hub, path, { ...init, headers: all })).status);
    }
    return answers;
  };

  test("bots, web servers and operators, and to nobody else", async () => {
    const hub = hubWithBots();
    const { token, bearer } = await begin(hub, { channel: "web" });
    const fine = [200, 200, 200, 200];
    for (const headers of [bot, keys.web, keys.admin, { ...bot, "x-session-token": token }]) {
      await call(hub, at("t1"), put({ user_id: "103", data: {} }));
      expect(await asked(hub, headers)).toEqual(fine);
    }
    await call(hub, at("t1"), put({ user_id: "103", data: { secret: 1 } }));
    for (const [headers, status] of [
      [{}, 401],
      [bearer, 401],
      [{ "x-session-token": token }, 401],
      [{ "x-api-key": "guess" }, 401],
      [{ "x-api-key": "" }, 401],
      [{ "x-api-key": `bot-key ${"x".repeat(600)}` }, 401],
      [keys.kiosk, 403],
      [{ ...keys.kiosk, "x-session-token": token }, 403],
    ] as const)
      expect([headers, await asked(hub, headers)]).toEqual([headers, [status, status, status, status]]);
    expect((await call(hub, at("t1"), { headers: bot })).body.thread.data).toEqual({ secret: 1 });
  });

  test("a bot's key where there is one only, and that opens nothing else", async () => {
    const hub = hubWithBots();
    const named = { id: "00000000-0000-4000-8000-000000000000", kind: "phone", user_id: "1" };
    const wrong: string[] = [];
    let asked = 0;
    for (const operation of await operationsOf(hub)) {
      const { method, path, body, security } = operation;
      if (
        path.startsWith("/api/threads") ||
        OF_BOTS.includes(path) ||
        path === "/health" ||
        !security.includes("apiKey")
      )
        continue;
      const address = path.replaceAll(/\{(\w+)\}/g, () => named.id);
      const init = { method, headers: { ...bot, "content-type": "application/json" } };
      const text = body && JSON.stringify(sample(body, { phone: "+4915112340001", channel: "kiosk" }));
      const { status } = await call(hub, address, { ...init, ...(text && { body: text }) });
      asked++;
      if (status !== 401 && status !== 400) wrong.push(`${method} ${path} ${status}`);
    }
    expect(wrong).toEqual([]);
    expect(asked).toBeGreaterThan(10);
    expect((await call(hub, "/api/audit", { headers: bot })).code).toBe("unauthorized");
    expect((await call(hub, "/session/start", post({ channel: "web" }, bot))).code).toBe("unauthorized");
    expect((await call(testHub(), at("t1"), { headers: bot })).code).toBe("unauthorized");
  });
});

test("a thread of a customer is in their export, and gone with them", async () => {
  const hub = hubWithBots();
  const customer_id = "A 103/ä";
  const phone = "+4915112340001";
  const { id } = await begin(hub, { channel: "web", phone, customer_id }, keys.web);
  await begin(hub, { channel: "web", phone: "+4915112340002" }, keys.web);
  for (let i = 0; i < 9; i++)
    await call(hub, at(`t${i}`), put({ user_id: customer_id, data: { note: `CANARY-${i}` } }));
  await call(hub, at("short"), put({ user_id: customer_id, data: { note: "LATE" }, ttl_hours: 0.01 }));
  await call(hub, at("other"), put({ user_id: "104", data: { note: "OTHER" } }));
  wait(hub, 60_000);
  await hub.hub.store.housekeeping.expire(hub.clock.now, 10);
  for (const of of [`customers/${encodeURIComponent(customer_id)}`, `sessions/${id}`]) {
    const { body } = await call(hub, `/api/${of}/export`, { headers: keys.admin });
    expect(body.threads).toHaveLength(10);
    expect(JSON.stringify(body)).toContain("CANARY-8");
    expect(JSON.stringify(body)).not.toMatch(/OTHER|LATE/);
    expect(body.threads[0]).toMatchObject({ thread_id: "short", data: null, metadata: null });
  }
  const other = await call(hub, "/api/customers/104/export", { headers: keys.admin });
  expect(other.body).toMatchObject({ sessions: [], threads: [{ thread_id: "other" }] });
  const erasing = { method: "DELETE", headers: keys.admin };
  expect((await call(hub, `/api/sessions/${id}`, erasing)).status).toBe(200);
  const after = await call(hub, `/api/customers/${encodeURIComponent(customer_id)}/export`, {
    headers: keys.admin,
  });
  expect(after.body.threads).toEqual([]);
  for (const thread of ["t0", "t8", "short"])
    expect((await call(hub, at(thread), { headers: bot })).code).toBe("thread_not_found");
  expect((await call(hub, at("other"), { headers: bot })).status).toBe(200);
});

test("the log names the key and neither the thread nor what it holds", async () => {
  const hub = hubWithBots();
  await call(hub, at("CANARY:1"), put({ user_id: "CANARY", data: { note: "CANARY" } }));
  await call(hub, at("CANARY:1"), { headers: bot });
  await call(hub, "/api/threads?user_id=CANARY", { headers: bot });
  expect(JSON.stringify(hub.lines)).not.toContain("CANARY");
  expect(hub.lines[0]?.fields).toMatchObject({
    route: "/api/threads/:thread_id",
    actor: `bot:${(await sha256Hex("bot-key")).slice(0, 8)}`,
  });
});

test("the example of the API description is one that works", async () => {
  const hub = hubWithBots();
  const document = (await call(hub, "/openapi.json")).body;
  const { put: operation } = document.paths["/api/threads/{thread_id}"];
  const { example } = operation.requestBody.content["application/json"].schema;
  const id = operation.parameters.find(({ name }: any) => name === "thread_id").schema.example;
  const { status, body } = await call(hub, at(id), put(example));
  expect([status, body.thread]).toMatchObject([201, example]);
});

describe("the example in docs/bots.md", () => {
  afterEach(() => vi.unstubAllGlobals());

  test("loses nothing when turns remember at once", async () => {
    const hub = hubWithBots();
    vi.stubGlobal("fetch", (url: string, init: RequestInit) => hub.request(new URL(url).pathname, init));
    const [, text] = /(export async function remember[\s\S]*?)```/.exec(
      readFileSync("docs/bots.md", "utf8"),
    )!;
    const { remember } = await import(`data:text/javascript,${encodeURIComponent(text!)}`);
    const add = (n: number) => (data: any) => ({ seen: [...(data.seen ?? []), n] });
    const from = { url: "https://hub.example", key: "bot-key" };
    await Promise.all([1, 2, 3, 4, 5].map((n) => remember(from, "turns:103", add(n), "103")));
    const { thread } = (await call(hub, at("turns:103"), { headers: bot })).body;
    expect([thread.data.seen.sort(), thread.user_id]).toEqual([[1, 2, 3, 4, 5], "103"]);
    await expect(remember({ ...from, key: "x" }, "t", add(1))).rejects.toThrow("the hub answered 401");
  });
});
