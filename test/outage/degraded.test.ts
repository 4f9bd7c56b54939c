import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis as RedisClient } from "@upstash/redis";
import sqlDriver from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import { type Postgres, startPostgres } from "../../dev/services/postgres.ts";
import type { Redis } from "../../dev/services/redis.ts";
import { type Supabase, startSupabase } from "../../dev/services/supabase.ts";
import { prepareDatabase } from "../../dev/services/supabase-roles.ts";
import { migrate } from "../../migrations/migrate.ts";
import { hmacHex, sha256Hex } from "../../src/core/signature.ts";
import worker from "../../src/worker.ts";
import { ENV, post } from "../support/http.ts";
import { redis as startRedis } from "../support/stack.ts";

const dir = await mkdtemp(join(tmpdir(), "session-hub-degraded-"));
const admin = { "x-api-key": "admin-key" };
const shop = { "x-api-key": "web-key" };
const SOON = { timeout: 30_000, interval: 200 };
const lines: any[] = [];
/** The texts sent to each phone. */
const sent: { to: string; text: string }[] = [];

let port: number;
let database: Postgres;
let rest: Supabase;
let cache: Redis;
let platform: Server;
const running: Promise<unknown>[] = [];

beforeAll(async () => {
  for (const level of ["info", "warn", "error"] as const)
    vi.spyOn(console, level).mockImplementation((line) => void lines.push(JSON.parse(line)));
  port = await freePort();
  database = await startPostgres({ dir, port });
  const owner = sqlDriver(database.adminUrl, { max: 1, onnotice: () => {} });
  await prepareDatabase(owner, "postgres");
  await owner.end();
  await migrate(database.url);
  rest = await startSupabase({ port: await freePort(), databaseUrl: database.url, poolSize: 4 });
  cache = await startRedis();
  platform = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const body = JSON.parse(text);
    if (body.text) sent.push({ to: body.to, text: body.text.body });
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ messages: [{ id: `wamid.out${sent.length}` }] }));
  });
  await new Promise<void>((resolve) => platform.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  vi.restoreAllMocks();
  platform.closeAllConnections();
  platform.close();
  await rest.stop();
  await database.stop();
  await rm(dir, { recursive: true, force: true });
});

beforeEach(async () => {
  lines.length = 0;
  sent.length = 0;
  await new RedisClient({ url: cache.url, token: cache.token, enableTelemetry: false }).flushall();
});
afterEach(async () => {
  await settled();
  if (dark) await powerBack();
});

/** A Worker that has just started, with real dependencies and the given settings. */
function isolate(over: Record<string, unknown> = {}) {
  const env = {
    BOT: "echo",
    ...ENV,
    SUPABASE_URL: rest.url,
    SUPABASE_SERVICE_ROLE_KEY: rest.serviceRoleKey,
    UPSTASH_REDIS_REST_URL: cache.url,
    UPSTASH_REDIS_REST_TOKEN: cache.token,
    WHATSAPP_API_ROOT: `http://127.0.0.1:${(platform.address() as AddressInfo).port}`,
    ...over,
  };
  const context = {
    waitUntil: (work: Promise<unknown>) => void running.push(work),
    passThroughOnException: () => {},
    props: {},
  };
  const request = async (path: string, init?: RequestInit) => {
    const response: Response = (await worker.fetch(
      new Request(`https://hub.example${path}`, init) as never,
      env,
      context as never,
    )) as never;
    return { status: response.status, headers: response.headers, body: (await response.json()) as any };
  };
  return {
    request,
    whatsapp: async (phone: string, id: string, text = id) => {
      const body = JSON.stringify(text1(phone, id, text));
      const signature = await hmacHex("app-secret", new TextEncoder().encode(body));
      return request("/webhooks/whatsapp", post(body, { "x-hub-signature-256": `sha256=${signature}` }));
    },
    sweep: () => worker.scheduled({} as never, env, context as never),
    health: async () => (await request("/health", { headers: admin })).body,
    begin: async (body: object, headers: Record<string, string> = {}) => {
      const { body: begun, status } = await request("/session/start", post(body, headers));
      expect(status).toBe(200);
      return { ...begun, bearer: { authorization: `Bearer ${begun.session_token}` } };
    },
  };
}

/** https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples */
function text1(phone: string, id: string, body: string) {
  const value = {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: "15550000103", phone_number_id: "103" },
    contacts: [{ profile: { name: "C" }, wa_id: phone }],
    messages: [
      { from: phone, id, timestamp: `${Math.floor(Date.now() / 1000)}`, type: "text", text: { body } },
    ],
  };
  return {
    object: "whatsapp_business_account",
    entry: [{ id: "1", changes: [{ field: "messages", value }] }],
  };
}

async function settled() {
  while (running.length > 0) await Promise.all(running.splice(0));
}

let dark = false;

async function powerCut() {
  await settled();
  dark = true;
  await database.kill();
}

async function powerBack() {
  database = await startPostgres({ dir, port });
  dark = false;
}

/** Runs sweeps as the cron does, until no work is left. */
async function swept(hub: ReturnType<typeof isolate>) {
  await expect
    .poll(async () => {
      await hub.sweep().catch(() => {});
      await settled();
      return (await hub.health()).journal;
    }, SOON)
    .toMatchObject({ depth: 0, quarantined: 0 });
}

const redis = () => new RedisClient({ url: cache.url, token: cache.token, enableTelemetry: false });

/** Everything in Redis, keys and values. */
async function everything(): Promise<string> {
  const held: unknown[] = [];
  for (const key of await redis().keys("*")) {
    const type: string = await redis().type(key);
    held.push(
      key,
      type === "string"
        ? await redis().get(key)
        : type === "stream"
          ? await redis().xrange(key, "-", "+")
          : type,
    );
  }
  return JSON.stringify(held);
}

type Hub = ReturnType<typeof isolate>;
type Begun = Awaited<ReturnType<Hub["begin"]>>;

/** All texts of a session, with their senders. */
async function said(hub: ReturnType<typeof isolate>, session_id: string) {
  const { body } = await hub.request(`/api/sessions/${session_id}/messages`, { headers: admin });
  return body.messages.map(({ role, text }: any) => [role, text]);
}

const unavailable = (answer: { status: number; headers: Headers; body: any }) => {
  expect([answer.status, answer.body.error?.code]).toEqual([503, "unavailable"]);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
};

describe("with the database down", () => {
  test("messages are accepted, other calls are not, and all messages are stored when it is up again", async () => {
    const hub = isolate();
    const known = await hub.begin({ channel: "web", phone: "+4915112345611", data: { cart: ["tea"] } }, shop);
    await hub.whatsapp("4915112345611", "wamid.1");
    const visitor = await hub.begin({ channel: "web", data: { cart: ["pen"] } });
    await settled();
    sent.length = 0;

    await powerCut();
    expect((await hub.whatsapp("4915112345611", "wamid.2")).status).toBe(200);
    expect((await hub.whatsapp("4915112345622", "wamid.3")).status).toBe(200);
    expect((await hub.whatsapp("4915112345611", "wamid.4")).status).toBe(200);
    expect((await hub.whatsapp("4915112345611", "wamid.2")).status).toBe(200);
    const waiting = { status: 202, body: { persisted: false } };
    const say = (body: object, headers: Record<string, string>) =>
      hub.request("/webhooks/web?wait=5", post(body, headers));
    expect(await say({ external_id: "1", text: "Hello?" }, visitor.bearer)).toMatchObject(waiting);
    const spoken = await say({ external_id: "p1", phone: "+4915112345611", text: "At the shop" }, shop);
    expect(spoken).toMatchObject(waiting);
    expect(Object.keys(spoken.body)).toEqual(["persisted"]);

    unavailable(
      await hub.request("/session/start", post({ channel: "kiosk", phone: "+4915112345611" }, shop)),
    );
    unavailable(await hub.request("/session/restore", { headers: known.bearer }));
    unavailable(await hub.request("/session/restore?phone=%2B4915112345611", { headers: shop }));
    unavailable(await hub.request("/session/update", post({ data: { cart: [] } }, known.bearer)));

    expect(lines.filter(({ event }) => event === "degraded")).toHaveLength(6);
    expect(await hub.health()).toMatchObject({
      status: "degraded",
      store: { ok: false, breaker: expect.stringMatching(/open/) },
      cache: { backend: "upstash", ok: true, latency_ms: expect.any(Number) },
      journal: { ok: true, latency_ms: expect.any(Number), depth: 6, quarantined: 0 },
    });

    await powerBack();
    await swept(isolate());
    const after = isolate();
    for (const [device, data] of [
      [known, { cart: ["tea"] }],
      [visitor, { cart: ["pen"] }],
    ] as const) {
      const { status, body } = await after.request("/session/restore", { headers: device.bearer });
      expect([status, body.session.session_id]).toEqual([200, device.session.session_id]);
      expect(body.session.data).toMatchObject(data);
    }
    const answer = (text: string) => ["assistant", expect.stringContaining(`"${text}"`)];
    const ofKnown = await said(after, known.session.session_id);
    const words = ["wamid.1", "wamid.2", "wamid.4", "At the shop"];
    expect(ofKnown.filter(([role]: string[]) => role === "user")).toEqual(
      words.map((text) => ["user", text]),
    );
    expect(ofKnown.filter(([role]: string[]) => role === "assistant")).toEqual(words.map(answer));
    expect(await said(after, visitor.session.session_id)).toEqual([["user", "Hello?"], answer("Hello?")]);
    expect(sent.map(({ to, text }) => [to, /"(.*)"/.exec(text)![1]]).sort()).toEqual([
      ["4915112345611", "wamid.2"],
      ["4915112345611", "wamid.4"],
      ["4915112345622", "wamid.3"],
    ]);
  });

  test("the next customer's message is answered after the waiting ones, without a sweep", async () => {
    const hub = isolate();
    await powerCut();
    for (const id of ["wamid.n1", "wamid.n2", "wamid.n3"])
      expect((await hub.whatsapp("4915112345633", id)).status).toBe(200);
    await powerBack();
    await expect
      .poll(async () => {
        await hub.whatsapp("4915112345633", "wamid.n4");
        await settled();
        return (await hub.health()).journal.depth;
      }, SOON)
      .toBe(0);
    expect(sent.map(({ text }) => /"(.*)"/.exec(text)![1])).toEqual([
      "wamid.n1",
      "wamid.n2",
      "wamid.n3",
      "wamid.n4",
    ]);
    const session = await hub.begin({ channel: "web", phone: "+4915112345633" }, shop);
    expect(
      (await said(hub, session.session.session_id)).filter(([role]: string[]) => role === "user"),
    ).toHaveLength(4);
  });

  test("sessions that only the database knows are refused, and nothing is made up", async () => {
    const hub = isolate();
    const device = await hub.begin({ channel: "web" });
    const other = await hub.begin({ channel: "web" });
    await hub.request("/session/signout", post({}, other.bearer));
    await settled();
    await powerCut();
    const message = { external_id: "1", text: "x" };
    const stranger = { authorization: "Bearer hst_never-seen-before" };
    unavailable(await hub.request("/webhooks/web", post(message, stranger)));
    unavailable(await hub.request("/webhooks/web", post(message, other.bearer)));
    const kiosk = { "x-api-key": "kiosk-key-1" };
    const typed = { phone: "+4915112345699" };
    unavailable(await hub.request("/session/start", post({ ...typed, channel: "kiosk" }, kiosk)));
    unavailable(await hub.request("/webhooks/kiosk", post({ ...message, ...typed }, kiosk)));
    unavailable(await hub.request("/session/messages", { headers: device.bearer }));
    unavailable(await hub.request("/session/signout", post({}, device.bearer)));
    unavailable(await hub.request("/session/end", post({}, device.bearer)));
    unavailable(
      await hub.request(`/api/sessions/${device.session.session_id}`, { method: "DELETE", headers: admin }),
    );
    expect((await hub.health()).journal.depth).toBe(0);
    await powerBack();
    await expect
      .poll(async () => (await hub.request("/session/restore", { headers: device.bearer })).status, SOON)
      .toBe(200);
    expect((await hub.request("/session/signout", post({}, device.bearer))).body).toEqual({
      signed_out: true,
    });
  });

  test("erased data is not in the cache, not in the quarantine, and no key leads to it", async () => {
    const hub = isolate();
    const phone = "+4915112345644";
    const keep = await hub.begin({ channel: "web", phone: "+4915112345645", data: { note: "KEPT" } }, shop);
    const left = await hub.begin(
      { channel: "web", phone, customer_id: "103", data: { cart: ["CANARY"] } },
      shop,
    );
    const device = await hub.begin({ channel: "web", phone, data: { cart: ["CANARY"] } }, shop);
    await hub.request("/session/signout", post({}, left.bearer));
    await settled();
    // One entry of theirs and one of another customer, which the database refuses for good.
    for (const [token, text] of [
      [device.session_token, "CANARY"],
      [keep.session_token, "KEPT"],
    ]) {
      const from = { token_hash: await sha256Hex(token), phone };
      const event = {
        type: "message",
        message: {
          channel: "web",
          external_id: text,
          from,
          address: {},
          content: { kind: "text", text },
          wakes: true,
        },
      };
      const refused = {
        type: "receive",
        at: new Date(),
        events: [
          { ...event, message: { ...event.message, from: text === "KEPT" ? { token_hash: "none" } : from } },
        ],
      };
      await redis().xadd("journal:quarantine", "*", {
        entry: JSON.stringify(refused),
        reason: "session_not_found",
        id: "1-1",
      });
    }
    expect(await everything()).toContain("CANARY");
    const erased = await hub.request("/api/customers/103", { method: "DELETE", headers: admin });
    expect([erased.status, erased.body.sessions]).toEqual([200, 1]);
    const held = await everything();
    expect(held).not.toContain("CANARY");
    for (const trace of [phone, phone.slice(1), await sha256Hex(device.session_token)])
      expect(held.replaceAll(/dead:token:\w+/g, "")).not.toContain(trace);
    expect(held.match(/KEPT/g)?.length).toBeGreaterThan(1);

    await powerCut();
    for (const path of ["/session/restore", "/session/messages"])
      unavailable(await hub.request(path, { headers: device.bearer }));
    unavailable(await hub.request(`/session/restore?phone=${encodeURIComponent(phone)}`, { headers: shop }));
    unavailable(await hub.request("/webhooks/web", post({ external_id: "1", text: "x" }, device.bearer)));
  });

  test.for([
    ["ended", (hub: Hub, one: Begun) => hub.request("/session/end", post({}, one.bearer))],
    ["signed out", (hub: Hub, one: Begun) => hub.request("/session/signout", post({}, one.bearer))],
    [
      "erased",
      (hub: Hub, one: Begun) =>
        hub.request(`/api/sessions/${one.session.session_id}`, { method: "DELETE", headers: admin }),
    ],
  ] as const)(
    "a session that was %s before leaves no copy that a reader outside finds by its token",
    async ([name, lose]) => {
      const hub = isolate();
      const one = await hub.begin(
        { channel: "web", phone: "+4915112345646", data: { cart: ["CANARY"] } },
        shop,
      );
      await settled();
      const token = `token:${await sha256Hex(one.session_token)}`;
      expect(await redis().get(token)).toBe(one.session.session_id);
      expect((await lose(hub, one)).status).toBe(200);
      await settled();
      expect(await redis().get(token)).toBeNull();
      if (name !== "signed out") expect(await everything()).not.toContain("CANARY");
    },
  );

  test("an unlinked identity is in no copy of its session", async () => {
    const hub = isolate();
    const one = await hub.begin({ channel: "web", phone: "+4915112345647" }, shop);
    await settled();
    expect(await everything()).toContain("+4915112345647");
    const answer = await hub.request("/session/identities/phone", { method: "DELETE", headers: one.bearer });
    expect(answer.status).toBe(200);
    await settled();
    expect(await everything()).not.toContain("+4915112345647");
  });

  test("the answer is 503 without Upstash, and fifty calls reach the database three times", async () => {
    let asked = 0;
    const dead = createServer((_request, response) => {
      asked++;
      response.writeHead(503).end();
    });
    await new Promise<void>((resolve) => dead.listen(0, "127.0.0.1", resolve));
    const SUPABASE_URL = `http://127.0.0.1:${(dead.address() as AddressInfo).port}`;
    const hub = isolate({
      SUPABASE_URL,
      UPSTASH_REDIS_REST_URL: undefined,
      UPSTASH_REDIS_REST_TOKEN: undefined,
    });
    for (let i = 0; i < 50; i++) unavailable(await hub.whatsapp("4915112345655", `wamid.d${i}`));
    unavailable(await hub.request("/session/start", post({ channel: "web" })));
    const { store, journal } = await hub.health();
    expect([store.breaker, journal]).toEqual(["open", undefined]);
    expect(asked).toBe(3);
    expect(lines.filter(({ event }) => event === "store.breaker_open")).toHaveLength(1);
    dead.close();
  });

  test("the answer is 503 with Redis down too", async () => {
    const hub = isolate({ UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9", SUPABASE_URL: "http://127.0.0.1:9" });
    unavailable(await hub.whatsapp("4915112345666", "wamid.b1"));
    unavailable(await hub.request("/session/start", post({ channel: "web" })));
    const known = isolate({ UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9" });
    const health = await known.health();
    expect(health).toMatchObject({
      status: "degraded",
      store: { ok: true },
      cache: { backend: "upstash", ok: false, latency_ms: expect.any(Number), code: "cache_unreachable" },
      journal: { ok: false, latency_ms: expect.any(Number), code: "journal_unreachable" },
    });
    const path = "/api/sessions/019b8b74-1801-7000-8000-000000000001";
    unavailable(await known.request(path, { method: "DELETE", headers: admin }));
    const audit = await known.request("/api/audit?limit=200", { headers: admin });
    expect(JSON.stringify(audit.body)).not.toContain("019b8b74-1801-7000-8000-000000000001");
  });
});

describe("with a database that hangs", () => {
  let hung: Server;
  let asked = 0;
  beforeAll(async () => {
    hung = createServer(() => void asked++);
    await new Promise<void>((resolve) => hung.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => {
    hung.closeAllConnections();
    hung.close();
  });
  const hanging = (over: Record<string, unknown> = {}) =>
    isolate({ SUPABASE_URL: `http://127.0.0.1:${(hung.address() as AddressInfo).port}`, ...over });

  const alone = { UPSTASH_REDIS_REST_URL: undefined, UPSTASH_REDIS_REST_TOKEN: undefined };
  const direct = () => ({
    CONVERSATION_STORAGE_BACKEND: "postgres",
    HYPERDRIVE: { connectionString: `postgres://hub@127.0.0.1:${(hung.address() as AddressInfo).port}/hub` },
  });
  test.for([
    ["with a journal", () => ({}), 3_500],
    ["without one", () => alone, 5_000],
    ["over a direct connection, with a journal", direct, 3_500],
    ["over a direct connection, without one", () => ({ ...direct(), ...alone }), 5_000],
  ] as const)("every route answers 503 within the same limit, %s", async ([, over, limitMs]) => {
    const bearer = { authorization: "Bearer hst_somebodys" };
    const id = "019b8b74-1801-7000-8000-000000000001";
    const calls: [string, RequestInit?][] = [
      ["/session/messages", { headers: bearer }],
      ["/session/messages?wait=25", { headers: bearer }],
      [`/api/sessions/${id}/messages`, { headers: admin }],
      [`/api/sessions/${id}/messages`, { headers: bearer }],
      ["/session/start", post({ channel: "web" })],
      ["/session/restore", { headers: bearer }],
      ["/session/update", post({ data: {} }, bearer)],
      ["/session/update", post({ message: "x" }, bearer)],
      ["/session/end", post({}, bearer)],
      ["/session/signout", post({}, bearer)],
      ["/session/devices", { headers: bearer }],
      ["/webhooks/web?wait=25", post({ external_id: "1", text: "x" }, bearer)],
      [`/api/sessions/${id}`, { method: "DELETE", headers: admin }],
      [`/api/sessions/${id}/export`, { headers: admin }],
    ];
    // Each has put itself together before: fourteen at once in one thread take longer than any does alone.
    const hubs = calls.map(() => hanging(over()));
    for (const hub of hubs) expect((await hub.request("/nowhere")).status).toBe(404);
    const took = await Promise.all(
      calls.map(async ([path, init], i) => {
        const began = performance.now();
        unavailable(await hubs[i]!.request(path, init));
        return [path, performance.now() - began] as const;
      }),
    );
    expect(took.filter(([, ms]) => ms > limitMs)).toEqual([]);
  });

  test("a webhook is acknowledged in time, and later ones at once", async () => {
    asked = 0;
    const hub = hanging();
    for (let i = 0; i < 20; i++)
      expect((await hub.whatsapp("4915112345677", `wamid.h${i}`)).status).toBe(200);
    expect((await hub.health()).journal.depth).toBe(20);
    expect(asked).toBeLessThan(12);
    await swept(isolate());
    expect(sent.map(({ text }) => /"(.*)"/.exec(text)![1])).toEqual(
      Array.from({ length: 20 }, (_, i) => `wamid.h${i}`),
    );
  });
});

test("another isolate stores what one isolate could not, before newer messages", async () => {
  const fine = isolate();
  const device = await fine.begin({ channel: "web", phone: "+4915112345688" }, shop);
  await settled();
  const cutOff = isolate({ SUPABASE_URL: "http://127.0.0.1:9" });
  await cutOff.whatsapp("4915112345688", "wamid.o1");
  const said = post({ external_id: "o2", text: "o2" }, device.bearer);
  expect((await cutOff.request("/webhooks/web", said)).status).toBe(202);
  await settled();
  expect((await isolate().request("/session/end", post({}, device.bearer))).status).toBe(200);
  await settled();
  const path = `/api/sessions/${device.session.session_id}/messages`;
  const { body } = await fine.request(path, { headers: admin });
  expect(body.messages.filter(({ role }: any) => role === "user").map(({ text }: any) => text)).toEqual([
    "wamid.o1",
    "o2",
  ]);
});
