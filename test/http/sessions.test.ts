import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../src/core/signature.ts";
import { begin, post, testHub } from "../support/http.ts";

const web = { "x-api-key": "web-key" };

async function codeOf(response: Response | Promise<Response>) {
  const { status, headers } = await response;
  const body = (await (await response).json()) as any;
  expect(body).toEqual({
    error: { code: expect.any(String), message: expect.any(String), request_id: headers.get("x-request-id") },
  });
  return [status, body.error.code];
}

describe("POST /session/start", () => {
  test("opens an anonymous session and shows every column, null where there is nothing", async () => {
    const hub = testHub();
    const response = await hub.request("/session/start", post({ channel: "web", data: { cart: [1] } }));
    expect(response.status).toBe(200);
    expect(response.headers.get("etag")).toBe('"1"');
    expect(response.headers.get("cache-control")).toBe("no-store");
    const { session_token, session } = (await response.json()) as any;
    expect(session_token).toMatch(/^hst_[A-Za-z0-9_-]{43}$/);
    expect(session).toEqual({
      session_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      phone: null,
      phone_verified: true,
      telegram_chat_id: null,
      whatsapp_user_id: null,
      visitor_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      customer_id: null,
      channel: "web",
      channels: ["web"],
      status: "active",
      merged_into: null,
      previous_session_id: null,
      language: null,
      data: { cart: [1], channels: ["web"] },
      metadata: {},
      version: 1,
      message_count: 0,
      rating: null,
      feedback: null,
      holder: "bot",
      summary: null,
      created_at: "2026-11-02T10:00:00.000Z",
      updated_at: "2026-11-02T10:00:00.000Z",
      last_activity: "2026-11-02T10:00:00.000Z",
      expires_at: "2026-11-09T10:00:00.000Z",
      ended_at: null,
      duration_seconds: null,
    });
  });

  test("gives every device a token of its own, of which the store and the cache see only the hash", async () => {
    const hub = testHub();
    const one = await begin(hub, { channel: "web", phone: "+493012345678" }, web);
    const two = await begin(
      hub,
      { channel: "kiosk", phone: "+493012345678" },
      { "x-api-key": "kiosk-key-2" },
    );
    await hub.idle();
    expect(two.id).toBe(one.id);
    expect(two.token).not.toBe(one.token);
    expect(two.session.channels).toEqual(["web", "kiosk"]);
    expect(hub.cache.calls.map(([verb, hash]) => [verb, hash])).toEqual([
      ["put", await sha256Hex(one.token)],
      ["put", await sha256Hex(two.token)],
    ]);
  });

  test("restores the session of a trusted caller's phone, in any spelling", async () => {
    const hub = testHub();
    const one = await begin(hub, { channel: "web", phone: "030 12345678" }, web);
    const two = await begin(
      hub,
      { channel: "web", phone: "+49 30 12345678" },
      { authorization: "Bearer web-key" },
    );
    expect(one.session.phone).toBe("+493012345678");
    expect(two.id).toBe(one.id);
  });

  test("keeps a customer_id as text, number or not", async () => {
    const hub = testHub();
    const number = await begin(hub, { channel: "web", phone: "+493012345671", customer_id: 103 }, web);
    const text = await begin(hub, { channel: "web", phone: "+493012345672", customer_id: "104" }, web);
    expect([number.session.customer_id, text.session.customer_id]).toEqual(["103", "104"]);
    expect(number.id).not.toBe(text.id);
  });

  test("finds a trusted caller's Telegram chat, as text or number", async () => {
    const hub = testHub();
    const one = await begin(hub, { channel: "web", telegram_chat_id: 103 }, web);
    const two = await begin(hub, { channel: "web", telegram_chat_id: "103" }, web);
    expect(two.id).toBe(one.id);
    expect(two.session.telegram_chat_id).toBe("103");
  });

  test.for([{ phone: "+493012345678" }, { telegram_chat_id: "103" }, { customer_id: "103" }])(
    "refuses %j without an API key, because a claim proves nothing",
    async (claim) => {
      const hub = testHub();
      const response = await hub.request("/session/start", post({ channel: "web", ...claim }));
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      expect(await codeOf(response)).toEqual([401, "unauthorized"]);
    },
  );

  test("refuses an unknown API key, even where no key is needed", async () => {
    const hub = testHub();
    expect(
      await codeOf(hub.request("/session/start", post({ channel: "web" }, { "x-api-key": "guess" }))),
    ).toEqual([401, "unauthorized"]);
  });

  test.for([
    {},
    { channel: "fax" },
    { channel: "WEB" },
    { channel: "web", data: [] },
    { channel: "web", data: "x" },
    { channel: "web", phone: "12" },
    { channel: "web", phone: "call me maybe" },
    { channel: "web", telegram_chat_id: "me" },
    { channel: "web", customer_id: 1.5 },
    [],
    null,
    "text",
  ])("refuses %j as malformed without repeating it", async (body) => {
    const hub = testHub();
    const response = await hub.request("/session/start", post(JSON.stringify(body), web));
    const text = await response.clone().text();
    expect(await codeOf(response)).toEqual([400, "malformed"]);
    expect(text).not.toMatch(/fax|WEB|call me/);
  });

  test("names the field that is wrong", async () => {
    const hub = testHub();
    const response = await hub.request("/session/start", post({ channel: "web", data: [] }));
    expect(((await response.json()) as any).error.message).toMatch(/^body\.data: /);
  });

  test("drops data.channels that a client sends back", async () => {
    const hub = testHub();
    const { session } = await begin(hub, { channel: "web", data: { channels: ["fax"], cart: 1 } });
    expect(session.data).toEqual({ cart: 1, channels: ["web"] });
  });

  test("refuses data past 64 KiB", async () => {
    const hub = testHub();
    const data = { text: "ä".repeat(33_000) };
    expect(await codeOf(hub.request("/session/start", post({ channel: "web", data })))).toEqual([
      413,
      "payload_too_large",
    ]);
  });
});

describe("GET /session/restore", () => {
  test("finds the session by its token in either header, slides it and appends the channel", async () => {
    const hub = testHub();
    const { id, token, bearer } = await begin(hub);
    hub.clock.now = new Date("2026-11-05T10:00:00Z");
    const first = (await (await hub.request("/session/restore", { headers: bearer })).json()) as any;
    expect(first.session.session_id).toBe(id);
    expect(first.session.expires_at).toBe("2026-11-12T10:00:00.000Z");
    expect(first.session_token).toBeUndefined();
    const again = await hub.request("/session/restore?channel=kiosk", {
      headers: { "x-session-token": token },
    });
    const second = (await again.json()) as any;
    expect(second.session.channels).toEqual(["web", "kiosk"]);
    expect(second.session.data.channels).toEqual(["web", "kiosk"]);
  });

  test("finds it by a trusted caller's identity and gives this device a token", async () => {
    const hub = testHub();
    const { id } = await begin(hub, { channel: "web", phone: "+493012345678", telegram_chat_id: "103" }, web);
    for (const query of [
      "phone=%2B493012345678",
      "phone=+493012345678",
      "phone=03012345678",
      "telegram_chat_id=103",
    ]) {
      const response = await hub.request(`/session/restore?${query}&channel=kiosk`, {
        headers: { "x-api-key": "kiosk-key-1" },
      });
      const { session_token, session } = (await response.json()) as any;
      expect([query, session.session_id]).toEqual([query, id]);
      const own = await hub.request("/session/restore", {
        headers: { authorization: `Bearer ${session_token}` },
      });
      expect(((await own.json()) as any).session.session_id).toBe(id);
    }
  });

  test("reads a foreign phone with an unescaped plus sign", async () => {
    const hub = testHub();
    const { id } = await begin(hub, { channel: "web", phone: "+41446681800" }, web);
    const response = await hub.request("/session/restore?phone=+41446681800", { headers: web });
    expect(((await response.json()) as any).session.session_id).toBe(id);
  });

  test("answers 404 session_expired after the lifetime and session_not_found for an unknown token", async () => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    hub.clock.now = new Date("2026-11-10T10:00:00Z");
    expect(await codeOf(hub.request("/session/restore", { headers: bearer }))).toEqual([
      404,
      "session_expired",
    ]);
    const unknown = { authorization: `Bearer hst_${"A".repeat(43)}` };
    expect(await codeOf(hub.request("/session/restore", { headers: unknown }))).toEqual([
      404,
      "session_not_found",
    ]);
    const nobody = hub.request("/session/restore?phone=%2B493012345678", { headers: web });
    expect(await codeOf(nobody)).toEqual([404, "session_not_found"]);
  });

  test("needs a token, or a key with an identity", async () => {
    const hub = testHub();
    expect(await codeOf(hub.request("/session/restore"))).toEqual([401, "unauthorized"]);
    expect(await codeOf(hub.request("/session/restore?phone=%2B493012345678"))).toEqual([
      401,
      "unauthorized",
    ]);
    expect(await codeOf(hub.request("/session/restore", { headers: web }))).toEqual([400, "malformed"]);
    expect(await codeOf(hub.request("/session/restore?phone=1&phone=2", { headers: web }))).toEqual([
      400,
      "malformed",
    ]);
    expect(await codeOf(hub.request("/session/restore?channel=fax", { headers: web }))).toEqual([
      400,
      "malformed",
    ]);
  });
});

describe("POST /session/update", () => {
  test("applies merge patches, language, channel and a message", async () => {
    const hub = testHub();
    const { bearer } = await begin(hub, { channel: "web", data: { cart: { a: 1, b: 2 } } });
    const response = await hub.request(
      "/session/update",
      post(
        {
          data: { cart: { b: null, c: 3 }, channels: ["fax"] },
          metadata: { page: "/" },
          language: "pt-BR",
          message: "Olá",
        },
        bearer,
      ),
    );
    expect(response.status).toBe(200);
    const { session } = (await response.json()) as any;
    expect(response.headers.get("etag")).toBe(`"${session.version}"`);
    expect(session).toMatchObject({
      data: { cart: { a: 1, c: 3 }, channels: ["web"] },
      metadata: { page: "/" },
      language: "pt-BR",
      message_count: 1,
    });
    const said = (await (await hub.request("/session/messages", { headers: bearer })).json()) as any;
    expect(said.messages).toMatchObject([
      { text: "Olá", role: "user", channel: "web", direction: "inbound", author: null },
    ]);
    const moved = await hub.request("/session/update", post({ channel: "kiosk" }, bearer));
    expect(((await moved.json()) as any).session.channels).toEqual(["web", "kiosk"]);
  });

  test("keeps a message with an external_id once and wakes no bot", async () => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    const message = { text: "I looked it up", role: "assistant", external_id: "m1" };
    for (let i = 0; i < 2; i++)
      await hub.request("/session/update", post({ message }, { ...bearer, ...web }));
    await hub.idle();
    const { messages } = (await (await hub.request("/session/messages", { headers: bearer })).json()) as any;
    expect(messages).toMatchObject([{ role: "assistant", external_id: "m1" }]);
    expect(messages).toHaveLength(1);
  });

  test.for(["1", '"1"', 'W/"1"', "*"])("changes at the version that If-Match %s names", async (version) => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    const change = post({ data: { a: 1 } }, { ...bearer, "if-match": version });
    expect((await hub.request("/session/update", change)).status).toBe(200);
  });

  test("refuses another version with 409 and changes nothing", async () => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    const stale = post({ data: { a: 1 } }, { ...bearer, "if-match": '"7"' });
    expect(await codeOf(hub.request("/session/update", stale))).toEqual([409, "version_conflict"]);
    const { session } = (await (await hub.request("/session/restore", { headers: bearer })).json()) as any;
    expect(session.data).toEqual({ channels: ["web"] });
  });

  test.for(['"1', "seven", '"1", "2"', "-1", "1e3", '""'])(
    "refuses If-Match %s as malformed",
    async (version) => {
      const hub = testHub();
      const { bearer } = await begin(hub);
      const change = post({ data: {} }, { ...bearer, "if-match": version });
      expect(await codeOf(hub.request("/session/update", change))).toEqual([400, "malformed"]);
    },
  );

  test.for([
    { data: [] },
    { metadata: 1 },
    { language: "deutsch!" },
    { language: "x".repeat(36) },
    { channel: "fax" },
    { message: "" },
    { message: { text: "x", role: "operator" } },
    { message: 1 },
  ])("refuses %j as malformed", async (body) => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    expect(await codeOf(hub.request("/session/update", post(body, bearer)))).toEqual([400, "malformed"]);
  });

  test("needs a live token, or a key and the name of a session", async () => {
    const hub = testHub();
    expect(await codeOf(hub.request("/session/update", post({})))).toEqual([401, "unauthorized"]);
    expect(await codeOf(hub.request("/session/update", post({}, web)))).toEqual([400, "malformed"]);
    const unknown = post({}, { "x-session-token": "hst_unknown" });
    expect(await codeOf(hub.request("/session/update", unknown))).toEqual([404, "session_not_found"]);
  });
});

describe("leaving", () => {
  test("an end signs out every device and drops the session from the cache", async () => {
    const hub = testHub();
    const one = await begin(hub, { channel: "web", phone: "+493012345678" }, web);
    const two = await begin(hub, { channel: "web", phone: "+493012345678" }, web);
    const response = await hub.request("/session/end", { method: "POST", headers: one.bearer });
    expect(((await response.json()) as any).session).toMatchObject({
      session_id: one.id,
      status: "logged_out",
    });
    expect(await codeOf(hub.request("/session/restore", { headers: two.bearer }))).toEqual([
      404,
      "session_not_found",
    ]);
    await hub.idle();
    const dropped = hub.cache.calls.find(([verb]) => verb === "drop")?.[1] as string[];
    expect(dropped.toSorted()).toEqual([await sha256Hex(one.token), await sha256Hex(two.token)].toSorted());
    const next = await begin(hub, { channel: "web", phone: "+493012345678" }, web);
    expect(next.id).not.toBe(one.id);
  });

  test("a sign-out ends one token, and a second one is no error", async () => {
    const hub = testHub();
    const one = await begin(hub, { channel: "web", phone: "+493012345678" }, web);
    const two = await begin(hub, { channel: "kiosk", phone: "+493012345678" }, web);
    const signOut = async () =>
      (await hub.request("/session/signout", { method: "POST", headers: two.bearer })).json();
    expect(await signOut()).toEqual({ signed_out: true });
    expect(await signOut()).toEqual({ signed_out: false });
    expect(await codeOf(hub.request("/session/restore", { headers: two.bearer }))).toEqual([
      404,
      "session_not_found",
    ]);
    expect((await hub.request("/session/restore", { headers: one.bearer })).status).toBe(200);
  });

  test.for(["/session/end", "/session/signout"])("%s needs a token", async (path) => {
    const hub = testHub();
    expect(await codeOf(hub.request(path, { method: "POST" }))).toEqual([401, "unauthorized"]);
  });
});

test("a cache that fails or hangs fails no answer", async () => {
  const dead = async () => {
    throw new Error("no cache");
  };
  const hub = testHub({ cache: { put: dead, drop: () => new Promise(() => {}), knows: dead, ping: dead } });
  const { bearer } = await begin(hub);
  expect((await hub.request("/session/end", { method: "POST", headers: bearer })).status).toBe(200);
  expect(hub.lines.map(({ event }) => event)).toContain("background.failed");
});
