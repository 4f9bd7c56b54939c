import { describe, expect, test } from "vitest";
import { hmacHex } from "../../src/core/signature.ts";
import { begin, ENV, post, testHub } from "../support/http.ts";
import { call, keys, onTelegram, onWhatsApp, type StrictHub, strictHub } from "../support/people.ts";
import { figure, readPrometheus } from "../support/prometheus.ts";

const PHONE = "+4915112340001";
const USER = "DE.13491208655302741918";

let ids = 0;

/** Sends a WhatsApp message of a customer without a visible number. */
async function withoutPhone(hub: StrictHub): Promise<void> {
  const value = {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: "15550001111", phone_number_id: "103" },
    contacts: [{ profile: { name: "A" }, user_id: USER }],
    messages: [
      {
        id: `wamid.u${++ids}`,
        timestamp: "1781000000",
        type: "text",
        from_user_id: USER,
        text: { body: "Hi" },
      },
    ],
  };
  const body = {
    object: "whatsapp_business_account",
    entry: [{ id: "1", changes: [{ field: "messages", value }] }],
  };
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const signature = `sha256=${await hmacHex(ENV.WHATSAPP_APP_SECRET, bytes)}`;
  expect(
    (await hub.request("/webhooks/whatsapp", post(body, { "x-hub-signature-256": signature }))).status,
  ).toBe(200);
  await hub.idle();
}

const restore = (hub: StrictHub, body: object, headers: Record<string, string> = keys.web) =>
  call(hub, "/session/restore", post(body, headers));

describe("a WhatsApp user without a phone", () => {
  test("is found by the user id, to restore, to start and to update, and no other session opens", async () => {
    const hub = strictHub();
    await withoutPhone(hub);
    const restored = await restore(hub, { whatsapp_user_id: USER });
    const { session } = restored.body;
    expect([restored.status, session.whatsapp_user_id, session.channel]).toEqual([200, USER, "whatsapp"]);
    const started = await begin(hub, { channel: "web", whatsapp_user_id: USER }, keys.admin);
    expect(started.id).toBe(session.session_id);
    const updated = await call(
      hub,
      "/session/update",
      post({ whatsapp_user_id: USER, language: "de" }, keys.web),
    );
    expect(updated.body.session).toMatchObject({ session_id: session.session_id, language: "de" });
    const query = await call(hub, `/session/restore?whatsapp_user_id=${USER}`, { headers: keys.web });
    expect(query.body.session.session_id).toBe(session.session_id);
  });

  test("cannot be named by a kiosk or without a key", async () => {
    const hub = strictHub();
    await withoutPhone(hub);
    expect((await restore(hub, { whatsapp_user_id: USER }, keys.kiosk)).code).toBe("verification_required");
    expect((await restore(hub, { whatsapp_user_id: USER }, {})).code).toBe("unauthorized");
    const start = { channel: "kiosk", whatsapp_user_id: USER };
    expect((await call(hub, "/session/start", post(start, keys.kiosk))).code).toBe("verification_required");
    expect((await call(hub, "/session/start", post(start))).code).toBe("unauthorized");
    expect((await restore(hub, { whatsapp_user_id: "not an id" })).code).toBe("malformed");
  });
});

describe("POST /session/restore", () => {
  test("finds like GET, by token and by the customer's names", async () => {
    const hub = strictHub();
    const here = await begin(hub, { channel: "web", phone: PHONE, customer_id: "103" }, keys.web);
    const own = await restore(hub, {}, here.bearer);
    expect([own.status, own.body.session.session_id, own.body.session_token]).toEqual([
      200,
      here.id,
      undefined,
    ]);
    for (const who of [{ phone: "0151 12340001" }, { customer_id: "103" }, { customer_id: 103 }]) {
      const found = await restore(hub, { ...who, channel: "chat" });
      expect([found.status, found.body.session.session_id]).toEqual([200, here.id]);
      expect(found.body.session_token).toMatch(/^hst_/);
      expect(found.headers.get("etag")).toMatch(/^"\d+"$/);
    }
    const byQuery = await call(hub, "/session/restore?customer_id=103", { headers: keys.web });
    expect(byQuery.body.session.session_id).toBe(here.id);
  });

  test("refuses a request without exactly one name", async () => {
    const hub = strictHub();
    await begin(hub, { channel: "web", phone: PHONE, customer_id: "103" }, keys.web);
    expect((await restore(hub, {})).code).toBe("malformed");
    expect((await restore(hub, { phone: PHONE, customer_id: "103" })).code).toBe("malformed");
    expect((await restore(hub, { customer_id: "999" })).code).toBe("session_not_found");
    expect((await restore(hub, { customer_id: "103" }, keys.kiosk)).code).toBe("verification_required");
    expect((await restore(hub, {}, {})).code).toBe("unauthorized");
    expect((await call(hub, "/session/restore", { method: "POST", headers: keys.web })).code).toBe(
      "unsupported_media_type",
    );
  });
});

test("finds a customer by customer_id if nothing else is known", async () => {
  const hub = strictHub();
  const one = await begin(hub, { channel: "web", customer_id: 103 }, keys.web);
  const two = await begin(hub, { channel: "kiosk", customer_id: "103" }, keys.web);
  expect([two.id, two.session.customer_id]).toEqual([one.id, "103"]);
});

describe("`chat`", () => {
  test("is another name of web, in every place for a channel", async () => {
    const hub = strictHub();
    const here = await begin(hub, { channel: "chat" });
    expect([here.session.channel, here.session.channels]).toEqual(["web", ["web"]]);
    const kiosk = await begin(hub, { channel: "kiosk" }, keys.kiosk);
    const update = await call(hub, "/session/update", post({ channel: "chat" }, kiosk.bearer));
    expect(update.body.session.channels).toEqual(["kiosk", "web"]);
    const query = await call(hub, "/session/restore?channel=chat", { headers: here.bearer });
    expect(query.body.session.channels).toEqual(["web"]);
    const said = await call(
      hub,
      "/webhooks/chat?wait=5",
      post({ external_id: "1", text: "Hi" }, here.bearer),
    );
    expect([said.body.message.channel, said.body.replies.length]).toEqual(["web", 1]);
    const spoken = post({ message: "Hello", channel: "chat" }, here.bearer);
    expect((await call(hub, "/session/update", spoken)).status).toBe(200);
  });
});

describe("GET /api/sessions", () => {
  test("shows a customer's sessions by each name, and changes nothing by it", async () => {
    const hub = strictHub();
    await onTelegram(hub, 11, "Hello");
    const first = await begin(hub, { channel: "web", telegram_chat_id: 11, customer_id: "103" }, keys.web);
    await call(hub, "/session/end", { method: "POST", headers: first.bearer });
    hub.clock.now = new Date(hub.clock.now.getTime() + 60_000);
    const second = await begin(hub, { channel: "web", telegram_chat_id: 11 }, keys.web);
    hub.clock.now = new Date(hub.clock.now.getTime() + 3_600_000);
    const puts = hub.cache.calls.length;
    const devices = `/api/sessions/${second.id}/devices`;
    const before = (await call(hub, devices, { headers: keys.admin })).body;
    for (const query of ["telegram_chat_id=11", "customer_id=103"]) {
      const { status, body } = await call(hub, `/api/sessions?${query}`, { headers: keys.admin });
      expect([status, body.sessions.map(({ session_id }: any) => session_id)]).toEqual([
        200,
        [second.id, first.id],
      ]);
      expect(body.sessions[0]).toMatchObject({
        status: "active",
        previous_session_id: first.id,
        expires_at: second.session.expires_at,
        last_activity: second.session.last_activity,
        version: second.session.version,
      });
      expect(body).not.toHaveProperty("session_token");
    }
    expect((await call(hub, devices, { headers: keys.admin })).body).toEqual(before);
    expect(hub.cache.calls).toHaveLength(puts);
  });

  test("reads a phone as people write it, and answers an unknown one with an empty list", async () => {
    const hub = strictHub();
    await onWhatsApp(hub, PHONE, "Hello");
    for (const phone of ["%2B4915112340001", " 4915112340001", "0151 1234 0001"]) {
      const { body } = await call(hub, `/api/sessions?phone=${phone}`, { headers: keys.admin });
      expect(body.sessions).toMatchObject([{ phone: PHONE }]);
    }
    const nobody = await call(hub, "/api/sessions?whatsapp_user_id=US.1", { headers: keys.admin });
    expect([nobody.status, nobody.body]).toEqual([200, { sessions: [], cursor: null, counts: null }]);
  });

  test.for([
    "?phone=12",
    "?phone=%2B4915112340001&customer_id=1",
    "?phone=%2B4915112340001&status=active",
    "?telegram_chat_id=11&limit=5",
    "?phone=%2B4915112340001&telegram_chat_id=11",
    "?status=open",
    "?channel=fax",
    "?active_since=yesterday",
    "?q=",
    "?after=1",
    "?limit=201",
    "?email=a@b.example",
  ])("refuses %j", async (query) => {
    expect((await call(strictHub(), `/api/sessions${query}`, { headers: keys.admin })).code).toBe(
      "malformed",
    );
  });

  test("is for operators only", async () => {
    const hub = strictHub();
    const { bearer } = await begin(hub);
    for (const [headers, status] of [
      [{}, 401],
      [bearer, 401],
      [keys.web, 403],
      [keys.kiosk, 403],
    ] as [Record<string, string>, number][])
      expect((await call(hub, "/api/sessions?customer_id=1", { headers })).status).toBe(status);
  });
});

describe("look-ups with a key", () => {
  test("are counted by the key's name and result, so that guessing of numbers shows", async () => {
    const hub = strictHub();
    await begin(hub, { channel: "web", phone: PHONE }, keys.web);
    for (let i = 0; i < 7; i++) await restore(hub, { phone: `+49151123490${i}0` });
    await restore(hub, { phone: PHONE });
    for (let i = 0; i < 3; i++) await restore(hub, { phone: PHONE }, keys.kiosk);
    await call(hub, "/api/sessions?phone=%2B4915112349999", { headers: keys.admin });
    await call(hub, "/session/update", post({ phone: "+4915112349999", data: {} }, keys.web));
    const metrics = await hub.request("/metrics", { headers: keys.admin });
    const text = await metrics.text();
    const families = readPrometheus(text);
    const names = [...text.matchAll(/hub_lookups_total\{key="((\w+):[0-9a-f]{8})"/g)];
    const nameOf = (scope: string) => names.find(([, , one]) => one === scope)![1]!;
    const count = (scope: string, outcome: string) =>
      figure(families, "hub_lookups_total", { key: nameOf(scope), outcome });
    expect([count("web", "found"), count("web", "none"), count("web", "refused")]).toEqual([1, 9, 0]);
    expect([count("kiosk", "refused"), count("admin", "none")]).toEqual([3, 1]);
    expect(text).not.toMatch(/4915|web-key|admin-key/);
    const line = hub.lines.findLast(({ fields }) => fields.lookup === "refused");
    expect(line?.fields).toMatchObject({ actor: nameOf("kiosk"), code: "verification_required" });
  });
});

describe("a code at a kiosk", () => {
  test.for([
    ["the kiosk's key", async () => keys.kiosk as Record<string, string>],
    [
      "a kiosk's token",
      async (hub: StrictHub) => (await begin(hub, { channel: "kiosk" }, keys.kiosk)).bearer,
    ],
    ["a page's token", async (hub: StrictHub) => (await begin(hub)).bearer],
  ] as const)("counts by %s for what it is", async ([name, headersOf]) => {
    const hub = strictHub();
    await onWhatsApp(hub, PHONE, "Hello");
    const headers = await headersOf(hub);
    await call(hub, "/session/verify", post({ phone: PHONE }, headers));
    const { code } = hub.codes.at(-1)!;
    const { body } = await call(hub, "/session/verify", post({ phone: PHONE, code }, headers));
    expect(body.session.channels).toContain(name === "a page's token" ? "web" : "kiosk");
    const devices = await call(hub, "/session/devices", {
      headers: { authorization: `Bearer ${body.session_token}` },
    });
    expect(devices.body.devices.find(({ current }: any) => current).channel).toBe(
      name === "a page's token" ? "web" : "kiosk",
    );
  });
});

test("a session shows identities of new kinds", async () => {
  const hub = testHub();
  const { sessions } = hub.hub.store;
  await sessions.start({ identities: { signal_id: "s-1", phone: PHONE }, channel: "web" }, hub.clock.now);
  const { body } = await call(hub, "/session/restore", post({ phone: PHONE }, keys.web));
  expect(body.session).toMatchObject({ signal_id: "s-1", phone: PHONE, telegram_chat_id: null });
});
