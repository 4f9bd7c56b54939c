import { describe, expect, test } from "vitest";
import type { RateLimiter, RateLimiters } from "../../src/http/rate-limits.ts";
import { networkOf } from "../../src/http/rate-limits.ts";
import { begin, post, testHub } from "../support/http.ts";
import { call, keys } from "../support/people.ts";

/** A limiter that allows a number of calls per key, and the keys of its calls. */
function counting(most: number): RateLimiter & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    limit: async ({ key }) => {
      asked.push(key);
      return { success: asked.filter((one) => one === key).length <= most };
    },
  };
}

const hubWith = (limiters: RateLimiters) => testHub({}, { limiters });
const start = (headers: Record<string, string> = {}) => post({ channel: "web" }, headers);
const from = (ip: string) => ({ "cf-connecting-ip": ip });

describe("a network", () => {
  test("that opens too many sessions must wait, others need not", async () => {
    const hub = hubWith({ entry: counting(3) });
    for (let i = 0; i < 3; i++)
      expect((await call(hub, "/session/start", start(from("203.0.113.7")))).status).toBe(200);
    const refused = await call(
      hub,
      "/session/start",
      start({ ...from("203.0.113.7"), origin: "https://shop.example" }),
    );
    expect([refused.status, refused.code, refused.headers.get("retry-after")]).toEqual([
      429,
      "too_many_requests",
      "60",
    ]);
    expect(refused.headers.get("access-control-allow-origin")).toBe("https://shop.example");
    expect(refused.headers.get("x-content-type-options")).toBe("nosniff");
    expect((await call(hub, "/session/start", start(from("203.0.113.8")))).status).toBe(200);
  });

  test.for([
    "x-forwarded-for",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "forwarded",
    "x-forwarded-host",
    "cf-connecting-ipv6",
    "fastly-client-ip",
  ])("is not another one for what it writes into %s", async (header) => {
    const hub = hubWith({ entry: counting(3) });
    const statuses: number[] = [];
    for (let i = 0; i < 5; i++) {
      const headers = { ...from("203.0.113.7"), [header]: `198.51.100.${i}` };
      statuses.push((await call(hub, "/session/start", start(headers))).status);
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
  });

  test("without an address shares one count with all others without one", async () => {
    const hub = hubWith({ entry: counting(1) });
    expect((await call(hub, "/session/start", start())).status).toBe(200);
    expect((await call(hub, "/session/start", start({ "x-forwarded-for": "203.0.113.9" }))).status).toBe(429);
  });

  test("is counted for wrong keys and tokens too", async () => {
    const hub = hubWith({ caller: counting(2) });
    const guess = (i: number) =>
      call(hub, "/api/audit", { headers: { "x-api-key": `guess-${i}`, ...from("203.0.113.7") } });
    expect([(await guess(1)).status, (await guess(2)).status, (await guess(3)).status]).toEqual([
      401, 401, 429,
    ]);
    const token = { headers: { authorization: "Bearer hst_guess", ...from("203.0.113.7") } };
    expect((await call(hub, "/session/restore", token)).headers.get("retry-after")).toBe("10");
  });

  test("is refused before its body is read", async () => {
    const hub = hubWith({ entry: counting(0) });
    let pulled = 0;
    const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 });
    const init = { method: "POST", body, duplex: "half", headers: { "content-type": "application/json" } };
    expect((await hub.request("/session/start", init as RequestInit)).status).toBe(429);
    expect(pulled).toBe(0);
  });
});

test("holders of a key, platforms and health checks are not counted", async () => {
  const caller = counting(0);
  const entry = counting(0);
  const hub = hubWith({ caller, entry });
  for (const key of [keys.kiosk, keys.web, keys.admin])
    expect((await call(hub, "/session/start", start(key))).status).toBe(200);
  expect((await call(hub, "/webhooks/telegram", post({}))).status).toBe(401);
  expect((await call(hub, "/webhooks/whatsapp", post({}))).status).toBe(401);
  expect((await call(hub, "/health")).status).toBe(200);
  expect([caller.asked, entry.asked]).toEqual([[], []]);
});

test("every route that opens a session or proves an identity has its own count", async () => {
  const entry = counting(9);
  const hub = hubWith({ entry });
  const { bearer } = await begin(hub);
  const paths = ["/session/verify", "/session/link", "/auth/signup", "/auth/login", "/auth/password"];
  for (const path of paths) await call(hub, path, post({}, { ...bearer, ...from("203.0.113.7") }));
  expect(entry.asked.slice(1)).toEqual(paths.map((path) => `${path} 203.0.113.7`));
});

test("a failing limiter allows every call, and is logged", async () => {
  const limit = async () => {
    throw new Error("no limiter");
  };
  const hub = hubWith({ entry: { limit }, caller: { limit } });
  expect((await call(hub, "/session/start", start())).status).toBe(200);
  expect(hub.lines.map(({ event }) => event)).toContain("limiter.failed");
});

describe("networkOf", () => {
  test.for([
    ["203.0.113.7", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:0DB8:0001:0002::1", "2001:db8:1:2"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["::1", "0:0:0:0"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["", "unknown"],
  ])("is of %s: %s", ([ip, network]) => {
    expect(networkOf(new Headers(from(ip!)))).toBe(network);
  });
});
