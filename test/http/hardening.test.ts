import { beforeAll, describe, expect, test } from "vitest";
import { HubError } from "../../src/core/errors.ts";
import { hmacHex } from "../../src/core/signature.ts";
import { begin, faultyStore, type TestHub, testHub } from "../support/http.ts";

const ID = "00000000-0000-4000-8000-000000000000";
const BODIED = [
  "/session/start",
  "/session/update",
  "/session/verify",
  "/auth/signup",
  "/auth/password",
  "/auth/login",
  "/webhooks/telegram",
  "/webhooks/whatsapp",
  "/webhooks/kiosk",
  "/webhooks/web",
];
/** What a platform sent may be acknowledged though nothing in it makes sense; ours is refused. */
const PLATFORM = ["/webhooks/telegram", "/webhooks/whatsapp"];

let hub: TestHub;
let token: string;
let routes: [string, string][];

beforeAll(async () => {
  hub = testHub();
  ({ token } = await begin(hub));
  const document = (await (await hub.request("/openapi.json")).json()) as any;
  routes = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item as object).map((verb): [string, string] => [
      verb.toUpperCase(),
      path.replaceAll(/\{\w+\}/g, ID),
    ]),
  );
});

/** Credentials that every route believes, so that the rest of the request is what it looks at. */
async function believed(path: string, body: Uint8Array): Promise<Record<string, string>> {
  if (path === "/webhooks/telegram") return { "x-telegram-bot-api-secret-token": "telegram-secret" };
  if (path === "/webhooks/whatsapp")
    return { "x-hub-signature-256": `sha256=${await hmacHex("app-secret", body)}` };
  return { "x-session-token": token };
}

async function send(path: string, body: string | Uint8Array, headers: Record<string, string> = {}) {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const credentials = await believed(path, bytes);
  return hub.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...credentials, ...headers },
    body: bytes as BodyInit,
  });
}

async function expectError(response: Response, status: number, code: string) {
  expect([response.status, await response.json()]).toEqual([
    status,
    { error: { code, message: expect.any(String), request_id: response.headers.get("x-request-id") } },
  ]);
}

describe.each(BODIED)("POST %s", (path) => {
  test.for([
    ["nothing", ""],
    ["truncated JSON", '{"channel":"web","data":{"a'],
    ["no JSON", "<xml/>"],
    ["bytes that are no UTF-8", new Uint8Array([0xff, 0xfe, 0x00, 0xc3, 0x28])],
    ["nesting without end", "[".repeat(100_000)],
    ["nesting that closes", `${"[".repeat(5_000)}${"]".repeat(5_000)}`],
    ["an object that nests", `${'{"a":'.repeat(500)}1${"}".repeat(500)}`],
  ] as [string, string | Uint8Array][])("refuses %s as malformed", async ([, body]) => {
    await expectError(await send(path, body), 400, "malformed");
  });

  test.for(["1e400", '"text"', "[1,2,3]", "null", "true"])(
    "reads nothing in %s, which is no object",
    async (body) => {
      const response = await send(path, body);
      if (path === "/webhooks/whatsapp") expect(response.status).toBe(200);
      else await expectError(response, 400, "malformed");
    },
  );

  test.for([
    ["strange numbers", '{"update_id":1e308,"external_id":-0,"entry":1e400}'],
    [
      "a thousand keys",
      JSON.stringify(Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, i]))),
    ],
  ] as [string, string][])("never fails on an object of %s", async ([, body]) => {
    const { status } = await send(path, body);
    if (PLATFORM.includes(path)) expect(status).toBeLessThan(500);
    else expect(status).toBe(400);
  });

  test("refuses ten megabytes with 413 without parsing them", async () => {
    const body = `{"text":"${"x".repeat(10 * 1024 * 1024)}"}`;
    await expectError(await send(path, body), 413, "payload_too_large");
    const claimed = await send(path, "{}", { "content-length": String(10 * 1024 * 1024) });
    await expectError(claimed, 413, "payload_too_large");
  });

  test("stops reading a stream without end, whatever its length says", async () => {
    let pulled = 0;
    const body = new ReadableStream({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(64 * 1024));
      },
    });
    const credentials = await believed(path, new Uint8Array());
    const headers = { "content-type": "application/json", "content-length": "10", ...credentials };
    const init = { method: "POST", headers, body, duplex: "half" } as RequestInit;
    await expectError(await hub.request(path, init), 413, "payload_too_large");
    expect(pulled).toBeLessThan(1_000);
  });
});

describe.each(["/session/start", "/session/update", "/webhooks/kiosk", "/webhooks/web"])(
  "POST %s",
  (path) => {
    const good: Record<string, object> = {
      "/session/start": { channel: "web" },
      "/session/update": { message: "Hello" },
      "/webhooks/kiosk": { external_id: "k1", text: "Hello" },
      "/webhooks/web": { external_id: "w1", text: "Hello" },
    };

    test.for([
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/jsonp",
      "",
    ])("refuses content type %j with 415", async (type) => {
      await expectError(
        await send(path, JSON.stringify(good[path]), { "content-type": type }),
        415,
        "unsupported_media_type",
      );
    });

    test.for(["application/json", "application/json; charset=utf-8", "Application/JSON"])(
      "reads %s",
      async (type) => {
        expect((await send(path, JSON.stringify(good[path]), { "content-type": type })).status).toBe(200);
      },
    );

    test("refuses unknown fields and names them, without their values", async () => {
      const body = { ...good[path], unknown: { deep: "value" }, phone_number: "value" };
      const response = await send(path, JSON.stringify(body));
      const { message } = ((await response.clone().json()) as any).error;
      expect(message).toContain("unknown fields unknown, phone_number");
      expect(message).not.toContain("value");
      await expectError(response, 400, "malformed");
    });
  },
);

test("NUL and lone surrogates in text and data are replaced and kept", async () => {
  const mine = await begin(hub);
  const headers = { "content-type": "application/json", ...mine.bearer };
  const body = String.raw`{"data":{"a\u0000":"\ud800 \u0000"},"metadata":{"b":["\udfff"]},"message":"x\u0000y\ud83d"}`;
  const response = await hub.request("/session/update", { method: "POST", headers, body });
  const { session } = (await response.json()) as any;
  expect(session).toMatchObject({ data: { "a\uFFFD": "\uFFFD \uFFFD" }, metadata: { b: ["\uFFFD"] } });
  const posted = String.raw`{"external_id":"n1","text":"x\u0000y\ud83d"}`;
  for (const channel of ["kiosk", "web"])
    expect(
      (await hub.request(`/webhooks/${channel}`, { method: "POST", headers, body: posted })).status,
    ).toBe(200);
  const { messages } = (await (await hub.request("/session/messages", { headers })).json()) as any;
  expect(messages.filter(({ role }: any) => role === "user").map(({ text }: any) => text)).toEqual(
    Array(3).fill("x\uFFFDy\uFFFD"),
  );
});

test("keys that reach for the prototype change nobody's objects", async () => {
  const evil = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
  const mine = await begin(hub);
  const headers = { "content-type": "application/json", ...mine.bearer };
  const calls = [
    ["/session/start", `{"channel":"web","data":${evil}}`, 200],
    ["/session/start", `{"channel":"web","__proto__":{"phone":"+493012345678"}}`, 400],
    ["/session/update", `{"data":${evil},"metadata":${evil}}`, 200],
    ["/session/update", `{"data":${evil},"__proto__":{"polluted":1}}`, 400],
    ["/webhooks/web", `{"external_id":"p1","text":"x","__proto__":{"polluted":1}}`, 400],
  ] as const;
  for (const [path, body, status] of calls) {
    const response = await hub.request(path, { method: "POST", headers, body });
    expect([path, response.status]).toEqual([path, status]);
  }
  for (const path of PLATFORM) expect((await send(path, evil)).status).toBeLessThan(500);
  expect(({} as any).polluted).toBeUndefined();
  const query = "/session/messages?__proto__=1&__proto__=2&constructor=1&toString=x";
  await expectError(await hub.request(query, { headers }), 400, "malformed");
});

test("no path, query or header that nobody expects makes any route fail", async () => {
  const headers: Record<string, string>[] = [
    { authorization: "Bearer" },
    { authorization: "Bearer hst_" },
    { authorization: `Bearer ${"x".repeat(10_000)}` },
    { "x-session-token": "x".repeat(10_000) },
    { "x-api-key": "ü".repeat(10) },
    { "if-match": "x".repeat(1_000), "x-session-token": token },
    { origin: "null", "x-request-id": "ü" },
  ];
  const queries = [
    "?%",
    "?wait=%ZZ&after=%00",
    "?channel=%00&phone=%00",
    "?limit=9e99&after=9e99&wait=-1",
    "?a[]=1&a=2",
  ];
  for (const [method, path] of routes)
    for (const query of queries)
      for (const given of headers) {
        const response = await hub.request(path + query, {
          method,
          headers: { "content-type": "application/json", ...given },
          ...(method === "POST" && { body: "{}" }),
        });
        expect([method, path, query, given, response.status >= 500]).toEqual([
          method,
          path,
          query,
          given,
          false,
        ]);
      }
});

describe("a store in trouble", () => {
  const unavailable = async () => {
    throw new HubError("unavailable", "the store is down", { reason: "57P01", retryAfterMs: 4_200 });
  };
  const faults: Record<string, { store: () => Promise<never>; wait: string }> = {
    refuses: { store: unavailable, wait: "5" },
    hangs: { store: () => new Promise(() => {}), wait: "3" },
  };
  const calls: [string, string, object | undefined][] = [
    ["POST", "/session/start", { channel: "web" }],
    ["GET", "/session/restore", undefined],
    ["POST", "/session/update", { data: {} }],
    ["POST", "/session/end", undefined],
    ["POST", "/session/signout", undefined],
    ["GET", "/session/messages", undefined],
    ["GET", "/session/messages?wait=0.1", undefined],
    ["GET", `/api/sessions/${ID}/messages`, undefined],
    ["POST", "/webhooks/web", { external_id: "1", text: "x" }],
    ["POST", "/webhooks/kiosk?wait=0.1", { external_id: "1", text: "x" }],
    [
      "POST",
      "/webhooks/telegram",
      {
        update_id: 1,
        message: {
          message_id: 1,
          date: 1,
          from: { id: 1, is_bot: false, first_name: "A" },
          chat: { id: 1, type: "private" },
          text: "x",
        },
      },
    ],
  ];

  describe.each(Object.entries(faults))("that %s", (_, { store, wait }) => {
    test.for(calls)("makes %s %s answer 503 in time, to be sent again", async ([method, path, body]) => {
      const broken = testHub({ store: faultyStore(store) }, { bounds: { requestMs: 100 } });
      const started = Date.now();
      const response = await broken.request(path, {
        method,
        headers: {
          "content-type": "application/json",
          "x-session-token": "hst_x",
          "x-telegram-bot-api-secret-token": "telegram-secret",
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      expect(response.headers.get("retry-after")).toBe(wait);
      await expectError(response, 503, "unavailable");
      expect(Date.now() - started).toBeLessThan(1_000);
      expect(broken.lines.at(-1)).toMatchObject({
        level: "warn",
        fields: { status: 503, code: "unavailable" },
      });
    });
  });

  test("leaves five seconds by itself", async () => {
    const broken = testHub({ store: faultyStore(() => new Promise(() => {})) });
    const started = Date.now();
    const response = await broken.request("/session/restore", { headers: { "x-session-token": "hst_x" } });
    expect(response.status).toBe(503);
    expect(Date.now() - started).toBeLessThan(5_000);
  });

  test("that dies of a bug is a 500 which tells nobody anything", async () => {
    const bug = async () => {
      throw new TypeError("cannot read +493012345678 of undefined");
    };
    const broken = testHub({ store: faultyStore(bug) });
    const response = await broken.request("/session/restore", { headers: { "x-session-token": "hst_x" } });
    expect(await response.clone().text()).not.toContain("4930");
    await expectError(response, 500, "internal");
    const line = broken.lines.at(-1)!;
    expect(line).toMatchObject({ level: "error", fields: { code: "internal", error: "TypeError" } });
    expect(line.fields.at).toEqual(expect.arrayContaining([expect.stringContaining("hardening.test.ts")]));
    expect(JSON.stringify(broken.lines)).not.toContain("4930");
  });

  test("that throws what is no error is a 500 too", async () => {
    const broken = testHub({ store: faultyStore(() => Promise.reject("text")) });
    const response = await broken.request("/session/restore", { headers: { "x-session-token": "hst_x" } });
    await expectError(response, 500, "internal");
  });

  test("that recovers gets the message by redelivery, once", async () => {
    const trouble = testHub();
    const mine = await begin(trouble);
    const { receive } = trouble.hub.store.conversations;
    let down = true;
    trouble.hub.store.conversations.receive = async (...call) => {
      if (down) throw new HubError("unavailable", "the store is down");
      return receive.apply(trouble.hub.store.conversations, call);
    };
    const call = () =>
      trouble.request("/webhooks/web?wait=5", {
        method: "POST",
        headers: { "content-type": "application/json", ...mine.bearer },
        body: JSON.stringify({ external_id: "1", text: "x" }),
      });
    expect((await call()).status).toBe(503);
    down = false;
    expect(((await (await call()).json()) as any).duplicate).toBe(false);
    expect(((await (await call()).json()) as any).session.message_count).toBe(2);
  });
});
