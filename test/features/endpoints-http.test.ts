import sqlDriver from "postgres";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { settings } from "../contracts/given.ts";
import { emptying } from "../support/empty.ts";
import { begin, post } from "../support/http.ts";
import { call, keys, onWhatsApp, type StrictHub, strictHub } from "../support/people.ts";
import { readPrometheus } from "../support/prometheus.ts";
import { startReceiver } from "../support/receiver.ts";
import { createDatabase } from "../support/stack.ts";

let owner: sqlDriver.Sql;
let direct: PostgresCalls;
let truncation: string;
beforeAll(async () => {
  const { url } = await createDatabase();
  owner = sqlDriver(url, { max: 1, onnotice: () => {} });
  truncation = await emptying(owner, "truncate");
  direct = postgresCalls(url, { max: 8, timeoutMs: 30_000 });
});
afterAll(async () => {
  await direct.close();
  await owner.end();
});
beforeEach(() => owner.unsafe(truncation));

const shop = (parts: Parameters<typeof strictHub>[1] = {}) =>
  strictHub(
    {},
    { store: sqlStore(direct.call, settings), now: () => new Date(), openTargets: true, ...parts },
  );
const send = (
  hub: StrictHub,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = keys.admin,
) => call(hub, path, { ...post(body, headers), method });
const read = (hub: StrictHub, path: string, headers: Record<string, string> = keys.admin) =>
  call(hub, path, { headers });

const url = "http://127.0.0.1:9/events";
const none = "00000000-0000-4000-8000-000000000000";
const types = ["message.received"];
const made = async (hub: StrictHub, more: object = {}) =>
  (await send(hub, "POST", "/api/endpoints", { url, types, ...more })).body;

describe("endpoints", () => {
  test("are made, read, changed at their version, and deleted; the secret is shown once", async () => {
    const hub = shop();
    const created = await send(hub, "POST", "/api/endpoints", {
      url,
      types: [...types, ...types],
      description: "CRM",
    });
    expect([created.status, created.headers.get("etag")]).toEqual([201, '"1"']);
    const { secret, ...endpoint } = created.body;
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(endpoint).toMatchObject({
      url,
      types,
      description: "CRM",
      channels: null,
      content: false,
      state: "enabled",
      version: 1,
    });
    const at = `/api/endpoints/${endpoint.endpoint_id}`;
    expect((await read(hub, at)).body).toEqual(endpoint);
    expect((await read(hub, "/api/endpoints")).body).toEqual({ endpoints: [endpoint] });

    const stale = await send(hub, "PATCH", at, { content: true }, { ...keys.admin, "if-match": '"9"' });
    expect([stale.status, stale.code]).toEqual([409, "version_conflict"]);
    const changed = await send(
      hub,
      "PATCH",
      at,
      { content: true, channels: ["web"], description: null },
      { ...keys.admin, "if-match": '"1"' },
    );
    expect(changed.body).toMatchObject({
      content: true,
      channels: ["web"],
      description: null,
      url,
      version: 2,
    });
    const stopped = await send(hub, "PATCH", at, { enabled: false });
    expect(stopped.body).toMatchObject({ state: "disabled", disabled_reason: "operator" });
    expect((await send(hub, "PATCH", at, { enabled: true })).body).toMatchObject({
      state: "enabled",
      disabled_reason: null,
    });

    const rotated = await send(hub, "POST", `${at}/secret`, { former_hours: 1 });
    expect(rotated.body.secret).not.toBe(secret);
    expect(Date.parse(rotated.body.former_secret_until) - Date.now()).toBeGreaterThan(3_500_000);
    expect((await call(hub, `${at}/secret`, { method: "POST", headers: keys.admin })).status).toBe(200);
    const own = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
    expect((await send(hub, "POST", `${at}/secret`, { secret: own })).body.secret).toBe(own);

    const gone = () => call(hub, at, { method: "DELETE", headers: keys.admin });
    expect((await gone()).body).toEqual({ deleted: true });
    expect((await gone()).body).toEqual({ deleted: false });
    expect((await read(hub, at)).status).toBe(404);
    const said = JSON.stringify(hub.lines);
    for (const text of [secret, own, rotated.body.secret]) expect(said).not.toContain(text.slice(6, 30));
    const audit = await owner`select action, actor from audit order by audit_id`;
    expect(audit.map(({ action }) => action)).toContain("endpoint.secret");
    expect(audit.every(({ actor }) => actor.startsWith("admin:"))).toBe(true);
  });

  test.each([
    [{}],
    [{ url }],
    [{ url, types: [] }],
    [{ url, types: ["message.unknown"] }],
    [{ url, types, secret: "whsec_short" }],
    [{ url, types, channels: [] }],
    [{ url, types, channels: ["fax"] }],
    [{ url, types, state: "enabled" }],
    [{ url, types, content: "yes" }],
    [{ url: "ftp://shop.example", types }],
    [{ url: "https://user:password@shop.example/", types }],
  ])("are not made of %j", async (body) => {
    const { status, code } = await send(shop(), "POST", "/api/endpoints", body);
    expect([status, code]).toEqual([400, "malformed"]);
    expect(await owner`select from endpoints`).toEqual([]);
  });

  test("are on the public Internet, unless the hub is on a developer's machine", async () => {
    const hub = shop({ openTargets: false });
    for (const wrong of [
      "http://shop.example/",
      "https://127.0.0.1/",
      "https://[::1]/",
      "https://10.1/",
      "https://a.internal/",
    ])
      expect([wrong, (await send(hub, "POST", "/api/endpoints", { url: wrong, types })).status]).toEqual([
        wrong,
        400,
      ]);
    const { body } = await send(hub, "POST", "/api/endpoints", { url: "https://shop.example/e", types });
    const moved = await send(hub, "PATCH", `/api/endpoints/${body.endpoint_id}`, {
      url: "https://169.254.169.254/",
    });
    expect([moved.status, moved.code]).toEqual([400, "malformed"]);
    expect((await read(hub, `/api/endpoints/${body.endpoint_id}`)).body.url).toBe("https://shop.example/e");
  });

  test("are twenty at most, also when many are made at once", async () => {
    const hub = shop();
    const answers = await Promise.all(
      Array.from({ length: 24 }, () => send(hub, "POST", "/api/endpoints", { url, types })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(20);
    expect(answers.filter(({ code }) => code === "endpoint_limit")).toHaveLength(4);
  });

  test("get what happens soon after a request, and their dead letters and replays are an operator's", async () => {
    const hub = shop({ sleep: (ms) => new Promise((go) => setTimeout(go, Math.min(ms, 20))) });
    const receiver = await startReceiver();
    const { secret, endpoint_id } = await made(hub, {
      url: receiver.url,
      types: ["message.received", "session.opened"],
    });
    await onWhatsApp(hub, "+4915112340001", "Hello");
    await expect
      .poll(() => receiver.types(), { timeout: 10_000 })
      .toEqual(["session.opened", "message.received"]);
    for (const { body, headers } of receiver.got) new Webhook(secret).verify(body, headers);
    const at = `/api/endpoints/${endpoint_id}`;
    expect((await read(hub, `${at}/dead-letters`)).body).toEqual({ dead_letters: [], cursor: null });
    await owner`insert into event_deliveries (lane, seq, endpoint_id, event_id, state, attempt, code, reason)
      select lane, seq, ${endpoint_id}, event_id, 'dead', 13, 'unavailable', 'http_500' from events`;
    const first = (await read(hub, `${at}/dead-letters?limit=1`)).body;
    expect(first.dead_letters).toMatchObject([
      { event_id: receiver.got[0]!.id, attempt: 13, reason: "http_500" },
    ]);
    const second = (await read(hub, `${at}/dead-letters?limit=1&after=${first.cursor}`)).body;
    expect(second).toMatchObject({ dead_letters: [{ event_id: receiver.got[1]!.id }], cursor: null });
    const from = new Date(Date.now() - 60_000).toISOString();
    const to = new Date(Date.now() + 60_000).toISOString();
    expect((await send(hub, "POST", `${at}/replay`, { from, to, dead: true })).body).toEqual({
      events: 2,
      cursor: null,
    });
    await expect.poll(() => receiver.got.length, { timeout: 10_000 }).toBe(4);
    expect((await send(hub, "POST", `${at}/replay`, { from: "yesterday" })).code).toBe("malformed");
    await hub.idle();
  }, 30_000);

  test("show in /health and /metrics", async () => {
    const hub = shop();
    const { endpoint_id } = await made(hub);
    await onWhatsApp(hub, "+4915112340001", "Hello");
    await hub.idle();
    const health = async () => (await read(hub, "/health")).body;
    expect((await health()).events).toMatchObject({ waiting: 1, dead: 0, failing: 1, disabled: 0 });
    await owner`update endpoints set enabled = false, disabled_reason = 'failing'`;
    expect(await health()).toMatchObject({
      status: "degraded",
      reasons: expect.arrayContaining(["endpoint_disabled"]),
      events: { waiting: 0, disabled: 1 },
    });
    const metrics = await (await hub.request("/metrics", { headers: keys.admin })).text();
    const series = (name: string) =>
      [...readPrometheus(metrics).get(name)!.series].map(([labels, value]) => [
        labels.replace(/.*","(\w+)".*/, "$1"),
        value,
      ]);
    expect(series("hub_endpoints")).toEqual([
      ["enabled", 0],
      ["failing", 0],
      ["disabled", 1],
    ]);
    expect(series("hub_events_total")).toContainEqual(["failed", 1]);
    expect((await read(hub, `/api/endpoints/${endpoint_id}`)).body).toMatchObject({
      last_failure: { reason: "unreachable" },
    });
  });
});

describe("who may", () => {
  const ROUTES: [method: string, path: string, body?: object][] = [
    ["POST", "/api/endpoints", { url, types }],
    ["GET", "/api/endpoints"],
    ["GET", `/api/endpoints/${none}`],
    ["PATCH", `/api/endpoints/${none}`, { enabled: true }],
    ["DELETE", `/api/endpoints/${none}`],
    ["POST", `/api/endpoints/${none}/secret`, {}],
    ["GET", `/api/endpoints/${none}/dead-letters`],
    ["POST", `/api/endpoints/${none}/replay`, { from: "2026-11-21T18:00:00Z" }],
  ];
  const ask = (
    hub: StrictHub,
    [method, path, body]: (typeof ROUTES)[number],
    headers: Record<string, string>,
  ) => call(hub, path, body ? { ...post(body, headers), method } : { method, headers });

  test.for(ROUTES)("%s %s: admins only", async (route) => {
    const hub = shop();
    const { bearer } = await begin(hub);
    for (const wrong of [{}, { "x-api-key": "guess" }, { "x-api-key": "bot-key" }, bearer])
      expect((await ask(hub, route, wrong)).status).toBe(401);
    for (const wrong of [keys.kiosk, keys.web]) expect((await ask(hub, route, wrong)).status).toBe(403);
    expect(await owner`select from endpoints`).toEqual([]);
  });

  test.for(ROUTES)("%s %s: on the memory store nobody", async (route) => {
    const { status, code } = await ask(strictHub({}, { openTargets: true }), route, keys.admin);
    expect([status, code]).toEqual([501, "needs_database"]);
  });

  test.for(ROUTES.filter(([, path, body]) => path.includes(none) && body))(
    "%s %s of no endpoint is not found",
    async (route) => {
      expect((await ask(shop(), route, keys.admin)).status).toBe(404);
    },
  );
});
