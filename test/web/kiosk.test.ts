import type { CDPSession, Page } from "playwright-core";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Shop, startShop } from "../client/shop.ts";
import { violations } from "../support/accessibility.ts";
import { type OpenedPage, openPage } from "../support/browser.ts";
import { post } from "../support/http.ts";
import { PNG } from "../support/pictures.ts";
import { builtPages } from "../support/stack.ts";
import { type Emulated, startEmulated } from "./emulated.ts";
import { soon } from "./shop-page.ts";

const web = { "x-api-key": "web-key" };
let emulated: Emulated;
let shop: Shop;
let sql: postgres.Sql;
let host: string;
let count = 0;
beforeAll(async () => {
  emulated = await startEmulated();
  shop = await startShop({ ...emulated.vars, DEFAULT_COUNTRY: "DE" }, await builtPages(), emulated.port);
  sql = postgres(shop.databaseUrl, { max: 1 });
  host = new URL(shop.url).host;
});
afterAll(async () => {
  await sql?.end();
  await shop?.stop();
  await emulated?.stop();
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

/** The six digits that WhatsApp got last. */
async function newestCode(): Promise<string> {
  const texts = await emulated.sent(emulated.whatsapp);
  return texts.flatMap((text) => /\b(\d{6})\b/.exec(text)?.[1] ?? []).at(-1) ?? "";
}

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
    const { page } = await openPage({ hosts: [host], locale: "es-ES" });
    // Neither its settings nor the words of its language.
    await page.route("**/api/config", () => new Promise(() => {}));
    await page.route("**/assets/es-*.js", () => new Promise(() => {}));
    const began = Date.now();
    await page.goto(`${shop.url}/kiosk#key=kiosk-key`);
    await login(page).waitFor({ timeout: 8_000 });
    expect(Date.now() - began).toBeLessThan(6_000);
    expect(page.url()).toBe(`${shop.url}/kiosk`); // the key is not in the address
  });

  test("is never a blank page: while its program does not come it offers to begin again, and does so", async () => {
    const { page } = await openPage({ hosts: [host] });
    await page.route("**/assets/kiosk-*.js", () => new Promise(() => {}));
    await page.goto(`${shop.url}/kiosk`, { waitUntil: "commit" });
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
    for (const { src, type, sizes } of manifest.icons) {
      const icon = await fetch(shop.url + src);
      expect([src, icon.status, icon.headers.get("content-type")]).toEqual([src, 200, type]);
      // A PNG has its width and height behind its first 16 bytes.
      const bytes = Buffer.from(await icon.arrayBuffer());
      if (type === "image/png") expect(`${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`).toBe(sizes);
    }
    const active = "navigator.serviceWorker.ready.then(({ active, scope }) => [active.scriptURL, scope])";
    expect(await page.evaluate(active)).toEqual([`${shop.url}/kiosk-worker.js`, `${shop.url}/kiosk`]);
    const session: CDPSession = await page.context().newCDPSession(page);
    const { errors } = await session.send("Page.getAppManifest");
    expect(errors).toEqual([]);
    const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
    // A browser without windows of apps installs nothing, whatever the page.
    expect(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito")).toEqual([]);
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

  test("whose phone is known proves it by the code in their messenger; a wrong and an old one have a way back", async () => {
    const { page } = await openKiosk();
    const { typed, phone } = newNumber();
    await knownCustomer(phone);
    // The hub must know a messenger of this phone.
    await emulated.act(emulated.whatsapp, "message", {
      from: phone.slice(1),
      name: "Ana",
      text: "from WhatsApp",
    });
    await enterPhone(page, typed);
    await page.getByText("We have sent six digits").waitFor();
    expect(await page.textContent("body")).not.toMatch(/from at home|from WhatsApp|Green tea/);
    const first = await newestCode();
    await press(page, first === "000000" ? "000001" : "000000");
    await page.getByText("That is not the code").waitFor();
    await page.getByRole("button", { name: "Back", exact: true }).first().click();
    await sql`update codes set expires_at = now() - interval '1 second'`;
    await press(page, first);
    await page.getByText("That is not the code").waitFor();
    await page.getByRole("button", { name: "Send a new code" }).click();
    await soon(async () => (await newestCode()) !== first).toBe(true);
    await press(page, await newestCode());
    await soon(() =>
      page.getByRole("region", { name: "Your cart" }).getByRole("listitem").allTextContents(),
    ).toEqual(["2 × Green tea€8.00"]);
    await soon(() => textsOf(page)).toEqual(expect.arrayContaining(["from at home", "from WhatsApp"]));
  });

  test("sees the pictures of the conversation, read with the token, and files of other hosts by name", async () => {
    const { page, complaints, foreign } = await openKiosk();
    let authorization = "";
    page.on("request", (request) => {
      authorization = request.headers().authorization ?? authorization;
    });
    await enterPhone(page, newNumber().typed);
    await say(page, "Show me");
    await soon(async () => (await textsOf(page)).length).toBe(2);
    const [row] = await sql`select session_id from messages where text = 'Show me'`;
    const admin = { "x-api-key": "admin-key" };
    const made = await fetch(`${shop.url}/api/media?name=menu.png`, {
      method: "POST",
      headers: admin,
      body: PNG,
    });
    const { upload } = ((await made.json()) as any).upload;
    for (const [key, media] of [
      ["own", { upload }],
      ["foreign", { url: "https://pictures.example/cake.png" }],
    ] as const) {
      const content = { kind: "image", media, caption: `A picture: ${key}` };
      const to = { session_id: row!.session_id };
      const body = {
        to,
        channel: "kiosk",
        content,
        purpose: "service",
        idempotency_key: `kiosk-${key}`,
      };
      const said = await fetch(`${shop.url}/api/messages`, post(body, admin));
      expect([said.status, await said.text()]).toEqual([201, expect.anything()]);
    }
    await soon(() => textsOf(page)).toContain("A picture: foreign");
    await soon(() =>
      page.locator("img.k-image").evaluateAll((all: any[]) => all.map((one) => one.naturalWidth > 0)),
    ).toEqual([true]);
    expect(await violations(page)).toEqual([]);
    expect([...complaints, ...foreign]).toEqual([]);
  });

  test("scans with their own phone, and is there by themselves", async () => {
    const { page } = await openKiosk();
    const answered = page.waitForResponse("**/session/link");
    await page.getByRole("button", { name: "Scan with your phone" }).click();
    await page.getByRole("img", { name: "QR code for Telegram" }).waitFor();
    const { links } = (await (await answered).json()) as any;
    const link = new URL(links.telegram).searchParams.get("start");
    await emulated.act(emulated.telegram, "message", {
      chat: { id: 4711, type: "private" },
      from: { id: 4711, first_name: "Ana" },
      text: `/start ${link}`,
    });
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

test.for(["en-GB", "ar"])(
  "no screen violates the rules of accessibility in %s, in light and dark",
  async (locale) => {
    const { page, context } = await openKiosk({ page: { locale } });
    const both = async () => {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect([colorScheme, await violations(page)]).toEqual([colorScheme, []]);
      }
    };
    await page.locator(".pad").waitFor();
    expect(await page.locator("html").getAttribute("dir")).toBe(locale === "ar" ? "rtl" : "ltr");
    await page.locator("form.card > button[type=submit]").click();
    await page.locator("[role=alert]").waitFor();
    await both();
    const { typed, phone } = newNumber();
    await knownCustomer(phone);
    await press(page, typed);
    await page.locator("form.card > button[type=submit]").click();
    await page.locator(".ways").waitFor();
    await page.locator(".ways button").nth(1).click();
    await page.locator("input[type=password]").fill("wrong horse battery");
    await page.locator(".step button[type=submit]").click();
    await page.locator("[role=alert]").waitFor();
    await both();
    await page.locator("input[type=password]").fill("correct horse battery");
    await page.locator(".step button[type=submit]").click();
    await page.locator(".cart li").waitFor();
    await soon(async () => (await textsOf(page)).length).toBe(2);
    await context.setOffline(true);
    await soon(() => page.locator("p.notice").textContent()).not.toBe("");
    await both();
  },
);
