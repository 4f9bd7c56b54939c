import { describe, expect, test } from "vitest";
import { begin, post, type TestHub } from "../support/http.ts";
import { call, keys, onTelegram, sharesPhone, strictHub } from "../support/people.ts";

const PHONE = "+4915112340001";
const DAY_MS = 86_400_000;

const rate = (hub: TestHub, id: string, body: unknown, headers: Record<string, string>) =>
  call(hub, `/api/sessions/${id}/rate`, post(body, headers));
const end = (hub: TestHub, headers: Record<string, string>, body?: unknown) =>
  call(hub, "/session/end", body === undefined ? { method: "POST", headers } : post(body, headers));
const wait = (hub: TestHub, ms: number) => {
  hub.clock.now = new Date(hub.clock.now.getTime() + ms);
};
const look = async (hub: TestHub, id: string) =>
  (await call(hub, `/api/sessions/${id}`, { headers: keys.admin })).body.session;

describe("POST /session/end", () => {
  test("takes what is said of the session, and tells how long it lasted", async () => {
    const hub = strictHub();
    const { bearer, id } = await begin(hub);
    await call(hub, "/webhooks/web", post({ external_id: "1", text: "Hello" }, bearer));
    wait(hub, 90_500);
    const closing = { summary: "two tickets", rating: 4, feedback: "quick" };
    const { status, body } = await end(hub, bearer, closing);
    expect([status, body.session]).toMatchObject([
      200,
      { ...closing, status: "logged_out", duration_seconds: 90, ended_at: hub.clock.now.toISOString() },
    ]);
    expect(body.session.message_count).toBeGreaterThan(0);
    expect(await look(hub, id)).toEqual(body.session);
  });

  test("takes no body, an empty one and an empty object", async () => {
    const hub = strictHub();
    for (const [body, type] of [
      [undefined, undefined],
      ["", "application/json"],
      ["", "text/plain"],
      ["{}", "application/json"],
    ] as const) {
      const { bearer } = await begin(hub);
      const headers = { ...bearer, ...(type && { "content-type": type }) };
      const { status } = await call(hub, "/session/end", { method: "POST", headers, ...(body && { body }) });
      expect([body, status]).toEqual([body, 200]);
    }
  });

  test.for([
    ["a rating of 0", { rating: 0 }, 400],
    ["a rating of 6", { rating: 6 }, 400],
    ["half a star", { rating: 4.5 }, 400],
    ["a rating as text", { rating: "5" }, 400],
    ["an endless summary", { summary: "x".repeat(4_097) }, 400],
    ["null", { rating: null }, 400],
    ["a list", [], 400],
    ["no JSON", "rating=5", 400],
    ["a body of another type", undefined, 415],
    ["a body that is too large", { summary: "x".repeat(1_100_000) }, 413],
  ] as const)("refuses %s, and the session lives", async ([, body, expected]) => {
    const hub = strictHub();
    const { bearer } = await begin(hub);
    const { status } = body
      ? await end(hub, bearer, body)
      : await call(hub, "/session/end", { method: "POST", headers: bearer, body: "rating=5" });
    expect(status).toBe(expected);
    expect((await call(hub, "/session/restore", { headers: bearer })).status).toBe(200);
  });
});

describe("POST /api/sessions/:id/rate", () => {
  test("is open to a token for a day after the session has ended, and opens nothing else", async () => {
    const hub = strictHub();
    const { bearer, id } = await begin(hub, { channel: "web", data: { cart: ["CANARY"] } });
    await end(hub, bearer);
    wait(hub, DAY_MS - 1);
    const rated = await rate(hub, id.toUpperCase(), { rating: 5, feedback: "fine" }, bearer);
    expect([rated.status, rated.body]).toEqual([200, { session_id: id, rating: 5, feedback: "fine" }]);
    expect(JSON.stringify(rated.body)).not.toContain("CANARY");
    for (const [method, path] of [
      ["GET", "/session/restore"],
      ["GET", "/session/messages"],
      ["GET", `/api/sessions/${id}/messages`],
      ["GET", "/session/devices"],
      ["POST", "/session/end"],
      ["POST", "/session/link"],
    ] as const)
      expect([path, (await call(hub, path, { method, headers: bearer })).code]).toEqual([
        path,
        "session_not_found",
      ]);
    wait(hub, 1);
    expect((await rate(hub, id, { rating: 1 }, bearer)).code).toBe("session_not_found");
    const late = await rate(hub, id, { rating: 1 }, keys.web);
    expect([late.status, late.code]).toEqual([409, "rating_closed"]);
    expect(await look(hub, id)).toMatchObject({ rating: 5, feedback: "fine" });
  });

  test("is closed to another customer's token, a kiosk's key alone, and whoever has neither", async () => {
    const hub = strictHub();
    const victim = await begin(hub, { channel: "web", phone: PHONE }, keys.web);
    const other = await begin(hub);
    const gone = await begin(hub);
    await end(hub, gone.bearer);
    for (const [headers, status, code] of [
      [{}, 401, "unauthorized"],
      [{ "x-api-key": "guess" }, 401, "unauthorized"],
      [{ authorization: `Bearer hst_${"x".repeat(43)}` }, 404, "session_not_found"],
      [other.bearer, 403, "forbidden"],
      [gone.bearer, 403, "forbidden"],
      [{ ...keys.admin, "x-session-token": other.token }, 403, "forbidden"],
      [keys.kiosk, 403, "verification_required"],
    ] as const) {
      const refused = await rate(hub, victim.id, { rating: 1 }, headers);
      expect([headers, refused.status, refused.code]).toEqual([headers, status, code]);
    }
    expect((await look(hub, victim.id)).rating).toBeNull();
    expect((await rate(hub, victim.id, { rating: 2 }, keys.web)).status).toBe(200);
    expect((await rate(hub, victim.id, { rating: 3 }, keys.admin)).status).toBe(200);
    const unknown = "00000000-0000-4000-8000-000000000000";
    expect((await rate(hub, unknown, { rating: 1 }, keys.web)).code).toBe("session_not_found");
    expect((await rate(hub, unknown, { rating: 1 }, other.bearer)).code).toBe("forbidden");
    expect((await rate(hub, "x", { rating: 1 }, keys.web)).status).toBe(400);
  });

  test.for([
    [{}],
    [{ rating: 6 }],
    [{ feedback: "x" }],
    [{ rating: 5, stars: 5 }],
    [{ rating: 5, feedback: 1 }],
  ])("refuses %j", async ([body]) => {
    const hub = strictHub();
    const { bearer, id } = await begin(hub);
    expect((await rate(hub, id, body, bearer)).code).toBe("malformed");
  });

  test("is counted as one route, whichever session is rated", async () => {
    const asked: string[] = [];
    const device = { limit: async ({ key }: { key: string }) => ({ success: asked.push(key) < 3 }) };
    const hub = strictHub({ limiters: { device } });
    const answers = [];
    for (let i = 0; i < 4; i++) {
      const id = crypto.randomUUID();
      answers.push((await rate(hub, id, { rating: 1 }, { authorization: `Bearer hst_${i}` })).status);
    }
    expect([answers, new Set(asked).size]).toEqual([[404, 404, 429, 429], 1]);
    const { id } = await begin(hub);
    expect((await rate(hub, id, { rating: 1 }, keys.web)).status).toBe(200);
  });

  test("leaves nothing of what was said in the log", async () => {
    const hub = strictHub();
    const { bearer, id } = await begin(hub);
    await rate(hub, id, { rating: 5, feedback: "CANARY" }, bearer);
    await end(hub, bearer, { summary: "CANARY", feedback: "CANARY" });
    expect(JSON.stringify(hub.lines)).not.toContain("CANARY");
    expect(hub.lines.at(-1)?.fields).toMatchObject({ session_id: id });
  });
});

describe("an operator", () => {
  test("goes through sessions page by page, with counts", async () => {
    const hub = strictHub();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      wait(hub, 1_000);
      ids.push((await begin(hub, { channel: "web", customer_id: `C-${i}` }, keys.web)).id);
    }
    const { bearer, id } = await begin(hub);
    await end(hub, bearer, { summary: "Refund" });
    const list = async (query: string) =>
      (await call(hub, `/api/sessions${query}`, { headers: keys.admin })).body;
    const first = await list("?status=active&limit=3");
    expect([first.sessions.map((one: any) => one.session_id), first.counts]).toEqual([
      ids.slice(2).reverse(),
      { active: 5, logged_out: 1 },
    ]);
    const second = await list(`?status=active&limit=3&after=${first.cursor}`);
    expect([second.sessions.map((one: any) => one.session_id), second.cursor, second.counts]).toEqual([
      ids.slice(0, 2).reverse(),
      null,
      null,
    ]);
    expect((await list("")).sessions).toHaveLength(6);
    expect((await list("?q=refund")).sessions).toMatchObject([{ session_id: id, summary: "Refund" }]);
    expect((await list("?customer_id=C-1&status=active")).sessions).toMatchObject([{ session_id: ids[1] }]);
    expect((await list("?channel=chat")).sessions).toHaveLength(6);
    const since = encodeURIComponent(hub.clock.now.toISOString());
    expect((await list(`?active_since=${since}`)).sessions).toHaveLength(2);
    for (const [headers, status] of [
      [{}, 401],
      [bearer, 401],
      [keys.web, 403],
      [keys.kiosk, 403],
    ] as const)
      for (const path of ["/api/sessions?status=active", `/api/sessions/${id}`])
        expect([path, headers, (await call(hub, path, { headers })).status]).toEqual([path, headers, status]);
  });

  test("looks one session up, in any state, and changes nothing", async () => {
    const hub = strictHub();
    await onTelegram(hub, 11, "Hello");
    const [chat] = (await call(hub, "/api/sessions?telegram_chat_id=11", { headers: keys.admin })).body
      .sessions;
    await begin(hub, { channel: "web", phone: PHONE }, keys.web);
    await sharesPhone(hub, 11, PHONE);
    const merged = await look(hub, chat.session_id);
    const other = merged.status === "merged" ? await look(hub, merged.merged_into) : merged;
    expect([other.status, other.phone, other.telegram_chat_id]).toEqual(["active", PHONE, "11"]);
    const before = await look(hub, other.session_id);
    wait(hub, 60_000);
    expect(await look(hub, other.session_id.toUpperCase())).toEqual(before);
    const unknown = "/api/sessions/00000000-0000-4000-8000-000000000000";
    expect((await call(hub, unknown, { headers: keys.admin })).code).toBe("session_not_found");
  });
});

test("an expired session lasted until its last activity", async () => {
  const hub = strictHub();
  const { bearer, id } = await begin(hub);
  wait(hub, 61_000);
  await call(hub, "/session/restore", { headers: bearer });
  wait(hub, 8 * DAY_MS);
  await hub.hub.store.housekeeping.expire(hub.clock.now, 10);
  expect(await look(hub, id)).toMatchObject({ status: "expired", duration_seconds: 61 });
});

test("the examples of the API description work", async () => {
  const hub = strictHub();
  const { paths } = (await call(hub, "/openapi.json")).body;
  const exampleOf = (path: string) => paths[path].post.requestBody.content["application/json"].schema.example;
  const { bearer, id } = await begin(hub);
  const example = exampleOf("/api/sessions/{id}/rate");
  expect((await rate(hub, id, example, bearer)).body).toEqual({ session_id: id, ...example });
  const closing = exampleOf("/session/end");
  expect((await end(hub, bearer, closing)).body.session).toMatchObject(closing);
});
