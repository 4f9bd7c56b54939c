import type { CDPSession, Page } from "playwright-core";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Shop, startShop } from "../client/shop.ts";
import { violations } from "../support/accessibility.ts";
import { type OpenedPage, openPage } from "../support/browser.ts";
import { post } from "../support/http.ts";
import { builtPages } from "../support/stack.ts";
import { soon } from "./shop-page.ts";

const TELEGRAM = {
  TELEGRAM_BOT_TOKEN: "1000001:token",
  TELEGRAM_WEBHOOK_SECRET: "telegram-secret",
  TELEGRAM_BOT_USERNAME: "hub_bot",
  TELEGRAM_API_ROOT: "http://127.0.0.1:9",
};
const web = { "x-api-key": "web-key" };
let shop: Shop;
let sql: postgres.Sql;
let host: string;
let count = 0;
beforeAll(async () => {
  shop = await startShop({ ...TELEGRAM, DEFAULT_COUNTRY: "DE" }, await builtPages());
  sql = postgres(shop.databaseUrl, { max: 1 });
  host = new URL(shop.url).host;
});
afterAll(async () => {
  await sql?.end();
  await shop?.stop();
});

/** A German number, as it is typed and as it is stored. */
function newNumber() {
  const digits = `15114${String(++count).padStart(6, "0")}`;
  return { typed: `0${digits}`, phone: `+49${digits}` };
}

async function openKiosk(
  options: { hash?: string; page?: Partial<Parameters<typeof openPage>[0]> } = {},
): Promise<OpenedPage> {
  const opened = await openPage({ hosts: [host], viewport: { width: 1080, height: 1280 }, ...options.page });
  await opened.page.goto(`${shop.url}/kiosk${options.hash ?? "#key=kiosk-key"}`);
  return opened;
}

/** Touches the keys of the pad, one by one. */
async function press(page: Page, digits: string): Promise<void> {
  for (const digit of digits) await page.getByRole("button", { name: digit, exact: true }).click();
}

async function enterPhone(page: Page, typed: string): Promise<void> {
  await press(page, typed);
  await page.getByRole("button", { name: "Go on", exact: true }).click();
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox", { name: "Write a message" }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

const textsOf = (page: Page) => page.locator(".k-log .k-bubble .k-text").allTextContents();
const login = (page: Page) => page.getByRole("heading", { name: "Welcome" });

/** A customer who has verified this phone, with a cart and a password. */
async function knownCustomer(phone: string): Promise<void> {
  const started = await fetch(
    `${shop.url}/session/start`,
    post(
      { channel: "web", phone, data: { cart: [{ name: "Green tea", qty: 2, price: 4, currency: "EUR" }] } },
      web,
    ),
  );
  const { session_token } = (await started.json()) as any;
  const bearer = { authorization: `Bearer ${session_token}` };
  await fetch(`${shop.url}/auth/signup`, post({ password: "correct horse battery" }, bearer));
  await fetch(`${shop.url}/webhooks/web`, post({ external_id: "1", text: "from at home" }, bearer));
}

describe("the start", () => {
  test("ends at the login screen within 5 s, if the hub does not answer", async () => {
    const { page } = await openPage({ hosts: [host] });
    await page.route("**/api/config", () => new Promise(() => {}));
    const began = Date.now();
    await page.goto(`${shop.url}/kiosk#key=kiosk-key`);
    await login(page).waitFor({ timeout: 8_000 });
    expect(Date.now() - began).toBeLessThan(6_000);
    expect(page.url()).toBe(`${shop.url}/kiosk`); // the key is not in the address
  });

  test("is never a blank page: without its program it offers to begin again, and does so", async () => {
    const { page } = await openPage({ hosts: [host] });
    await page.route("**/assets/kiosk-*.js", (route) => route.abort());
    await page.goto(`${shop.url}/kiosk`);
    const again = page.getByRole("button", { name: /Start again/ });
    await again.waitFor({ timeout: 8_000 });
    await page.unroute("**/assets/kiosk-*.js");
    await again.click();
    await login(page).waitFor();
  });

  test("works without a network once it was there, and says so", async () => {
    const { page, context } = await openKiosk();
    await login(page).waitFor();
    await page.evaluate(
      "navigator.serviceWorker.ready.then(() => new Promise((done) => setTimeout(done, 500)))",
    );
    await context.setOffline(true);
    await page.reload();
    await login(page).waitFor();
    await soon(() => page.locator("p.notice").textContent()).toMatch(/No connection/);
    await enterPhone(page, newNumber().typed);
    await page.getByRole("alert").waitFor();
    await context.setOffline(false);
    await page.getByRole("button", { name: "Back" }).click();
    await page.getByRole("button", { name: "Go on", exact: true }).click();
    await page.getByRole("region", { name: "Your cart" }).waitFor();
  });

  test("can be installed", async () => {
    const { page } = await openKiosk();
    const manifest = (await (await fetch(`${shop.url}/kiosk.webmanifest`)).json()) as any;
    expect(manifest).toMatchObject({ display: "fullscreen", start_url: "/kiosk", scope: "/kiosk" });
    expect((await fetch(shop.url + manifest.icons[0].src)).headers.get("content-type")).toMatch(/svg/);
    const session: CDPSession = await page.context().newCDPSession(page);
    const { errors } = await session.send("Page.getAppManifest");
    expect(errors).toEqual([]);
  });
});

describe("a customer", () => {
  test("enters a new phone by the pad, and has a cart and a conversation, live", async () => {
    const { page, complaints, foreign } = await openKiosk();
    const { typed, phone } = newNumber();
    await press(page, "01");
    await page.getByRole("button", { name: "Go on", exact: true }).click();
    await page.getByText("This number is not complete").waitFor();
    await page.getByRole("button", { name: "Delete a digit" }).click();
    await enterPhone(page, typed.slice(1));
    await page.getByText("Your cart is empty.").waitFor();
    await say(page, "At the kiosk");
    await soon(async () => (await textsOf(page)).length).toBe(2);
    const [row] = await sql`select session_id from messages where text = 'At the kiosk'`;
    const cart = [{ name: "Tickets", qty: 2, price: 10, currency: "EUR" }, "Programme", { nonsense: true }];
    await fetch(`${shop.url}/session/update`, post({ session_id: row!.session_id, data: { cart } }, web));
    await soon(() =>
      page.getByRole("region", { name: "Your cart" }).getByRole("listitem").allTextContents(),
    ).toEqual(["2 × Tickets€20.00", "Programme"]);
    const [saved] = await sql`select channel from messages where text = 'At the kiosk'`;
    expect(saved!.channel).toBe("kiosk");
    expect(phone).toMatch(/^\+49/);
    expect([...complaints, ...foreign]).toEqual([]);
  });

  test("whose phone is known proves it by password; a wrong one has a way back", async () => {
    const { page } = await openKiosk();
    const { typed, phone } = newNumber();
    await knownCustomer(phone);
    await enterPhone(page, typed);
    await page.getByRole("heading", { name: "Is that you?" }).waitFor();
    expect(await page.textContent("body")).not.toMatch(/from at home|Green tea/);
    await press(page, "123456");
    await page.getByText("That is not the code").waitFor();
    await page.getByRole("button", { name: "Password" }).click();
    await page.getByRole("textbox", { name: "Password" }).fill("wrong horse battery");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("do not belong together").waitFor();
    await page.getByRole("textbox", { name: "Password" }).fill("correct horse battery");
    await page.getByRole("button", { name: "Log in" }).click();
    await soon(() =>
      page.getByRole("region", { name: "Your cart" }).getByRole("listitem").allTextContents(),
    ).toEqual(["2 × Green tea€8.00"]);
    await soon(() => textsOf(page)).toContain("from at home");
  });

  test("scans with their own phone, and is there by themselves", async () => {
    const { page } = await openKiosk();
    const answered = page.waitForResponse("**/session/link");
    await page.getByRole("button", { name: "Scan with your phone" }).click();
    await page.getByRole("img", { name: "QR code for Telegram" }).waitFor();
    const { links } = (await (await answered).json()) as any;
    const link = new URL(links.telegram).searchParams.get("start");
    const from = { id: 4711, is_bot: false, first_name: "Ana" };
    const message = {
      message_id: 1,
      date: Math.floor(Date.now() / 1_000),
      chat: { id: 4711, type: "private" },
      from,
      text: `/start ${link}`,
    };
    const told = await fetch(
      `${shop.url}/webhooks/telegram`,
      post({ update_id: 1, message }, { "x-telegram-bot-api-secret-token": "telegram-secret" }),
    );
    expect(told.status).toBe(200);
    await page.getByRole("region", { name: "Your cart" }).waitFor({ timeout: 20_000 });
    await say(page, "Scanned");
    await soon(async () =>
      (await textsOf(page)).some((text) => /telegram, kiosk|kiosk, telegram/.test(text)),
    ).toBe(true);
  });

  test("writes while the line is interrupted: it says so, and the message goes out once", async () => {
    const { page, context } = await openKiosk();
    await enterPhone(page, newNumber().typed);
    await say(page, "Before");
    await soon(async () => (await textsOf(page)).length).toBe(2);
    await context.setOffline(true);
    await soon(() => page.locator("p.notice").textContent()).toMatch(/No connection/);
    await say(page, "While offline");
    await context.setOffline(false);
    await soon(async () => (await textsOf(page)).length).toBe(4);
    await soon(() => page.locator("p.notice").textContent()).toBe("");
    const rows = await sql`select 1 from messages where text = 'While offline' and role = 'user'`;
    expect(rows).toHaveLength(1);
  });

  test("at a kiosk whose key is wrong, or without one, is told and can go back", async () => {
    const { page } = await openKiosk({ hash: "#key=another-key" });
    await enterPhone(page, newNumber().typed);
    await page.getByText("This kiosk is not set up yet").waitFor();
    await page.getByRole("button", { name: "Back" }).click();
    expect(await login(page).count()).toBe(1);
  });
});

/** Every text that the page's memory holds. */
async function memoryOf(page: Page): Promise<string> {
  const session = await page.context().newCDPSession(page);
  let text = "";
  session.on("HeapProfiler.addHeapSnapshotChunk", ({ chunk }) => {
    text += chunk;
  });
  await session.send("HeapProfiler.collectGarbage");
  await session.send("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
  await session.detach();
  return text;
}

/** Everything that the browser keeps for the page, as text. */
function keptIn(page: Page): Promise<string> {
  return page.evaluate(`(async () => {
    const cached = [];
    for (const name of await caches.keys())
      for (const request of await (await caches.open(name)).keys()) cached.push(request.url);
    const databases = (await indexedDB.databases()).map(({ name }) => name);
    return JSON.stringify({ local: { ...localStorage }, session: { ...sessionStorage }, cookies: document.cookie, databases, cached, state: history.state });
  })()`);
}

describe("at the end", () => {
  test("leaving wipes memory, storage and history, and the token is dead", async () => {
    const { page } = await openKiosk();
    const { typed } = newNumber();
    const secret = `my secret ${crypto.randomUUID()}`;
    let token = "";
    page.on("request", (request) => {
      token = request.headers().authorization ?? token;
    });
    await login(page).waitFor();
    const before = await page.evaluate("history.length");
    await enterPhone(page, typed);
    await say(page, secret);
    await soon(async () => (await textsOf(page)).length).toBe(2);
    expect(await memoryOf(page)).toContain(secret);
    await page.evaluate(
      "sessionStorage.setItem('left', 'by somebody'); localStorage.setItem('left', 'by somebody')",
    );
    await page.getByRole("button", { name: "Leave" }).click();
    await login(page).waitFor();
    await soon(() => page.evaluate("typeof navigator.serviceWorker.controller")).toBe("object");
    expect(await page.getByRole("textbox", { name: "Your phone number" }).inputValue()).toBe("");
    const memory = await memoryOf(page);
    expect(memory).not.toContain(secret);
    expect(memory).not.toContain(token.replace("Bearer ", ""));
    const kept = JSON.parse(await keptIn(page));
    expect(kept).toMatchObject({
      local: { "hub-kiosk-key": "kiosk-key" },
      session: {},
      cookies: "",
      databases: [],
      state: null,
    });
    expect(Object.keys(kept.local).sort()).toEqual(["hub-kiosk-hub", "hub-kiosk-key"]);
    expect(
      kept.cached.filter((url: string) => !/\/(assets\/|kiosk|icon)/.test(new URL(url).pathname)),
    ).toEqual([]);
    expect(await page.evaluate("history.length")).toBe(before);
    await page.goBack().catch(() => {});
    expect(await page.textContent("body")).not.toContain(secret);
    const answer = await fetch(`${shop.url}/session/messages`, { headers: { authorization: token } });
    expect(answer.status).toBe(404);
  });

  test("a minute of silence ends the visit, after a countdown that a touch stops", async () => {
    const { page } = await openPage({ hosts: [host], viewport: { width: 1080, height: 1280 } });
    await page.clock.install();
    await page.goto(`${shop.url}/kiosk#key=kiosk-key`);
    await login(page).waitFor();
    await enterPhone(page, newNumber().typed);
    await page.getByText("Your cart is empty.").waitFor();
    await page.clock.runFor(46_000);
    const dialog = page.getByRole("dialog", { name: "Are you still there?" });
    await dialog.waitFor();
    expect(await dialog.getByRole("timer").textContent()).toMatch(/in 1[345] seconds/);
    expect(await violations(page)).toEqual([]);
    await dialog.getByRole("button", { name: "I am still here" }).click();
    await soon(() => dialog.count()).toBe(0);
    await page.clock.runFor(40_000);
    expect(await dialog.count()).toBe(0);
    await page.clock.runFor(10_000);
    await dialog.waitFor();
    await page.clock.runFor(16_000);
    await login(page).waitFor();
    expect(await page.getByText("Your cart is empty.").count()).toBe(0);
  });

  test("leaving without a network wipes all the same", async () => {
    const { page, context } = await openKiosk();
    await login(page).waitFor();
    await page.evaluate(
      "navigator.serviceWorker.ready.then(() => new Promise((done) => setTimeout(done, 500)))",
    );
    await enterPhone(page, newNumber().typed);
    await say(page, "Left without a network");
    await soon(async () => (await textsOf(page)).length).toBe(2);
    await context.setOffline(true);
    await page.getByRole("button", { name: "Leave" }).click();
    await login(page).waitFor();
    expect(await memoryOf(page)).not.toContain("Left without a network");
  });
});

describe.each(["light", "dark"] as const)("in the %s theme", (colorScheme) => {
  test.for(["en-GB", "ar"])("no screen violates the rules of accessibility in %s", async (locale) => {
    const { page } = await openKiosk({ page: { colorScheme, locale } });
    await page.locator(".pad").waitFor();
    expect(await page.locator("html").getAttribute("dir")).toBe(locale === "ar" ? "rtl" : "ltr");
    expect(await violations(page)).toEqual([]);
    const { typed, phone } = newNumber();
    await knownCustomer(phone);
    await press(page, typed);
    await page.locator("form.card > button[type=submit]").click();
    await page.locator(".ways").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.locator(".ways button").nth(1).click();
    await page.locator("input[type=password]").fill("correct horse battery");
    await page.locator(".step button[type=submit]").click();
    await page.locator(".cart li").waitFor();
    await soon(async () => (await textsOf(page)).length).toBe(2);
    expect(await violations(page)).toEqual([]);
  });
});
