import sqlDriver from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { settings } from "../contracts/given.ts";
import { begin, post, testHub } from "../support/http.ts";
import { call, keys, onTelegram, onWhatsApp, type StrictHub, strictHub } from "../support/people.ts";
import { createDatabase } from "../support/stack.ts";

let owner: sqlDriver.Sql;
let direct: PostgresCalls;
beforeAll(async () => {
  const { url } = await createDatabase();
  owner = sqlDriver(url, { max: 1, onnotice: () => {} });
  direct = postgresCalls(url, { max: 4, timeoutMs: 30_000 });
});
afterAll(async () => {
  await direct.close();
  await owner.end();
});

let people = 0;
/** The phone of a new person. */
const phone = () => `+49151200${String(++people).padStart(5, "0")}`;

function shop(): StrictHub {
  const bot = { history: 0, reply: async () => [] };
  return strictHub({}, { store: sqlStore(direct.call, settings), bot });
}

async function ask(hub: StrictHub, q: string, headers: Record<string, string>, more = "") {
  return call(hub, `/api/search/messages?q=${encodeURIComponent(q)}${more}`, { headers });
}
const found = async (hub: StrictHub, q: string, headers: Record<string, string>, more = "") =>
  (await ask(hub, q, headers, more)).body.results.map(({ snippet }: any) => snippet);
const index = async (hub: StrictHub) => {
  while ((await hub.hub.store.features!.search.index(500)).more);
};

describe("GET /api/search/messages", () => {
  test("answers with marked snippets, in pages", async () => {
    const hub = shop();
    await onWhatsApp(hub, phone(), 'Zwei <b>Käsekuchen</b> & "mehr"');
    await onWhatsApp(hub, phone(), "kein Käsekuchen?");
    await index(hub);
    const first = await ask(hub, "kasekuch", keys.admin, "&limit=1&channel=whatsapp&role=user");
    expect([first.status, first.body.results.length]).toEqual([200, 1]);
    expect(first.body.results[0]).toEqual({
      message_id: expect.any(String),
      session_id: expect.any(String),
      channel: "whatsapp",
      role: "user",
      direction: "inbound",
      kind: "text",
      created_at: expect.any(String),
      snippet: "kein <mark>Käsekuch</mark>en?",
    });
    const more = `&limit=1&channel=whatsapp&role=user&after=${first.body.cursor}`;
    const second = await ask(hub, "kasekuch", keys.admin, more);
    expect(second.body.results[0].snippet).toBe(
      "Zwei &lt;b&gt;<mark>Käsekuch</mark>en&lt;/b&gt; &amp; &quot;mehr&quot;",
    );
    expect(second.body.cursor).toBeNull();
    expect(hub.lines.map((line) => JSON.stringify(line)).join()).not.toMatch(/k(ä|a)sekuch/i);
  });

  test("is described with an example that runs", async () => {
    const hub = shop();
    const document = (await (await hub.request("/openapi.json")).json()) as any;
    const { parameters } = document.paths["/api/search/messages"].get;
    const examples = parameters.flatMap(({ name, schema, example = schema.example }: any) =>
      example === undefined ? [] : [[name, example]],
    );
    expect(Object.fromEntries(examples)).toMatchObject({ q: "table tomor", from: "2026-11-01T00:00:00Z" });
    await onWhatsApp(hub, phone(), "Is there a table for two tomorrow?");
    await index(hub);
    const query = new URLSearchParams(
      examples.filter(([name]: string[]) => name !== "channel" && name !== "to"),
    );
    const { status, body } = await call(hub, `/api/search/messages?${query}`, { headers: keys.admin });
    expect([status, body.results[0].snippet]).toEqual([
      200,
      "Is there a <mark>table</mark> for two <mark>tomor</mark>row?",
    ]);
  });

  test("finds a message soon after its webhook's answer, with one indexing in five seconds", async () => {
    const hub = shop();
    await onTelegram(hub, 5_000_001, "wintergreen");
    expect(await found(hub, "wintergreen", keys.admin)).toEqual(["<mark>wintergreen</mark>"]);
    await onTelegram(hub, 5_000_001, "evergreen");
    expect(await found(hub, "evergreen", keys.admin)).toEqual([]);
    hub.clock.now = new Date(hub.clock.now.getTime() + 6_000);
    await onTelegram(hub, 5_000_001, "nevergreen");
    expect(await found(hub, "evergreen", keys.admin)).toEqual(["<mark>evergreen</mark>"]);
  });

  test("shows a token only its own customer's messages, whatever it asks for", async () => {
    const hub = shop();
    const [mine, theirs] = [phone(), phone()];
    const own = await begin(hub, { phone: mine, channel: "web" }, keys.web);
    const other = await begin(
      hub,
      { phone: theirs, channel: "web", customer_id: `victim ${theirs}` },
      keys.web,
    );
    await onWhatsApp(hub, mine, "canary of mine");
    await onWhatsApp(hub, theirs, "canary of theirs");
    for (const indexed of [false, true]) {
      if (indexed) await index(hub);
      expect(await found(hub, "canary", own.bearer)).toEqual(["<mark>canary</mark> of mine"]);
      expect(await found(hub, "canary or theirs", own.bearer, "&limit=50")).toHaveLength(1);
      expect(await found(hub, "-nothing", own.bearer, "&limit=50")).toEqual(["canary of mine"]);
      expect(await found(hub, "canary", other.bearer, `&session=${other.id}`)).toEqual([
        "<mark>canary</mark> of theirs",
      ]);
    }
    const attempts = [
      `&session=${other.id}`,
      `&session=${crypto.randomUUID()}`,
      `&customer_id=${encodeURIComponent(`victim ${theirs}`)}`,
      `&user_id=${encodeURIComponent(`victim ${theirs}`)}`,
    ];
    for (const more of attempts) {
      const { status, code, body } = await ask(hub, "canary", own.bearer, more);
      expect([status, code], more).toEqual([403, "forbidden"]);
      expect(JSON.stringify(body)).not.toContain("canary");
    }
    // A cursor of the victim's or of an admin's search is refused.
    await onWhatsApp(hub, theirs, "canary again");
    await index(hub);
    for (const headers of [other.bearer, keys.admin]) {
      const { cursor } = (await ask(hub, "canary", headers, "&limit=1")).body;
      expect(cursor).not.toBeNull();
      const { status, code } = await ask(hub, "canary", own.bearer, `&after=${cursor}`);
      expect([status, code]).toEqual([400, "malformed"]);
    }
  });

  test("needs the token of an active session, or an admin key", async () => {
    const hub = shop();
    const own = await begin(hub, { phone: phone(), channel: "web" }, keys.web);
    for (const [headers, status, code] of [
      [{}, 401, "unauthorized"],
      [{ "x-api-key": "guess" }, 401, "unauthorized"],
      [keys.web, 403, "forbidden"],
      [keys.kiosk, 403, "forbidden"],
      [{ authorization: "Bearer hst_none" }, 404, "session_not_found"],
    ] as const) {
      const answer = await ask(hub, "anything", headers);
      expect([answer.status, answer.code]).toEqual([status, code]);
    }
    await call(hub, "/session/end", { method: "POST", headers: own.bearer });
    expect((await ask(hub, "anything", own.bearer)).code).toBe("session_not_found");
  });

  test.for([
    "q=",
    "q=a%00b",
    "q=a&after=!",
    "q=a&after=AAAAAAAAAAAAAAAAAAAA",
    "q=a&limit=0",
    "q=a&limit=51",
    "q=a&role=god",
    "q=a&channel=pigeon",
    "q=a&session=1",
    "q=a&from=yesterday",
    "q=a&from=0000-13-01",
    "q=a&customer_id=x&user_id=y",
    "q=a&customer_id=a%00b",
    "q=a&Q=b",
    "",
  ])("refuses %s", async (query) => {
    const hub = shop();
    const { status, code } = await call(hub, `/api/search/messages?${query}`, { headers: keys.admin });
    expect([status, code]).toEqual([400, "malformed"]);
  });

  test("refuses a query that is too long", async () => {
    const hub = shop();
    for (const length of [257, 10_240])
      expect((await ask(hub, "x".repeat(length), keys.admin)).code).toBe("malformed");
    expect((await ask(hub, "x".repeat(256), keys.admin)).status).toBe(200);
  });

  test("reads special characters as plain text, and answers in time", async () => {
    const hub = shop();
    await onWhatsApp(
      hub,
      phone(),
      `hostile <script>alert(1)</script> ' or 1=1; drop table messages; -- \\ :* & | !`,
    );
    await index(hub);
    const hostile = [
      "' or 1=1 --",
      "<script>",
      "a:* & !b | (c",
      ":*",
      "s:00000000-0000-4000-8000-000000000000",
      "'b:0' | 'c:whatsapp'",
      "\\",
      "\\'",
      '"""""""',
      '"'.repeat(256),
      "-".repeat(256),
      "- ".repeat(128),
      "or ".repeat(85),
      "a ".repeat(128),
      "a".repeat(256),
      `${"(a+)+".repeat(50)}$`,
      "%_%_%",
      "\u202E\u200F",
      "\uFFFF\uFDD0",
      "京".repeat(256),
      "ﷺ".repeat(256),
      "\u0301".repeat(256),
      "😀".repeat(128),
      "-a -b -c",
      "١٢٣ ±∞",
    ];
    for (const q of hostile) {
      const began = performance.now();
      const { status, body } = await ask(hub, q, keys.admin, "&limit=50");
      expect([q, status]).toEqual([q, 200]);
      for (const { snippet } of body.results)
        expect(snippet.replaceAll(/<\/?mark>/g, "")).not.toMatch(/[<>"']/);
      expect(performance.now() - began, q).toBeLessThan(3_000);
    }
    expect(await found(hub, "'b:0' | 'c:whatsapp'", keys.admin)).toEqual([]);
    const [only] = await found(hub, "hostile drop table", keys.admin);
    expect(only).toContain("<mark>hostile</mark> &lt;script&gt;");
  });

  test("answers 501 on the memory store, but first checks the caller", async () => {
    const hub = testHub() as StrictHub;
    expect(await ask(hub, "x", {})).toMatchObject({ status: 401 });
    expect(await ask(hub, "x", keys.admin)).toMatchObject({ status: 501, code: "needs_database" });
  });

  test("does not find erased messages", async () => {
    const hub = shop();
    const mine = phone();
    const own = await begin(hub, { phone: mine, channel: "web" }, keys.web);
    await onWhatsApp(hub, mine, "secretive words");
    await index(hub);
    await onWhatsApp(hub, mine, "secretive and not indexed");
    expect(
      (await call(hub, `/api/sessions/${own.id}`, { method: "DELETE", headers: keys.admin })).status,
    ).toBe(200);
    expect(await found(hub, "secretive", keys.admin)).toEqual([]);
    await index(hub);
    expect(await found(hub, "secretive", keys.admin)).toEqual([]);
    const [held] =
      await owner`select count(*)::int as rows from public.message_search where doc::text like '%secretive%'`;
    expect(held!.rows).toBe(0);
  });
});

describe("the index's lag", () => {
  test("is in /health for an admin, which is degraded when nothing is indexed for minutes", async () => {
    const hub = shop();
    await onTelegram(hub, 5_000_003, "first, which is indexed");
    await index(hub);
    await onTelegram(hub, 5_000_003, "second, which waits");
    const health = async (headers = keys.admin as Record<string, string>) =>
      (await call(hub, "/health", { headers })).body;
    expect((await health()).search).toEqual({ waiting: 1, lag_s: expect.any(Number) });
    expect((await health()).reasons ?? []).not.toContain("search_behind");
    expect((await health({})).search).toBeUndefined();
    await owner`update public.unindexed_messages set queued_at = now() - interval '10 minutes'`;
    const late = await health();
    expect(late.search.lag_s).toBeGreaterThanOrEqual(600);
    expect(late.reasons).toContain("search_behind");
    await index(hub);
    expect((await health()).search).toEqual({ waiting: 0, lag_s: 0 });
    expect(
      JSON.stringify(await (await testHub().request("/health", { headers: keys.admin })).json()),
    ).not.toContain("lag_s");
  });
});

test("a web page finds its own messages at once", async () => {
  const hub = shop();
  const own = await begin(hub, { phone: phone(), channel: "web" }, keys.web);
  await call(
    hub,
    "/webhooks/web",
    post({ external_id: "1", text: "Ist die Terrasse geöffnet?" }, own.bearer),
  );
  await call(
    hub,
    "/webhooks/web",
    post({ external_id: "2", text: "Und die TERRASSE am Sonntag?" }, own.bearer),
  );
  expect((await found(hub, "terras", own.bearer, "&role=user")).sort()).toEqual([
    "Ist die <mark>Terras</mark>se geöffnet?",
    "Und die <mark>TERRAS</mark>SE am Sonntag?",
  ]);
});
