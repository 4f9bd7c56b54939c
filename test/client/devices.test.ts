import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createHub, HubError } from "../../clients/js/src/index.ts";
import { post } from "../support/http.ts";
import { browserStorage, device, type Shop, startShop } from "./shop.ts";

const KEY = { key: "web-key" };
const PASSWORD = "correct horse battery";

let shop: Shop;
let people = 0;

beforeAll(async () => {
  shop = await startShop({
    TELEGRAM_BOT_TOKEN: "1000001:token",
    TELEGRAM_BOT_USERNAME: "shop_bot",
    TELEGRAM_WEBHOOK_SECRET: "telegram-secret",
    TELEGRAM_API_ROOT: "http://127.0.0.1:9",
  });
}, 120_000);
afterAll(() => shop?.stop());

const newPhone = () => `+49151125${String(++people).padStart(5, "0")}`;

/** A customer with a phone, a password and one message. */
async function known(): Promise<string> {
  const phone = newPhone();
  const answer = await fetch(
    `${shop.url}/session/start`,
    post({ channel: "web", phone }, { "x-api-key": "web-key" }),
  );
  const { session_token } = (await answer.json()) as { session_token: string };
  const headers = { authorization: `Bearer ${session_token}` };
  await fetch(`${shop.url}/auth/signup`, post({ password: PASSWORD }, headers));
  await fetch(`${shop.url}/webhooks/web`, post({ external_id: "1", text: "of last week" }, headers));
  return phone;
}

/** A customer writes on Telegram. */
async function telegram(text: string): Promise<void> {
  const id = 7_000 + ++people;
  const from = { id, is_bot: false, first_name: "Anna" };
  const message = {
    message_id: 1,
    date: 1_795_000_000,
    chat: { id, type: "private", first_name: "Anna" },
    from,
    text,
  };
  const headers = { "x-telegram-bot-api-secret-token": "telegram-secret" };
  const answer = await fetch(`${shop.url}/webhooks/telegram`, post({ update_id: id, message }, headers));
  expect(answer.status).toBe(200);
}

describe("a proof", () => {
  test("by password switches to the customer's session, with its history", async () => {
    const phone = await known();
    const page = device(shop.url);
    await page.hub.session.start();
    page.listen();
    await page.hub.send("who am I?");
    await expect(page.hub.verify.login(phone, "wrong password")).rejects.toMatchObject({
      code: "password_invalid",
    });
    const session = await page.hub.verify.login(phone, PASSWORD);
    expect([session.phone, page.hub.session.current]).toEqual([phone, session]);
    await page.until((it) => it.of("switched").length === 1);
    const since = () => page.events.slice(page.events.findIndex(({ type }) => type === "switched"));
    const texts = () => since().flatMap((event) => (event.type === "message" ? [event.message.text] : []));
    await page.until(() => texts().includes("of last week") && texts().includes("who am I?"));
    expect(new Set(texts()).size).toBe(texts().length);
    page.hub.close();
  });

  test.each([
    ["a WebSocket", {}],
    ["the long poll", { WebSocket: false, waitSeconds: 1 }],
  ])("by a scan goes on with the link's token, over %s", async (_name, transport) => {
    const page = device(shop.url, transport);
    await page.hub.session.start();
    page.listen();
    await page.hub.send("before the scan");
    await page.until((it) => it.texts().length === 2);
    const unused = await page.hub.verify.link();
    const { links, ...rest } = await page.hub.verify.link();
    expect([Object.keys(unused.links), Object.keys(rest).sort()]).toEqual([
      ["telegram"],
      ["expires_at", "qr"],
    ]);
    await telegram(`/start ${new URL(links.telegram!).searchParams.get("start")}`);
    await page.until((it) => it.of("merged").length > 0);
    await page.hub.send("after the scan");
    await page.until((it) => it.texts().includes("after the scan"));
    const texts = page.texts();
    expect(new Set(texts).size).toBe(texts.length);
    expect(page.of("ended")).toEqual([]);
    expect((await page.hub.session.restore())?.channels).toContain("telegram");
    page.hub.close();
  });
});

describe("two tabs", () => {
  test("share a session, and the first one's if they open together", async () => {
    const storage = browserStorage();
    const tabs = [device(shop.url, { storage }), device(shop.url, { storage })];
    const [one, other] = await Promise.all(tabs.map(({ hub }) => hub.session.start()));
    expect(one!.session_id).toBe(other!.session_id);
    const third = device(shop.url, { storage });
    expect((await third.hub.session.restore())?.session_id).toBe(one!.session_id);
  });

  test("go on together when one of them logs in, and end together", async () => {
    const phone = await known();
    const storage = browserStorage();
    const [one, other] = [device(shop.url, { storage }), device(shop.url, { storage })];
    await one.hub.session.start();
    await other.hub.session.restore();
    for (const { listen } of [one, other]) listen();
    await other.until((it) => it.of("ready").length === 1);
    const { session_id } = await one.hub.verify.login(phone, PASSWORD);
    await other.until((it) => it.of("switched").length === 1 && it.texts().includes("of last week"));
    expect((await other.hub.session.restore())?.session_id).toBe(session_id);
    await one.hub.session.signOut();
    await other.until((it) => it.of("ended").length === 1);
    expect(await other.hub.session.restore()).toBeUndefined();
    expect(storage.getItem(`${shop.url} device`)).toBeNull();
  });

  test("a message that waited when its tab was closed goes out once from the next one", async () => {
    const storage = browserStorage();
    let isOnline = true;
    const flaky: typeof fetch = (url, init) =>
      isOnline ? fetch(url, init) : Promise.reject(new TypeError("offline"));
    const closed = device(shop.url, { storage, fetch: flaky });
    await closed.hub.session.start();
    isOnline = false;
    const waiting = ["one", "two"].map((text) => closed.hub.send(text).catch((error) => error.name));
    expect(closed.hub.pending).toHaveLength(2);
    closed.hub.close();
    expect(await Promise.all(waiting)).toEqual(["AbortError", "AbortError"]);
    const tabs = [device(shop.url, { storage }), device(shop.url, { storage })];
    await vi.waitFor(() => expect(tabs.flatMap(({ hub }) => hub.pending)).toEqual([]), {
      timeout: 15_000,
    });
    const { messages } = await tabs[0]!.hub.history();
    expect(messages.flatMap(({ role, text }) => (role === "user" ? [text] : []))).toEqual(["one", "two"]);
    expect(storage.getItem(`${shop.url} outbox`)).toBeNull();
  });

  test("what waited for one session never goes to the next one", async () => {
    const storage = browserStorage();
    let isOnline = true;
    const flaky: typeof fetch = (url, init) =>
      isOnline || !String(url).includes("/webhooks/")
        ? fetch(url, init)
        : Promise.reject(new TypeError("offline"));
    const page = device(shop.url, { storage, fetch: flaky });
    await page.hub.session.start();
    isOnline = false;
    const secret = page.hub.send("of the person before").catch((error) => error.code);
    await page.hub.session.signOut();
    expect(await secret).toBe("no_session");
    const next = page.hub.send("too early").catch((error) => error.code);
    isOnline = true;
    await page.hub.session.start();
    await page.hub.send("of the next person");
    const { messages } = await page.hub.history();
    expect([messages[0]!.text, await next]).toEqual(["of the next person", "no_session"]);
  });
});

describe("what is kept, and where", () => {
  test("a page that subscribed too early is told nothing of the session that it opens later", async () => {
    const page = device(shop.url);
    expect(() => page.listen()).toThrow(expect.objectContaining({ code: "no_session" }));
    await page.hub.session.start();
    expect(page.events).toEqual([]);
  });

  test("nothing outlives the page by default, and nothing the customer at a kiosk", async () => {
    expect(() => createHub({ url: shop.url, channel: "kiosk", storage: "local" })).toThrow(TypeError);
    expect(() => createHub({ url: shop.url, channel: "kiosk", storage: browserStorage() })).toThrow(
      TypeError,
    );
    const kiosk = device(shop.url, { channel: "kiosk", key: "kiosk-key" });
    await kiosk.hub.session.start({ phone: newPhone() });
    await kiosk.hub.send("at the kiosk");
    await kiosk.hub.session.signOut();
    expect(kiosk.hub.session.current).toBeUndefined();
    await expect(kiosk.hub.session.rate({ rating: 1 })).rejects.toMatchObject({ code: "no_session" });
    await expect(kiosk.hub.history()).rejects.toMatchObject({ code: "no_session" });
  });

  test("a device is signed out here even if the hub cannot be reached", async () => {
    let isOnline = true;
    const flaky: typeof fetch = (url, init) =>
      isOnline ? fetch(url, init) : Promise.reject(new TypeError("offline"));
    const page = device(shop.url, { fetch: flaky });
    await page.hub.session.start();
    page.listen();
    await page.until((it) => it.of("ready").length === 1);
    isOnline = false;
    await expect(page.hub.session.signOut()).rejects.toMatchObject({ code: "network" });
    expect(page.of("ended")).toEqual([{ type: "ended", code: "no_session" }]);
    expect(await page.hub.session.restore()).toBeUndefined();
  });

  test("a page must not hold an API key", () => {
    vi.stubGlobal("document", {});
    expect(() => createHub({ url: shop.url, ...KEY })).toThrow(TypeError);
    expect(() => createHub({ url: shop.url, key: "kiosk-key", channel: "kiosk" })).not.toThrow();
    vi.unstubAllGlobals();
  });
});

describe("errors", () => {
  test("have the hub's code, status and request id", async () => {
    const page = device(shop.url);
    const error = await page.hub.session.start({ phone: newPhone() }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(HubError);
    expect(error).toMatchObject({ code: "unauthorized", status: 401, requestId: expect.any(String) });
    await page.hub.session.start();
    const { version } = await page.hub.session.update({ data: { n: 1 } });
    await expect(
      page.hub.session.update({ data: { n: 2 } }, { ifVersion: version - 1 }),
    ).rejects.toMatchObject({
      code: "version_conflict",
    });
    await expect(page.hub.send("x".repeat(20_000))).rejects.toMatchObject({ code: "malformed" });
    await expect(page.hub.send("the next one goes out")).resolves.toMatchObject({ message: {} });
  });

  test("an answer that comes too late is a timeout, and a page of a proxy is no answer", async () => {
    const slow: typeof fetch = (_url, init) =>
      new Promise((_, reject) => {
        init!.signal!.addEventListener("abort", () => reject(new Error("aborted")));
      });
    const late = createHub({ url: shop.url, timeoutMs: 50, fetch: slow });
    await expect(late.session.start()).rejects.toMatchObject({ code: "timeout" });
    await expect(late.session.start({}, { signal: AbortSignal.timeout(10) })).rejects.toMatchObject({
      name: "TimeoutError",
    });
    const portal = createHub({ url: shop.url, fetch: async () => new Response("<h1>Log in</h1>") });
    await expect(portal.session.start()).rejects.toMatchObject({ code: "network" });
  });

  test("a hub that asks to wait is tried again after that time", async () => {
    const refused: number[] = [];
    const busy: typeof fetch = async (url, init) => {
      if (!String(url).includes("/webhooks/") || refused.length === 2) return fetch(url, init);
      refused.push(Date.now());
      const error = { code: "too_many_requests", message: "", request_id: "r" };
      return Response.json({ error }, { status: 429, headers: { "retry-after": "1" } });
    };
    const page = device(shop.url, { fetch: busy });
    await page.hub.session.start();
    await page.hub.send("patient");
    expect(refused[1]! - refused[0]!).toBeGreaterThan(950);
  });

  test("a message that is taken back is not sent, and those behind it are", async () => {
    const page = device(shop.url);
    await page.hub.session.start();
    const taken = new AbortController();
    const sends = [page.hub.send("one"), page.hub.send("two", taken), page.hub.send("three")];
    taken.abort();
    const results = await Promise.allSettled(sends);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    const { messages } = await page.hub.history();
    expect(messages.flatMap(({ role, text }) => (role === "user" ? [text] : []))).toEqual(["one", "three"]);
  });
});
