import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import type { ClaimedEvent } from "../../src/features/endpoints/event.ts";
import { post } from "../../src/features/endpoints/post.ts";
import { eventRetryMs, FAILS_MS } from "../../src/features/endpoints/retries.ts";
import { isSecret, newSecret } from "../../src/features/endpoints/secret.ts";
import { wrongWithTarget } from "../../src/features/endpoints/target.ts";
import { type Answer, startReceiver } from "../support/receiver.ts";

describe("where events may be posted", () => {
  test.each([
    "https://shop.example/events",
    "https://shop.example:8443/events?a=1",
    "https://8.8.8.8/",
    "https://172.15.255.255/",
    "https://172.32.0.1/",
    "https://100.63.0.1/",
    "https://100.128.0.1/",
    "https://223.255.255.255/",
    "https://[2606:4700::1111]/",
    "https://[2001:4860:4860::8888]/",
    "https://localhost.example/",
    "https://mylocal.example./",
  ])("%s is public", (url) => {
    expect(wrongWithTarget(url, false)).toBeUndefined();
  });

  test.each([
    "http://shop.example/",
    "ftp://shop.example/",
    "file:///etc/passwd",
    "data:text/plain,1",
    "javascript:alert(1)",
    "//shop.example/",
    "shop.example",
    "",
    "https://",
    `https://shop.example/${"a".repeat(2_048)}`,
    "https://user@shop.example/",
    "https://user:password@shop.example/",
    "https://:password@shop.example/",
    "https://shop.example/#part",
    "https://shop.example/#",
    // Names
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://a.localhost/",
    "https://intranet/",
    "https://printer.local/",
    "https://metadata.google.internal/",
    "https://db.internal./",
    "https://router.lan/",
    "https://nas.home.arpa/",
    "https://1.0.0.127.in-addr.arpa/",
    "https://abc.onion/",
    // Loopback in each spelling
    "https://127.0.0.1/",
    "https://127.0.0.1./",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1.:443/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://%31%32%37.0.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    // Private and special ranges
    "https://10.0.0.1/",
    "https://10.255.255.255/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://192.0.0.1/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://198.19.255.255/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    // IPv6
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::7f00:1]/",
    "https://[fc00::1]/",
    "https://[fd12:3456::1]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[100::1]/",
    "https://[2001::1]/",
    "https://[2001:db8::1]/",
    "https://[2002:7f00:1::]/",
    "https://[3fff::1]/",
    "https://[4000::1]/",
  ])("%s is not", (url) => {
    expect(wrongWithTarget(url, false)).toEqual(expect.any(String));
  });

  test("on a developer's machine http and loopback are open too, and credentials are not", () => {
    expect(wrongWithTarget("http://localhost:8787/events", true)).toBeUndefined();
    expect(wrongWithTarget("http://[::1]:8787/events", true)).toBeUndefined();
    expect(wrongWithTarget("http://user@localhost/", true)).toBeDefined();
    expect(wrongWithTarget("file:///etc/passwd", true)).toBeDefined();
  });
});

test("a secret is of the specification's form", () => {
  for (let i = 0; i < 50; i++) expect(isSecret(newSecret())).toBe(true);
  expect(new Set(Array.from({ length: 50 }, newSecret)).size).toBe(50);
  const of = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString("base64")}`;
  expect([23, 24, 64, 65].map((bytes) => isSecret(of(bytes)))).toEqual([false, true, true, false]);
  for (const wrong of ["", "whsec_", of(32).slice(6), `${of(32)} `, of(32).replace(/.=$/, ""), "whsec_ü"])
    expect([wrong, isSecret(wrong)]).toEqual([wrong, false]);
});

test("the timetable of retries goes from five seconds to three days in all", () => {
  const waits = Array.from({ length: 12 }, (_, i) => eventRetryMs(i + 1, () => 0)!);
  expect(waits[0]).toBe(5_000);
  expect(waits).toEqual([...waits].sort((a, b) => a - b));
  const sum = waits.reduce((all, wait) => all + wait, 0);
  expect(sum).toBeGreaterThan(71 * 3_600_000);
  expect(sum).toBeLessThanOrEqual(FAILS_MS);
  expect(eventRetryMs(13)).toBeUndefined();
  expect(eventRetryMs(1, () => 0.999)).toBeGreaterThanOrEqual(4_000);
});

describe("a post", () => {
  const event: ClaimedEvent = {
    event_id: "019aa8c0-0000-7000-8000-000000000001",
    lane: "l",
    seq: 1,
    attempt: 1,
    type: "message.received",
    at: new Date("2026-11-21T18:00:00.123Z"),
    data: { session_id: "s" },
  };
  const secrets = [newSecret(), newSecret()];
  const now = new Date();

  async function posted(answer: Answer, timeoutMs = 300) {
    const receiver = await startReceiver(answer);
    const target = { url: receiver.url, content: false, secrets };
    const began = performance.now();
    const result = await post(target, event, { now, open: true, timeoutMs });
    return { result, took: performance.now() - began, receiver };
  }

  test("is signed with each secret", async () => {
    const { result, receiver } = await posted(() => 200);
    expect(result).toEqual({ result: "taken" });
    const { body, headers } = receiver.got[0]!;
    expect(JSON.parse(body)).toEqual({
      type: "message.received",
      timestamp: "2026-11-21T18:00:00.123Z",
      data: { session_id: "s" },
    });
    expect(headers).toMatchObject({ "webhook-id": event.event_id, "content-type": "application/json" });
    expect(headers["webhook-signature"]!.split(" ")).toHaveLength(2);
    for (const secret of secrets) expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
    expect(() => new Webhook(newSecret()).verify(body, headers)).toThrow();
    expect(() => new Webhook(secrets[0]!).verify(body.replace('"s"', '"t"'), headers)).toThrow();
  });

  test.each([301, 302, 303, 307, 308])("does not follow a redirect (%i)", async (status) => {
    const elsewhere = await startReceiver();
    const { result } = await posted((_got, response) => {
      response.writeHead(status, { location: elsewhere.url }).end();
      return status;
    });
    expect(result).toMatchObject({ result: "failed", error: { code: "unavailable", reason: "redirect" } });
    expect(elsewhere.got).toEqual([]);
  });

  test.each([
    [400, "failed", "http_400"],
    [404, "failed", "http_404"],
    [410, "gone", "http_410"],
    [500, "failed", "http_500"],
    [503, "failed", "http_503"],
  ])("with the answer %i has %s", async (status, result, reason) => {
    expect((await posted(() => status)).result).toMatchObject({ result, error: { reason } });
  });

  test("waits as long as the answer asks for, twelve hours at most", async () => {
    const asked = async (status: number, header: string) => {
      const { result } = await posted((_got, response) => {
        response.writeHead(status, { "retry-after": header }).end();
        return status;
      });
      return result.result === "failed" ? result.error.retryAfterMs : undefined;
    };
    expect(await asked(429, "120")).toBe(120_000);
    expect(await asked(503, "99999999")).toBe(12 * 3_600_000);
    expect(await asked(429, "soon")).toBeUndefined();
    expect(await asked(500, "120")).toBeUndefined();
  });

  test("ends with its time limit", async () => {
    const { result, took } = await posted(() => new Promise(() => {}));
    expect(result).toMatchObject({ result: "failed", error: { reason: "timeout" } });
    expect(took).toBeLessThan(2_000);
  });

  test("is taken by its status: an endless answer is not read to its end", async () => {
    let written = 0;
    const { result, took } = await posted((_got, response) => {
      response.writeHead(200);
      const part = Buffer.alloc(1_024, "a");
      const more = () => {
        while (!response.destroyed && written < 50_000_000) {
          written += part.length;
          if (!response.write(part)) {
            response.once("drain", more);
            return;
          }
        }
      };
      more();
      return 200;
    });
    expect(result).toEqual({ result: "taken" });
    expect(took).toBeLessThan(3_000);
    expect(written).toBeLessThan(50_000_000);
  });

  test("is taken by its status: an answer that drips is dropped after a second", async () => {
    const { result, took } = await posted((_got, response) => {
      response.writeHead(200).write("a");
      return 200;
    });
    expect(result).toEqual({ result: "taken" });
    expect(took).toBeLessThan(3_000);
  });

  test("to nobody has failed", async () => {
    const target = { url: "http://127.0.0.1:9/", content: false, secrets };
    expect(await post(target, event, { now, open: true, timeoutMs: 1_000 })).toMatchObject({
      result: "failed",
      error: { reason: "unreachable" },
    });
  });

  test("to an address that has become private is not made", async () => {
    const receiver = await startReceiver();
    const target = { url: receiver.url, content: false, secrets };
    expect(await post(target, event, { now, open: false, timeoutMs: 1_000 })).toMatchObject({
      result: "failed",
      error: { code: "rejected", reason: "private_address" },
    });
    expect(receiver.got).toEqual([]);
  });
});
