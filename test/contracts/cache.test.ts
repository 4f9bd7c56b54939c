import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Redis as Client } from "@upstash/redis";
import { afterEach, beforeAll, expect, test } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import type { Redis } from "../../dev/services/redis.ts";
import type { SessionCache } from "../../src/core/sessions/cache.ts";
import { upstashCache } from "../../src/stores/upstash.ts";
import { redis as startRedis } from "../support/stack.ts";
import { cacheContract, cached } from "./cache.ts";
import { anna, hash } from "./given.ts";

let redis: Redis;
let client: Client;
const lines: unknown[][] = [];

beforeAll(async () => {
  redis = await startRedis();
  client = new Client({ url: redis.url, token: redis.token, enableTelemetry: false });
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
    ...over,
  });
}

cacheContract("Upstash", async () => {
  await client.flushall();
  return open();
});

/** How long each entry still lives, in seconds. */
async function lives(): Promise<number[]> {
  const keys = await client.keys("*");
  return Promise.all(keys.map((key) => client.ttl(key)));
}

test("every entry lives as long as it is notified, and again as long with each use", async () => {
  await client.flushall();
  const cache = open();
  await cache.put(hash(1), cached());
  const fresh = await lives();
  expect(fresh.length).toBeGreaterThanOrEqual(5);
  for (const seconds of fresh) expect(seconds).toBeGreaterThan(3590);
  for (const key of await client.keys("*")) await client.expire(key, 100);
  expect(Math.max(...(await lives()))).toBeLessThanOrEqual(100);
  await cache.put(hash(1), cached());
  for (const seconds of await lives()) expect(seconds).toBeGreaterThan(3590);
});

test("nothing in a key tells whose it is", async () => {
  await client.flushall();
  await open().put(hash(1), cached());
  const keys = (await client.keys("*")).join(" ");
  for (const secret of [anna.phone, anna.phone.slice(1), anna.whatsapp_user_id, anna.telegram_chat_id])
    expect(keys).not.toContain(`:${secret}`);
});

/** Every call of a cache, which may do no more than take its time. */
async function use(cache: SessionCache): Promise<{ found: unknown; ms: number }> {
  const start = performance.now();
  await cache.put(hash(1), cached());
  const found = await cache.get({ token_hash: hash(1) });
  await cache.drop([hash(1)], { sessions: true });
  return { found, ms: performance.now() - start };
}

function expectOnlyCodes(): void {
  expect(lines.map(([level, event]) => [level, event])).toEqual(
    ["put", "get", "drop"].map(() => ["warn", "cache.failed"]),
  );
  const logged = JSON.stringify(lines);
  for (const secret of [hash(1), anna.phone, redis.token]) expect(logged).not.toContain(secret);
}

test("a cache that is not there is a miss, and said so in the log", async () => {
  const cache = open({ url: `http://127.0.0.1:${await freePort()}` });
  expect((await use(cache)).found).toBeUndefined();
  expectOnlyCodes();
});

test("a cache that does not know our token is a miss", async () => {
  expect((await use(open({ token: "wrong" }))).found).toBeUndefined();
  expectOnlyCodes();
});

test("a cache that never answers costs no more than its limit", async () => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { found, ms } = await use(open({ url: `http://127.0.0.1:${port}`, timeoutMs: 200 }));
  expect(found).toBeUndefined();
  expect(ms).toBeGreaterThan(590);
  expect(ms).toBeLessThan(3_000);
  expectOnlyCodes();
  server.closeAllConnections();
  server.close();
});

test("a cache that answers half and stalls, or answers rubbish, is a miss", async () => {
  for (const answer of ['{"result":', "<html>no</html>", '{"result":"not a session"}', "[]"]) {
    const server = createServer((_, response) => {
      response.writeHead(200, { "content-type": "application/json" }).write(answer);
      if (answer !== '{"result":') response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const { found, ms } = await use(open({ url: `http://127.0.0.1:${port}`, timeoutMs: 200 }));
    expect([answer, found]).toEqual([answer, undefined]);
    expect(ms).toBeLessThan(3_000);
    server.closeAllConnections();
    server.close();
  }
});
