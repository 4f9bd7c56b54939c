import { Redis as Client } from "@upstash/redis";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Redis } from "../../dev/services/redis.ts";
import type { LanguagePolicy } from "../../src/core/language/policy.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { upstashCache } from "../../src/stores/upstash.ts";
import { settings } from "../contracts/given.ts";
import { begin, ENV, post } from "../support/http.ts";
import { askCode, call, keys, onWhatsApp, type StrictHub, strictHub } from "../support/people.ts";
import { redis as startRedis } from "../support/stack.ts";
import { bothTransports } from "../support/transports.ts";

const { transports, empty } = bothTransports({ max: 8 });
const [[, direct]] = transports as [(typeof transports)[number]];
beforeEach(empty);

const PHONE = "+4915112340001";
const OTHER = "+4915112340002";
const languages: LanguagePolicy = { mode: "allowed", languages: ["en", "hi", "ar"] };

/** A hub on a database, with rules for languages. */
function hubWith(parts: Parameters<typeof strictHub>[1] = {}, options: Parameters<typeof strictHub>[0] = {}) {
  const store = sqlStore(direct(), { ...settings, languages });
  return strictHub({ languages, ...options }, { store, languages, ...parts });
}

const describeCustomer = (hub: StrictHub, fields: object) =>
  call(hub, "/api/customers", post({ phone: PHONE, ...fields }, keys.admin));
const switchTo = (hub: StrictHub, body: object, headers: Record<string, string>) =>
  call(hub, "/api/chat/language", post(body, headers));
const restore = (hub: StrictHub, headers: Record<string, string>, query = "") =>
  call(hub, `/session/restore${query}`, { headers });

let updates = 0;
async function onTelegram(hub: StrictHub, text: string, language_code?: string) {
  const message_id = ++updates;
  const from = { id: 7, is_bot: false, first_name: "A", ...(language_code && { language_code }) };
  const message = { message_id, date: 1781000000, chat: { id: 7, type: "private" }, from, text };
  const headers = { "x-telegram-bot-api-secret-token": ENV.TELEGRAM_WEBHOOK_SECRET };
  await call(hub, "/webhooks/telegram", post({ update_id: message_id, message }, headers));
}
const languageOf = async (hub: StrictHub, query: string) => {
  const { body } = await call(hub, `/api/sessions?${query}`, { headers: keys.admin });
  return body.sessions[0].language as string;
};

describe("a customer's message", () => {
  test("in another script decides the language of a premium customer", async () => {
    const hub = hubWith();
    await describeCustomer(hub, { plan: "premium" });
    await onWhatsApp(hub, PHONE, "12");
    expect(await languageOf(hub, `phone=%2B${PHONE.slice(1)}`)).toBe("en");
    await onWhatsApp(hub, PHONE, "नमस्ते, मुझे टेबल चाहिए");
    expect(await languageOf(hub, `phone=%2B${PHONE.slice(1)}`)).toBe("hi");
    await onWhatsApp(hub, PHONE, "أريد حجز طاولة");
    expect(await languageOf(hub, `phone=%2B${PHONE.slice(1)}`)).toBe("hi");
  });

  test("of a returning customer is answered in the language that they prefer", async () => {
    const hub = hubWith();
    await describeCustomer(hub, { plan: "premium", preferred_language: "hi", name: "Anna" });
    await onWhatsApp(hub, PHONE, "Hello");
    expect(hub.sent.at(-1)!.text).toMatch(/^नमस्ते Anna! /);
  });

  test("that a frontend reports decides too, and one that a bot wrote does not", async () => {
    const hub = hubWith();
    await describeCustomer(hub, { plan: "premium" });
    const { id } = await begin(hub, { channel: "web", phone: PHONE }, keys.web);
    const report = async (role: string) => {
      const message = { text: "नमस्ते, मुझे टेबल चाहिए", role };
      const { body } = await call(hub, "/session/update", post({ session_id: id, message }, keys.web));
      return body.session.language as string;
    };
    expect(await report("assistant")).toBe("en");
    expect(await report("user")).toBe("hi");
  });

  test("decides nothing for a customer of the plan basic", async () => {
    const hub = hubWith();
    await onWhatsApp(hub, PHONE, "नमस्ते, मुझे टेबल चाहिए");
    expect(await languageOf(hub, `phone=%2B${PHONE.slice(1)}`)).toBe("en");
  });

  test("counts with the language of the customer's app", async () => {
    const hub = hubWith();
    await onTelegram(hub, "/start");
    const { body } = await call(hub, "/api/sessions?telegram_chat_id=7", { headers: keys.admin });
    const [{ session_id }] = body.sessions;
    const named = { session_id, customer_id: "103" };
    await call(hub, "/session/update", post(named, keys.web));
    await call(hub, "/api/customers/103", {
      ...post({ plan: "premium" }, keys.admin),
      method: "PATCH",
    });
    await onTelegram(hub, "/start", "ar");
    expect(await languageOf(hub, "telegram_chat_id=7")).toBe("en");
    await onTelegram(hub, "hello", "ar");
    expect(await languageOf(hub, "telegram_chat_id=7")).toBe("ar");
  });
});

describe("POST /api/chat/language", () => {
  async function premium(hub = hubWith()) {
    await describeCustomer(hub, { plan: "premium" });
    const device = await begin(hub, { channel: "web", phone: PHONE }, keys.web);
    return { hub, ...device };
  }

  test("switches by the session's token, and the history says so", async () => {
    const { hub, bearer, id } = await premium();
    const { status, body, headers } = await switchTo(hub, { language: "AR" }, bearer);
    expect([status, body]).toMatchObject([
      200,
      {
        session: { session_id: id, language: "ar", version: 2 },
        language: "ar",
        dir: "rtl",
        languages: ["en", "hi", "ar"],
        message: { role: "system", text: "تستمر هذه المحادثة باللغة العربية.", channel: "web" },
      },
    ]);
    expect(headers.get("etag")).toBe('"2"');
    const history = await call(hub, "/session/messages?after=0", { headers: bearer });
    expect(history.body.messages).toEqual([body.message]);
    const again = await switchTo(hub, { language: "ar-EG" }, bearer);
    expect([again.status, again.body.message, again.body.session.version]).toEqual([200, null, 2]);
    const { body: customer } = await call(hub, `/api/customers?phone=%2B${PHONE.slice(1)}`, {
      headers: keys.admin,
    });
    expect(customer.customers[0]).toMatchObject({ preferred_language: "ar", plan: "premium" });
  });

  test("is refused with the permitted ones, by mode and by plan", async () => {
    const { hub, bearer } = await premium();
    const refused = await switchTo(hub, { language: "fr" }, bearer);
    expect([refused.status, refused.code, refused.body.error.details]).toEqual([
      403,
      "language_not_allowed",
      { languages: ["en", "hi", "ar"] },
    ]);
    const basic = await begin(hub);
    const forced = await switchTo(hub, { language: "hi" }, basic.bearer);
    expect([forced.status, forced.body.error.details]).toEqual([403, { languages: ["en"] }]);
    const update = await call(hub, "/session/update", post({ language: "hi" }, basic.bearer));
    expect([update.status, update.code]).toEqual([403, "language_not_allowed"]);
    expect((await restore(hub, basic.bearer)).body.session).toMatchObject({ language: "en", version: 1 });
  });

  test("is open to a key, for the session that it names", async () => {
    const { hub, id } = await premium();
    for (const named of [{ session_id: id.toUpperCase() }, { phone: PHONE }]) {
      const { status, body } = await switchTo(hub, { language: "hi", ...named }, keys.web);
      expect([status, body.session.session_id]).toEqual([200, id]);
    }
    expect((await switchTo(hub, { language: "hi", customer_id: "nobody" }, keys.web)).status).toBe(404);
    const both = { language: "en", session_id: id, customer_id: "103" };
    expect((await switchTo(hub, both, keys.web)).status).toBe(400);
    expect((await switchTo(hub, { language: "en" }, keys.web)).status).toBe(400);
  });

  test("is closed to other people's sessions and to callers without credentials", async () => {
    const { hub, bearer, id } = await premium();
    const mallory = await begin(hub);
    const asked = { language: "hi", session_id: id };
    for (const [headers, status] of [
      [mallory.bearer, 400],
      [{}, 401],
      [keys.kiosk, 403],
      [{ authorization: "Bearer hst_unknown" }, 400],
    ] as const)
      expect([headers, (await switchTo(hub, asked, headers)).status]).toEqual([headers, status]);
    expect((await switchTo(hub, { language: "hi", phone: PHONE }, mallory.bearer)).status).toBe(400);
    expect((await switchTo(hub, { language: "hi", customer_id: "103" }, mallory.bearer)).status).toBe(403);
    await switchTo(hub, { language: "hi" }, mallory.bearer);
    expect((await restore(hub, bearer)).body.session).toMatchObject({ language: "en", message_count: 0 });
  });

  test.for([[{}], [{ language: "" }], [{ language: "not a tag" }], [{ language: "en", to: "hi" }], [[]]])(
    "refuses %j",
    async ([body]) => {
      const hub = hubWith();
      const { bearer } = await begin(hub);
      expect((await switchTo(hub, body as object, bearer)).status).toBe(400);
    },
  );

  test("is refused for a session that has ended", async () => {
    const { hub, bearer, id } = await premium();
    await call(hub, "/session/end", { method: "POST", headers: bearer });
    expect((await switchTo(hub, { language: "hi" }, bearer)).code).toBe("session_not_found");
    expect((await switchTo(hub, { language: "hi", session_id: id }, keys.web)).code).toBe(
      "session_not_found",
    );
  });

  test("works without rules and without a database, with any language", async () => {
    const hub = strictHub();
    const { bearer } = await begin(hub);
    const { status, body } = await switchTo(hub, { language: "pt-br" }, bearer);
    expect([status, body]).toMatchObject([
      200,
      { language: "pt-BR", message: { text: "Esta conversa continua em português." } },
    ]);
  });
});

describe("GET /session/restore", () => {
  test("tells the language and those to choose from", async () => {
    const hub = hubWith();
    const basic = await begin(hub);
    expect((await restore(hub, basic.bearer)).body).toMatchObject({
      language: "en",
      dir: "ltr",
      languages: ["en"],
    });
    await describeCustomer(hub, { plan: "premium", preferred_language: "ar" });
    const { bearer } = await begin(hub, { channel: "web", phone: PHONE }, keys.web);
    const chosen = { language: "ar", dir: "rtl", languages: ["en", "hi", "ar"] };
    expect((await restore(hub, bearer)).body).toMatchObject(chosen);
    const posted = await call(hub, "/session/restore", post({}, bearer));
    expect(posted.body).toMatchObject(chosen);
  });

  test("has a view of metadata for the frontends' data layer", async () => {
    const hub = hubWith();
    await describeCustomer(hub, { plan: "premium", preferred_language: "hi", email: "anna@example.com" });
    const { bearer, id, session } = await begin(hub, { channel: "web", phone: PHONE }, keys.web);
    const written = { clientId: "c-7", conversationId: "t-9", plan: "platinum", language: "xx", note: "n" };
    await call(hub, "/session/update", post({ metadata: written }, bearer));
    const { status, body } = await restore(hub, bearer, "?view=metadata");
    expect([status, body]).toEqual([
      200,
      {
        id,
        createdAt: session.created_at,
        lastActivity: hub.clock.now.toISOString(),
        metadata: {
          language: "hi",
          clientId: "c-7",
          conversationId: "t-9",
          email: "anna@example.com",
          phone: PHONE,
          preferredLanguage: "hi",
          plan: "premium",
        },
      },
    ]);
    const nobody = await begin(hub);
    const plain = (await restore(hub, nobody.bearer, "?view=metadata")).body.metadata;
    expect(plain).toEqual({
      language: "en",
      clientId: nobody.session.visitor_id,
      conversationId: nobody.id,
      email: null,
      phone: null,
      preferredLanguage: null,
      plan: "basic",
    });
    expect((await restore(hub, bearer, "?view=all")).status).toBe(400);
    const byKey = await restore(hub, keys.web, `?view=metadata&phone=%2B${PHONE.slice(1)}`);
    expect(byKey.body).toMatchObject({ id, session_token: expect.stringMatching(/^hst_/) });
  });
});

describe("the session in Redis", () => {
  const TTL_S = 3_600;
  const WORDS = "Schlüsselbein";
  let redis: Redis;
  let client: Client;
  beforeAll(async () => {
    redis = await startRedis();
    client = new Client({ url: redis.url, token: redis.token, enableTelemetry: false });
  });
  beforeEach(async () => {
    await client.flushall();
  });
  const open = () => {
    const log = () => {};
    const cache = upstashCache({
      url: redis.url,
      token: redis.token,
      ttlSeconds: TTL_S,
      log,
      timeoutMs: 5_000,
    });
    const hub = hubWith({ cache });
    hub.clock.now = new Date();
    return hub;
  };

  test("has the fields of the data layer, as the view of metadata shows them", async () => {
    const hub = open();
    await describeCustomer(hub, { plan: "premium", preferred_language: "hi" });
    const { bearer, id } = await begin(hub, { channel: "web", phone: PHONE }, keys.web);
    await call(hub, "/session/update", post({ metadata: { clientId: "c-7", theme: "dark" } }, bearer));
    const { body: view } = await restore(hub, bearer, "?view=metadata");
    const kept = (await client.get(`session:${id}`)) as Record<string, unknown>;
    expect(kept).toMatchObject(view);
    expect(kept).toMatchObject({ session_id: id, metadata: { theme: "dark", plan: "premium" } });
  });

  test.for([
    ["a restore", (hub: StrictHub, headers: Record<string, string>) => restore(hub, headers)],
    ["an update", (hub, headers) => call(hub, "/session/update", post({ data: { a: 1 } }, headers))],
    [
      "a message",
      (hub, headers) => call(hub, "/webhooks/web", post({ external_id: "1", text: WORDS }, headers)),
    ],
    ["a change of language", (hub, headers) => switchTo(hub, { language: "en" }, headers)],
  ] as [string, (hub: StrictHub, headers: Record<string, string>) => Promise<{ status: number }>][])(
    "lives as long again after %s, and holds no content of messages",
    async ([, use]) => {
      const hub = open();
      const { bearer, id } = await begin(hub);
      const [name] = (await client.keys("token:*")) as string[];
      for (const key of [`session:${id}`, name!]) await client.expire(key, 10);
      expect((await use(hub, bearer)).status).toBe(200);
      for (const key of [`session:${id}`, name!]) expect(await client.ttl(key)).toBeGreaterThan(TTL_S - 60);
      for (const key of await client.keys("*"))
        expect(JSON.stringify(await client.get(key))).not.toContain(WORDS);
    },
  );

  test("is not found by a token whose message a key sent for another session", async () => {
    const hub = open();
    const mallory = await begin(hub);
    const anna = await begin(hub, { channel: "web", phone: PHONE }, keys.web);
    await call(
      hub,
      "/webhooks/web",
      post(
        { external_id: "1", text: "Hello", phone: PHONE },
        { ...keys.web, "x-session-token": mallory.token },
      ),
    );
    for (const key of await client.keys("token:*")) {
      const of = await client.get<string>(key);
      expect([mallory.id, anna.id]).toContain(of);
    }
    const ids = await Promise.all((await client.keys("token:*")).map((key) => client.get(key)));
    expect(ids.sort()).toEqual([mallory.id, anna.id].sort());
  });
});

describe("the words of the frontends", () => {
  const password = "correct horse battery";

  test("a sign-up without a session begins the proof by code, and says so", async () => {
    const hub = hubWith();
    await onWhatsApp(hub, PHONE, "Hello");
    const began = await call(hub, "/auth/signup", post({ phone: PHONE, password }));
    const answer = { password: "unset", next: "/session/verify", sent: "if_known", expires_in: 300 };
    expect([began.status, began.body]).toEqual([202, answer]);
    const { code } = hub.codes.at(-1)!;
    const login = () => call(hub, "/auth/login", post({ phone: PHONE, password, channel: "web" }));
    expect((await login()).code).toBe("password_invalid");
    const proved = await call(hub, "/session/verify", post({ phone: PHONE, code }));
    const bearer = { authorization: `Bearer ${proved.body.session_token}` };
    const set = await call(hub, "/auth/signup", post({ phone: PHONE, password }, bearer));
    expect([set.status, set.body]).toEqual([200, { password: "set" }]);
    expect((await login()).status).toBe(200);
  });

  test("a sign-up shows no one which phones are known, and is limited as codes are", async () => {
    const hub = hubWith();
    const known = await call(hub, "/auth/signup", post({ phone: OTHER, password }));
    expect([known.status, hub.codes]).toEqual([202, []]);
    await onWhatsApp(hub, PHONE, "Hello");
    const statuses = [];
    for (let i = 0; i < 4; i++)
      statuses.push((await call(hub, "/auth/signup", post({ phone: PHONE, password }))).status);
    expect(statuses).toEqual([202, 202, 202, 429]);
    expect((await call(hub, "/auth/signup", post({ password }))).status).toBe(401);
    expect((await call(hub, "/auth/signup", post({ phone: PHONE, password: "short" }))).status).toBe(400);
  });

  test("a sign-up with a session sets the password of that session's phone only", async () => {
    const hub = hubWith();
    await onWhatsApp(hub, PHONE, "Hello");
    await onWhatsApp(hub, OTHER, "Hello");
    const code = (await askCode(hub, OTHER))!;
    const proved = await call(hub, "/session/verify", post({ phone: OTHER, code }));
    const bearer = { authorization: `Bearer ${proved.body.session_token}` };
    await call(hub, "/auth/signup", post({ phone: PHONE, password }, bearer));
    const login = (phone: string) => call(hub, "/auth/login", post({ phone, password, channel: "web" }));
    expect((await login(PHONE)).code).toBe("password_invalid");
    expect((await login(OTHER)).status).toBe(200);
  });

  test("a log-out everywhere ends what an end of the session ends", async () => {
    const hub = hubWith();
    const one = await begin(hub, { channel: "web", phone: PHONE }, keys.web);
    const two = await begin(hub, { channel: "web", phone: PHONE }, keys.web);
    const other = await begin(hub);
    const logOut = (body: object | undefined, headers: Record<string, string>) =>
      call(hub, "/auth/logout", body ? post(body, headers) : { method: "POST", headers });
    expect((await logOut({ everywhere: false }, one.bearer)).body).toEqual({ signed_out: true });
    expect((await restore(hub, two.bearer)).status).toBe(200);
    expect((await logOut({ everywhere: true }, one.bearer)).body).toEqual({ signed_out: false });
    expect((await restore(hub, two.bearer)).status).toBe(200);
    expect((await logOut({ everywhere: true }, two.bearer)).body).toEqual({ signed_out: true });
    expect((await restore(hub, two.bearer)).code).toBe("session_not_found");
    const ended = await call(hub, `/api/sessions/${two.id}`, { headers: keys.admin });
    expect(ended.body.session).toMatchObject({ status: "logged_out" });
    expect((await restore(hub, other.bearer)).status).toBe(200);
    expect((await logOut({ anywhere: true }, other.bearer)).status).toBe(400);
    expect((await logOut(undefined, other.bearer)).body).toEqual({ signed_out: true });
  });

  test("an update takes chat_context and last_recommended_skus inside data", async () => {
    const hub = hubWith();
    const { bearer } = await begin(hub);
    const data = { chat_context: { topic: "shoes", turns: 3 }, last_recommended_skus: ["A-1", "B-2"] };
    await call(hub, "/session/update", post({ data }, bearer));
    await call(hub, "/session/update", post({ data: { chat_context: { topic: null } } }, bearer));
    expect((await restore(hub, bearer)).body.session.data).toMatchObject({
      chat_context: { turns: 3 },
      last_recommended_skus: ["A-1", "B-2"],
    });
  });
});
