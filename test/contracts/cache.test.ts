import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Redis as Client } from "@upstash/redis";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import type { Redis } from "../../dev/services/redis.ts";
import type { SessionCache } from "../../src/core/sessions/cache.ts";
import { dataLayerOf } from "../../src/core/sessions/data-layer.ts";
import type { Session } from "../../src/core/sessions/session.ts";
import { upstashCache } from "../../src/stores/upstash.ts";
import { redis as startRedis } from "../support/stack.ts";
import { anna, day, hash } from "./given.ts";

let redis: Redis;
let client: Client;
const lines: unknown[][] = [];

beforeAll(async () => {
  redis = await startRedis();
  client = new Client({ url: redis.url, token: redis.token, enableTelemetry: false });
});
beforeEach(async () => {
  await client.flushall();
});
afterEach(() => {
  lines.length = 0;
});

function open(over: Partial<Parameters<typeof upstashCache>[0]> = {}): SessionCache {
  const log = (...line: unknown[]) => void lines.push(line);
  return upstashCache({
    url: redis.url,
    token: redis.token,
    ttlSeconds: 3600,
    log,
    timeoutMs: 5_000,
    now: () => day(1).getTime(),
    ...over,
  });
}

const ID = "019b8b74-1801-7000-8000-000000000001";
const OTHER = "019b8b74-1801-7000-8000-000000000002";

/** A session as the store returns it. */
function cached(over: Partial<Session> = {}): Session {
  return {
    session_id: ID,
    phone: anna.phone,
    telegram_chat_id: anna.telegram_chat_id,
    whatsapp_user_id: anna.whatsapp_user_id,
    visitor_id: anna.visitor_id,
    customer_id: "103",
    channel: "web",
    channels: ["web", "telegram"],
    status: "active",
    data: { cart: ["ü", 1.5, null] },
    metadata: {},
    version: 3,
    message_count: 7,
    created_at: day(0),
    updated_at: day(1),
    last_activity: day(1),
    expires_at: day(8),
    ...over,
  };
}

/** The session that an outside reader finds by a token, as docs/operations.md describes. */
async function found(token: number): Promise<unknown> {
  const session_id = await client.get<string>(`token:${hash(token)}`);
  return session_id === null ? undefined : ((await client.get(`session:${session_id}`)) ?? undefined);
}

const document = (session: Session): unknown => {
  const { metadata, ...fields } = dataLayerOf(session);
  return JSON.parse(
    JSON.stringify({ ...session, ...fields, metadata: { ...session.metadata, ...metadata } }),
  );
};

test("an outside reader finds the last put session by each of its tokens", async () => {
  const cache = open();
  await cache.put(hash(1), cached());
  await cache.put(hash(2), cached({ version: 4 }));
  expect(await found(1)).toEqual(document(cached({ version: 4 })));
  expect(await found(2)).toEqual(document(cached({ version: 4 })));
  expect(await found(3)).toBeUndefined();
});

test("only a session's id and tokens lead to it, and no key names a person", async () => {
  await open().put(hash(1), cached());
  expect((await client.keys("*")).sort()).toEqual([`session:${ID}`, `token:${hash(1)}`]);
});

test("a token or session is known from put until drop", async () => {
  const cache = open();
  expect(await cache.knows({ token_hash: hash(1) })).toBe(false);
  expect(await cache.knows({ session_id: ID })).toBe(false);
  await cache.put(hash(1), cached());
  expect(await cache.knows({ token_hash: hash(1) })).toBe(true);
  expect(await cache.knows({ session_id: ID })).toBe(true);
  expect(await cache.drop({ token_hashes: [hash(1)], session_ids: [ID] })).toBe(true);
  expect(await cache.knows({ token_hash: hash(1) })).toBe(false);
  expect(await cache.knows({ session_id: ID })).toBe(false);
});

test("a dropped token finds nothing, and the others of its session still do", async () => {
  const cache = open();
  await cache.put(hash(1), cached());
  await cache.put(hash(2), cached());
  await cache.drop({ token_hashes: [hash(1)] });
  expect(await found(1)).toBeUndefined();
  expect(await found(2)).toEqual(document(cached()));
  expect(await cache.drop({})).toBe(true);
});

test("a dropped token stays dropped, also after a late put", async () => {
  const cache = open();
  await cache.put(hash(1), cached());
  await cache.drop({ token_hashes: [hash(1), hash(2)] });
  for (const seed of [1, 2]) await cache.put(hash(seed), cached());
  for (const seed of [1, 2])
    expect([await found(seed), await cache.knows({ token_hash: hash(seed) })]).toEqual([undefined, false]);
  await cache.put(hash(3), cached());
  expect(await found(3)).toEqual(document(cached()));
});

test("a dropped session has no copy, also after a late put", async () => {
  const cache = open();
  await cache.put(hash(1), cached());
  await cache.drop({ token_hashes: [hash(1)], session_ids: [ID] });
  await cache.put(hash(2), cached());
  await cache.put(hash(3), cached({ session_id: OTHER }));
  expect(await client.exists(`session:${ID}`, `token:${hash(1)}`, `token:${hash(2)}`)).toBe(0);
  expect(await found(3)).toEqual(document(cached({ session_id: OTHER })));
});

test("a changed session has no copy until the next put", async () => {
  const cache = open();
  await cache.put(hash(1), cached());
  await cache.drop({ changed: [ID] });
  expect(await found(1)).toBeUndefined();
  const { phone: _, ...without } = cached();
  await cache.put(hash(1), without);
  expect(await found(1)).toEqual(document(without));
});

/** The remaining lifetime of each entry, in seconds. */
async function lives(): Promise<number[]> {
  const keys = await client.keys("*");
  return Promise.all(keys.map((key) => client.ttl(key)));
}

test("every entry lives for its configured time, again from each put", async () => {
  const cache = open();
  await cache.put(hash(1), cached());
  const fresh = await lives();
  expect(fresh).toHaveLength(2);
  for (const seconds of fresh) expect(seconds).toBeGreaterThan(3590);
  for (const key of await client.keys("*")) await client.expire(key, 100);
  expect(Math.max(...(await lives()))).toBeLessThanOrEqual(100);
  await cache.put(hash(1), cached());
  for (const seconds of await lives()) expect(seconds).toBeGreaterThan(3590);
});

test("a copy lives no longer than its session, and a token no longer than the kiosk's idle time", async () => {
  const ttl = () => client.ttl(`token:${hash(1)}`);
  await open().put(hash(1), cached({ expires_at: new Date(day(1).getTime() + 60_000) }));
  expect(await ttl()).toBeLessThanOrEqual(60);
  expect(await client.ttl(`session:${ID}`)).toBeLessThanOrEqual(60);
  await open({ kioskIdleMs: 120_000 }).put(hash(1), cached({ channels: ["web", "kiosk"] }));
  expect(await ttl()).toBeLessThanOrEqual(120);
  await client.flushall();
  await open().put(hash(1), cached({ expires_at: day(0) }));
  expect(await client.keys("*")).toEqual([]);
});

test("a death mark names no person and outlives every copy", async () => {
  const cache = open();
  await cache.put(hash(1), cached());
  await cache.drop({ token_hashes: [hash(1)], session_ids: [ID] });
  expect((await client.keys("*")).sort()).toEqual([`dead:session:${ID}`, `dead:token:${hash(1)}`]);
  for (const seconds of await lives()) expect(seconds).toBeGreaterThan(3600);
});

/** Makes every call of a cache. None may throw. */
async function use(cache: SessionCache): Promise<{ answers: unknown[]; ms: number }> {
  const start = performance.now();
  await cache.put(hash(1), cached());
  const answers = [
    await cache.knows({ token_hash: hash(1) }),
    await cache.drop({ token_hashes: [hash(1)], session_ids: [ID] }),
    await cache.ping().catch(({ code, reason }) => [code, reason]),
  ];
  return { answers, ms: performance.now() - start };
}

const SILENT = [false, false, ["unavailable", "cache_unreachable"]];

function expectOnlyCodes(): void {
  expect(lines.map(([level, event]) => [level, event])).toEqual(
    ["put", "knows", "drop"].map(() => ["warn", "cache.failed"]),
  );
  const logged = JSON.stringify(lines);
  for (const secret of [hash(1), anna.phone, redis.token]) expect(logged).not.toContain(secret);
}

test("a cache that answers resolves its ping", async () => {
  expect((await use(open())).answers).toEqual([true, true, undefined]);
  expect(lines).toEqual([]);
});

test("an unreachable cache knows nothing, and that is logged", async () => {
  expect((await use(open({ url: `http://127.0.0.1:${await freePort()}` }))).answers).toEqual(SILENT);
  expectOnlyCodes();
});

test("a cache that refuses the token knows nothing", async () => {
  expect((await use(open({ token: "wrong" }))).answers).toEqual(SILENT);
  expectOnlyCodes();
});

test("a cache that never answers takes no longer than its limit", async () => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { answers, ms } = await use(open({ url: `http://127.0.0.1:${port}`, timeoutMs: 200 }));
  expect(answers).toEqual(SILENT);
  expect(ms).toBeGreaterThan(790);
  expect(ms).toBeLessThan(3_000);
  expectOnlyCodes();
  server.closeAllConnections();
  server.close();
});

test("a cache with half or invalid answers throws nothing", async () => {
  for (const answer of ['{"result":', "<html>no</html>", "[]"]) {
    const server = createServer((_, response) => {
      response.writeHead(200, { "content-type": "application/json" }).write(answer);
      if (answer !== '{"result":') response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const { answers, ms } = await use(open({ url: `http://127.0.0.1:${port}`, timeoutMs: 200 }));
    expect([answer, answers[0]]).toEqual([answer, false]);
    expect(ms).toBeLessThan(3_000);
    server.closeAllConnections();
    server.close();
  }
});
