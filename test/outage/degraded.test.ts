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
import { hmacHex } from "../../src/core/signature.ts";
import worker from "../../src/worker.ts";
import { ENV, post } from "../support/http.ts";
import { redis as startRedis } from "../support/stack.ts";

const dir = await mkdtemp(join(tmpdir(), "session-hub-degraded-"));
const admin = { "x-api-key": "admin-key" };
const shop = { "x-api-key": "web-key" };
const SOON = { timeout: 30_000, interval: 200 };
const lines: any[] = [];
/** What was sent to each phone. */
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

/** A Worker that has just started, with the settings that are given on top of everything real. */
function isolate(over: Record<string, string | undefined> = {}) {
  const env = {
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
    messages: [{ from: phone, id, timestamp: "1793700000", type: "text", text: { body } }],
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

/** Sweeps as the cron does, until nothing waits. */
async function swept(hub: ReturnType<typeof isolate>) {
  await expect
    .poll(async () => {
      await hub.sweep().catch(() => {});
      await settled();
      return (await hub.health()).journal;
    }, SOON)
    .toEqual({ depth: 0, quarantined: 0 });
}

/** Everything said in a session, by whom. */
async function said(hub: ReturnType<typeof isolate>, session_id: string) {
  const { body } = await hub.request(`/api/sessions/${session_id}/messages`, { headers: admin });
  return body.messages.map(({ role, text }: any) => [role, text]);
}

const unavailable = (answer: { status: number; headers: Headers; body: any }) => {
  expect([answer.status, answer.body.error?.code]).toEqual([503, "unavailable"]);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
};

describe("with the database down", () => {
  test("customers are heard, devices keep their sessions, and all of it is there when it is back", async () => {
    const hub = isolate();
    const known = await hub.begin({ channel: "web", phone: "+4915112345611", data: { cart: ["tea"] } }, shop);
    await hub.whatsapp("4915112345611", "wamid.1");
    await settled();
    sent.length = 0;

    await powerCut();
    expect((await hub.whatsapp("4915112345611", "wamid.2")).status).toBe(200);
    expect((await hub.whatsapp("4915112345622", "wamid.3")).status).toBe(200);
    expect((await hub.whatsapp("4915112345611", "wamid.4")).status).toBe(200);
    expect((await hub.whatsapp("4915112345611", "wamid.2")).status).toBe(200);

    const restored = await hub.request("/session/restore?channel=kiosk", { headers: known.bearer });
    expect(restored).toMatchObject({
      status: 200,
      body: {
        persisted: false,
        session: {
          session_id: known.session.session_id,
          data: { cart: ["tea"] },
          channels: ["web", "kiosk"],
        },
      },
    });
    const edited = await hub.request(
      "/session/update",
      post(
        { data: { cart: ["tea", "cup"] }, message: "At the till" },
        { ...known.bearer, "if-match": '"1"' },
      ),
    );
    expect(edited.body).toMatchObject({
      persisted: false,
      session: { version: 2, data: { cart: ["tea", "cup"] } },
    });
    expect(edited.headers.get("etag")).toBe('"2"');
    const stale = await hub.request(
      "/session/update",
      post({ data: { cart: [] } }, { ...known.bearer, "if-match": "1" }),
    );
    expect([stale.status, stale.body.error.code]).toEqual([409, "version_conflict"]);

    const sameOne = await hub.begin({ channel: "kiosk", phone: "+4915112345611", data: { note: "x" } }, shop);
    expect(sameOne).toMatchObject({
      persisted: false,
      session: { session_id: known.session.session_id, version: 3 },
    });
    const visitor = await hub.begin({ channel: "web", data: { cart: ["pen"] } });
    expect(visitor.persisted).toBe(false);
    const spoken = await hub.request(
      "/webhooks/web?wait=5",
      post({ external_id: "1", text: "Hello?" }, visitor.bearer),
    );
    expect(spoken).toMatchObject({
      status: 200,
      body: { persisted: false, duplicate: false, replies: [], message: { seq: null, text: "Hello?" } },
    });
    expect(spoken.body.session).toMatchObject({ session_id: visitor.session.session_id, message_count: 1 });
    const inked = await hub.request(
      "/session/update",
      post({ data: { cart: ["pen", "ink"] } }, visitor.bearer),
    );
    expect(inked).toMatchObject({ status: 200, body: { persisted: false } });

    expect(lines.filter(({ event }) => event === "degraded").length).toBeGreaterThan(8);
    expect(await hub.health()).toMatchObject({
      status: "degraded",
      store: { ok: false, breaker: expect.stringMatching(/open/) },
      journal: { depth: 10, quarantined: 0, oldest_age_ms: expect.any(Number) },
    });

    await powerBack();
    await swept(isolate());
    const after = isolate();
    for (const [device, data] of [
      [known, { cart: ["tea", "cup"], note: "x" }],
      [sameOne, { cart: ["tea", "cup"], note: "x" }],
      [visitor, { cart: ["pen", "ink"] }],
    ] as const) {
      const { status, body } = await after.request("/session/restore", { headers: device.bearer });
      expect(status).toBe(200);
      expect(body).not.toHaveProperty("persisted");
      expect(body.session.session_id).toBe(device.session.session_id);
      expect(body.session.data).toMatchObject(data);
    }
    const answer = (text: string) => ["assistant", expect.stringContaining(`"${text}"`)];
    const ofKnown = await said(after, known.session.session_id);
    expect(ofKnown.filter(([role]: string[]) => role === "user")).toEqual(
      ["wamid.1", "wamid.2", "wamid.4", "At the till"].map((text) => ["user", text]),
    );
    expect(ofKnown.filter(([role]: string[]) => role === "assistant")).toEqual(
      ["wamid.1", "wamid.2", "wamid.4"].map(answer),
    );
    expect(await said(after, visitor.session.session_id)).toEqual([["user", "Hello?"], answer("Hello?")]);
    const history = await after.request("/session/messages", { headers: visitor.bearer });
    expect(history.body.messages[0].message_id).toBe(spoken.body.message.message_id);
    expect(sent.map(({ to, text }) => [to, /"(.*)"/.exec(text)![1]]).sort()).toEqual([
      ["4915112345611", "wamid.2"],
      ["4915112345611", "wamid.4"],
      ["4915112345622", "wamid.3"],
    ]);
  });

  test("the next customer to write is answered after those who wrote before, without any sweep", async () => {
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

  test("what nobody can know is not guessed, and nothing is pretended", async () => {
    const hub = isolate();
    const device = await hub.begin({ channel: "web" });
    const other = await hub.begin({ channel: "web" });
    await settled();
    await powerCut();
    const stranger = { authorization: "Bearer hst_never-seen-before" };
    unavailable(await hub.request("/session/restore", { headers: stranger }));
    unavailable(await hub.request("/session/update", post({ data: {} }, stranger)));
    unavailable(await hub.request("/webhooks/web", post({ external_id: "1", text: "x" }, stranger)));
    unavailable(await hub.request("/session/restore?phone=%2B4915112345699", { headers: shop }));
    const kiosk = { "x-api-key": "kiosk-key-1" };
    const typed = { channel: "kiosk", phone: "+4915112345699" };
    unavailable(await hub.request("/session/start", post(typed, kiosk)));
    unavailable(
      await hub.request("/webhooks/kiosk", post({ external_id: "1", phone: typed.phone, text: "x" }, kiosk)),
    );
    unavailable(await hub.request("/session/messages", { headers: device.bearer }));

    unavailable(await hub.request("/session/signout", post({}, device.bearer)));
    unavailable(await hub.request("/session/restore", { headers: device.bearer }));
    unavailable(await hub.request("/session/end", post({}, other.bearer)));
    unavailable(await hub.request("/session/update", post({ data: {} }, other.bearer)));
    expect((await hub.health()).journal.depth).toBe(0);
    await powerBack();
    await expect
      .poll(async () => (await hub.request("/session/restore", { headers: device.bearer })).status, SOON)
      .toBe(200);
    expect((await hub.request("/session/signout", post({}, device.bearer))).body).toEqual({
      signed_out: true,
    });
  });

  test("a change that was accepted is made, though the database had moved on", async () => {
    const hub = isolate();
    const uncached = isolate({ UPSTASH_REDIS_REST_URL: undefined, UPSTASH_REDIS_REST_TOKEN: undefined });
    const device = await hub.begin({ channel: "web", data: { cart: ["tea"] } });
    await settled();
    await uncached.request("/session/update", post({ data: { note: "x" } }, device.bearer));
    await powerCut();
    const change = post({ data: { cart: [] } }, { ...device.bearer, "if-match": '"1"' });
    expect((await hub.request("/session/update", change)).body).toMatchObject({ persisted: false });
    await powerBack();
    await swept(hub);
    const { body } = await hub.request("/session/restore", { headers: device.bearer });
    expect(body.session).toMatchObject({ version: 3, data: { cart: [], note: "x" } });
  });

  test("a customer whose session nobody knows is promised one, which leads to theirs", async () => {
    const hub = isolate();
    await hub.whatsapp("4915112345644", "wamid.p1");
    await settled();
    await powerCut();
    const call = post({ external_id: "p1", phone: "+4915112345644", text: "At the shop" }, shop);
    const promised = await hub.request("/webhooks/web", call);
    expect(promised.body).toMatchObject({ persisted: false, session: { phone: "+4915112345644" } });
    const { session_id } = promised.body.session;
    const again = post({ external_id: "p2", session: session_id, text: "Still here" }, shop);
    expect((await hub.request("/webhooks/web", again)).body).toMatchObject({
      persisted: false,
      session: { session_id, message_count: 2 },
    });
    await powerBack();
    await swept(hub);
    const users = (await said(hub, session_id)).filter(([role]: string[]) => role === "user");
    expect(users).toEqual([
      ["user", "wamid.p1"],
      ["user", "At the shop"],
      ["user", "Still here"],
    ]);
    const later = post({ external_id: "p3", session: session_id, text: "And now" }, shop);
    const spoken = await hub.request("/webhooks/web", later);
    expect(spoken.status).toBe(200);
    expect(spoken.body.session.session_id).not.toBe(session_id);
    expect(spoken.body.session.channels).toEqual(["whatsapp", "web"]);
  });

  test("it is 503 without Upstash, and fifty calls ask the database three times", async () => {
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

  test("it is 503 with Redis down too", async () => {
    const hub = isolate({ UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9", SUPABASE_URL: "http://127.0.0.1:9" });
    unavailable(await hub.whatsapp("4915112345666", "wamid.b1"));
    unavailable(await hub.request("/session/start", post({ channel: "web" })));
    expect((await hub.health()).journal).toEqual({ code: "journal_unreachable" });
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
  test("a webhook is acknowledged in time, and those after it at once", async () => {
    const hub = isolate({ SUPABASE_URL: `http://127.0.0.1:${(hung.address() as AddressInfo).port}` });
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

test("what one isolate could not save, another that can takes along, before what is newer", async () => {
  const cutOff = isolate({ SUPABASE_URL: "http://127.0.0.1:9" });
  const device = await cutOff.begin({ channel: "web", data: { cart: ["tea"] } });
  expect(device.persisted).toBe(false);
  await cutOff.whatsapp("4915112345688", "wamid.o1");
  await settled();
  const fine = isolate();
  const restored = await fine.request("/session/restore", { headers: device.bearer });
  expect(restored.body).not.toHaveProperty("persisted");
  expect(restored.body.session).toMatchObject({
    session_id: device.session.session_id,
    data: { cart: ["tea"] },
  });
  await settled();
  expect(sent.map(({ to }) => to)).toEqual(["4915112345688"]);

  const later = await cutOff.begin({ channel: "web" });
  await settled();
  const found = await fine.request("/session/messages", { headers: later.bearer });
  expect([found.status, found.body.messages]).toEqual([200, []]);
});
