import { appendFile, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis as Upstash } from "@upstash/redis";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import { type Redis, startRedis } from "../../dev/services/redis.ts";

let dir: string;
let server: Redis;
let client: Upstash;

async function start(): Promise<void> {
  const [redisPort, upstashPort] = await Promise.all([freePort(), freePort()]);
  server = await startRedis({ redisPort, upstashPort, token: "t", dir });
  client = new Upstash({ url: server.url, token: "t", enableTelemetry: false, retry: false });
}

async function killAndStart(): Promise<void> {
  await server.kill();
  await start();
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "redis-"));
  await start();
});
afterEach(async () => {
  await server.stop();
  await rm(dir, { recursive: true });
});

test("Valkey keeps acknowledged writes through SIGKILL, in many rounds and under load", {
  timeout: 120_000,
}, async () => {
  const answered = new Map<string, string>();
  let counted = 0;
  let missing: string[] = [];
  for (let round = 0; round < 12; round++) {
    let alive = true;
    const write = async (writer: number) => {
      for (let n = 0; alive; n++) {
        const name = `${round}-${writer}-${n}`;
        try {
          const id = await client.xadd("journal", "*", { name });
          answered.set(id, name);
          counted = Math.max(counted, await client.incr("count"));
        } catch {
          return; // killed: nothing was answered
        }
      }
    };
    const writers = Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
    await new Promise((soon) => setTimeout(soon, 40 + Math.random() * 150));
    await server.kill();
    alive = false;
    await writers;
    await start();
    const entries = await client.xrange("journal", "-", "+", 100_000);
    missing = [...answered].filter(([id, name]) => entries[id]?.name !== name).map(([, name]) => name);
    expect(missing).toEqual([]);
    expect(Number(await client.get("count"))).toBeGreaterThanOrEqual(counted);
  }
  expect(answered.size).toBeGreaterThan(200);
});

test("scripts, random values, hashes, large values and deletions are kept as answered", async () => {
  const large = "x".repeat(3_000_000);
  await client.set("large", large);
  await client.hset("hash", { a: 1, b: "two" });
  await client.set("gone", 1);
  await client.del("gone");
  await client.sadd("set", "a", "b", "c");
  const popped = await client.spop("set");
  const script = `redis.call("SET", KEYS[1], table.concat(redis.call("TIME"), "."))
    redis.call("RPUSH", KEYS[2], "1", "2") return redis.call("GET", KEYS[1])`;
  const time = await client.eval(script, ["time", "list"], []);
  await killAndStart();
  expect(await client.get("large")).toBe(large);
  expect(await client.hgetall("hash")).toEqual({ a: 1, b: "two" });
  expect(await client.exists("gone")).toBe(0);
  expect((await client.smembers("set")).sort()).toEqual(["a", "b", "c"].filter((one) => one !== popped));
  expect(await client.get("time")).toEqual(time);
  expect(await client.lrange("list", 0, -1)).toEqual([1, 2]);
  await killAndStart(); // from the rewritten log
  expect(await client.get("large")).toBe(large);
  expect(await client.lrange("list", 0, -1)).toEqual([1, 2]);
});

test("keys expire while Valkey is down, also those that were written to before", async () => {
  await client.set("long", 1, { ex: 500 });
  await client.rpush("brief", "a");
  await client.pexpire("brief", 300);
  await client.rpush("brief", "b");
  await server.kill();
  await new Promise((past) => setTimeout(past, 400));
  await start();
  expect(await client.exists("brief")).toBe(0);
  expect(await client.ttl("long")).toBeGreaterThan(400);
});

test("a half-written command or transaction is ignored after a kill, and earlier ones are kept", async () => {
  await client.set("kept", "whole");
  await server.kill();
  const set = (key: string) => `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$1\r\n1\r\n`;
  await appendFile(join(dir, "valkey.log"), `*1\r\n$5\r\nMULTI\r\n${set("open")}${set("torn").slice(0, -5)}`);
  await start();
  expect(await client.get("kept")).toBe("whole");
  expect(await client.exists("open", "torn")).toBe(0);
  await client.set("after", 1);
  await killAndStart();
  expect(await client.mget("kept", "after")).toEqual(["whole", 1]);
});

test("the append-only log is as small as the data after a start", async () => {
  for (let n = 0; n < 200; n++) await client.set("same", `value ${n}`);
  const file = join(dir, "valkey.log");
  const before = (await stat(file)).size;
  await killAndStart();
  expect((await stat(file)).size).toBeLessThan(before / 10);
  expect(await readFile(file, "latin1")).toContain("value 199");
});
