import { createHmac } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { violations } from "../support/accessibility.ts";
import { post } from "../support/http.ts";
import { type ChatShop, chatOf, IDENTITY_SECRET, soon, startChatShop } from "./shop-page.ts";

let shop: ChatShop;
let sql: postgres.Sql;
beforeAll(async () => {
  shop = await startChatShop();
  sql = postgres(shop.databaseUrl, { max: 1 });
});
afterAll(async () => {
  await sql?.end();
  await shop?.stop();
});

/** Writes as the shop, by its key. */
async function sayAsShop(session: string, text: string): Promise<void> {
  const body = {
    session_id: session,
    channel: "web",
    message: { role: "assistant", external_id: text, text },
  };
  const answer = await fetch(`${shop.url}/session/update`, post(body, { "x-api-key": "web-key" }));
  expect([answer.status, await answer.text()]).toEqual([200, expect.anything()]);
}

/** The session that holds a customer's text. */
async function sessionOf(text: string): Promise<string> {
  const [row] = await sql`select session_id from messages where text = ${text} and role = 'user'`;
  return row!.session_id;
}

async function stored(text: string): Promise<number> {
  const [row] = await sql`select count(*)::int as count from messages where text = ${text} and role = 'user'`;
  return row!.count;
}

test("a shop with a strict policy embeds the chat, and a visitor gets an answer", async () => {
  const { page, complaints, foreign } = await shop.visit();
  const chat = chatOf(page);
  await chat.open();
  await soon(() => chat.window.getByText("How can we help?").count()).toBe(1);
  await chat.say("Hello from the page");
  await soon(chat.texts).toEqual(["Hello from the page", expect.stringContaining("Hello from the page")]);
  expect(await chat.status.textContent()).toBe("");
  expect([...complaints, ...foreign]).toEqual([]);
  expect(await page.evaluate("document.cookie")).toBe("");
});

test("a page that only shows the button opens no session, and loads the button alone", async () => {
  const asked: string[] = [];
  const { page } = await shop.visit();
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.reload();
  await chatOf(page).button.waitFor();
  await page.waitForTimeout(300);
  expect(asked.filter((path) => path !== "/")).toEqual(["/chat.js"]);
});

describe.each(["light", "dark"])("in the %s theme", (theme) => {
  test("nothing violates the rules of accessibility, closed, open and with every kind of message", async () => {
    const { page } = await shop.visit({ "data-theme": theme, "data-form": "name email" });
    const chat = chatOf(page);
    await chat.button.waitFor();
    expect(await violations(page)).toEqual([]);
    await chat.open();
    await chat.window.getByRole("button", { name: "Begin" }).click();
    expect(await violations(page)).toEqual([]);
    await chat.window.getByLabel("Name").fill("Ana");
    await chat.window.getByLabel("E-mail").fill("ana@example.com");
    await chat.window.getByRole("button", { name: "Begin" }).click();
    await chat.say("/demo");
    await soon(() => chat.window.getByText("Ana, your order is ready").count()).toBe(1);
    expect(await violations(page)).toEqual([]);
    await chat.window.getByRole("button", { name: "Continue on your phone" }).click();
    await chat.window.getByRole("alert").waitFor();
    expect(await violations(page)).toEqual([]);
  });
});

test("the keyboard opens it, writes, leaves it and closes it; the focus is never caught", async () => {
  const { page } = await shop.visit();
  const chat = chatOf(page);
  const active = () =>
    page.evaluate(
      "(document.activeElement.shadowRoot?.activeElement ?? document.activeElement).getAttribute('aria-label') ?? (document.activeElement.shadowRoot?.activeElement ?? document.activeElement).tagName",
    );
  await chat.button.focus();
  expect(await chat.button.getAttribute("aria-expanded")).toBe("false");
  await page.keyboard.press("Enter");
  await chat.window.waitFor();
  expect(await chat.button.getAttribute("aria-expanded")).toBe("true");
  await soon(active).toBe("TEXTAREA");
  await page.keyboard.type("By keyboard");
  await page.keyboard.press("Enter");
  await soon(async () => (await chat.texts()).length).toBe(2);
  const passed: unknown[] = [];
  for (let i = 0; i < 12; i++) {
    await page.keyboard.press("Tab");
    passed.push(await active());
  }
  expect(passed).toContain("Close chat"); // the button, behind the window
  expect(passed).toContain("Search"); // and the shop's own field again
  await chat.field.focus();
  await page.keyboard.press("Escape");
  await chat.window.waitFor({ state: "hidden" });
  expect(await active()).toMatch(/^Open chat/);
  // What is closed can hold no focus.
  const inside: unknown[] = [];
  for (let i = 0; i < 6; i++) {
    await page.keyboard.press("Tab");
    inside.push(await active());
  }
  expect(inside).not.toContain("TEXTAREA");
});

test("messages are read aloud as they come, and a history is not", async () => {
  const { page } = await shop.visit();
  const chat = chatOf(page);
  await chat.open();
  await chat.say("Aloud");
  await soon(async () => (await chat.texts()).length).toBe(2);
  expect(await chat.log.getAttribute("aria-live")).toBe("polite");
  const live: unknown[] = [];
  await page.exposeFunction("told", (value: string) => live.push(value));
  await page.addInitScript(`setInterval(() => {
    const log = document.querySelector("session-hub-chat")?.shadowRoot.querySelector("[role=log]");
    if (log && log.querySelectorAll(".k-text").length === 0) window.told(log.getAttribute("aria-live"));
  }, 1)`);
  await page.reload();
  await soon(async () => (await chat.texts()).length).toBe(2);
  expect(new Set(live)).toEqual(new Set(["off"]));
});

test("what is written offline goes out once, also before there was a session", async () => {
  const { page, context } = await shop.visit();
  const chat = chatOf(page);
  await chat.open();
  await context.setOffline(true);
  await soon(() => chat.status.textContent()).toMatch(/You are offline/);
  await chat.say("First, offline");
  await chat.say("Second, offline");
  expect(await chat.texts()).toEqual(["First, offline", "Second, offline"]);
  expect(await stored("First, offline")).toBe(0);
  await context.setOffline(false);
  await soon(async () => (await chat.texts()).length).toBe(4);
  await context.setOffline(true);
  await chat.say("Third, offline");
  await soon(() => chat.window.locator("[data-status=waiting]").count()).toBe(1);
  await context.setOffline(false);
  await soon(async () => (await chat.texts()).length).toBe(6);
  expect(await chat.window.locator("[data-status=waiting]").count()).toBe(0);
  for (const text of ["First, offline", "Second, offline", "Third, offline"])
    expect([text, await stored(text)]).toEqual([text, 1]);
  expect(new Set(await Promise.all(["First, offline", "Third, offline"].map(sessionOf))).size).toBe(1);
});

test("what waits survives a reload, and goes out once", async () => {
  const { page, context } = await shop.visit();
  const chat = chatOf(page);
  await chat.open();
  await chat.say("Before the reload");
  await soon(async () => (await chat.texts()).length).toBe(2);
  await context.route(`${shop.url}/webhooks/web`, (route) => route.abort());
  await chat.say("Written while the hub is away");
  await soon(() => chat.window.locator("[data-status=waiting]").count()).toBe(1);
  await page.reload();
  await soon(() => chat.window.getByText("Written while the hub is away").count()).toBe(1);
  await context.unroute(`${shop.url}/webhooks/web`);
  await soon(async () => (await chat.texts()).length).toBe(4);
  expect(await stored("Written while the hub is away")).toBe(1);
});

test("a message that came while the page was away is shown once the line is back", async () => {
  const { page, context } = await shop.visit();
  const chat = chatOf(page);
  await chat.open();
  await chat.say("Before the gap");
  await soon(async () => (await chat.texts()).length).toBe(2);
  const session = await sessionOf("Before the gap");
  await context.setOffline(true);
  await sayAsShop(session, "During the gap");
  await sayAsShop(session, "During the gap, too");
  expect(await chat.texts()).toHaveLength(2);
  await context.setOffline(false);
  await soon(async () => (await chat.texts()).slice(2)).toEqual(["During the gap", "During the gap, too"]);
  await soon(() => chat.status.textContent()).toBe("");
  // And the line is alive again.
  await sayAsShop(session, "After the gap");
  await soon(async () => (await chat.texts()).at(-1)).toBe("After the gap");
});

test("the hub's death and return lose and double nothing", async () => {
  const { page } = await shop.visit();
  const chat = chatOf(page);
  await chat.open();
  await chat.say("Before the crash");
  await soon(async () => (await chat.texts()).length).toBe(2);
  const back = shop.crash();
  await soon(() => chat.status.textContent()).toMatch(/interrupted/);
  await chat.say("During the crash");
  await back;
  await soon(async () => (await chat.texts()).length).toBe(4);
  expect(await stored("During the crash")).toBe(1);
}, 120_000);

test("two tabs that write at once are one conversation, and each shows all of it", async () => {
  const { page, context } = await shop.visit();
  const other = await context.newPage();
  await other.goto(shop.page);
  const [one, two] = [chatOf(page), chatOf(other)];
  await one.open();
  await two.open();
  await Promise.all([one.say("From the first tab"), two.say("From the second tab")]);
  for (const chat of [one, two]) await soon(async () => (await chat.texts()).length).toBe(4);
  expect(await sessionOf("From the first tab")).toBe(await sessionOf("From the second tab"));
  expect((await one.texts()).sort()).toEqual((await two.texts()).sort());
  expect([await stored("From the first tab"), await stored("From the second tab")]).toEqual([1, 1]);
});

test("it goes on over pages, a reload and the back button, open as it was", async () => {
  const { page } = await shop.visit();
  const chat = chatOf(page);
  await chat.open();
  await chat.say("On the first page");
  await soon(async () => (await chat.texts()).length).toBe(2);
  await page.getByRole("link", { name: "Second page" }).click();
  await page.getByRole("heading", { name: "Shop /second" }).waitFor();
  await soon(async () => (await chat.texts()).length).toBe(2);
  await chat.say("On the second page");
  await soon(async () => (await chat.texts()).length).toBe(4);
  await page.goBack();
  await page.getByRole("heading", { name: "Shop /", exact: true }).waitFor();
  await soon(async () => (await chat.texts()).length).toBe(4);
  await page.keyboard.press("Escape");
  await chat.window
    .getByRole("button", { name: "Close" })
    .click({ timeout: 1_000 })
    .catch(() => {});
  await chat.window.waitFor({ state: "hidden" });
  await page.reload();
  await chat.button.waitFor();
  expect(await chat.window.count()).toBe(0);
});

test("a session that ended elsewhere closes the field, asks for a rating, and a new one begins", async () => {
  const { page } = await shop.visit();
  const chat = chatOf(page);
  await chat.open();
  await chat.say("To be ended");
  await soon(async () => (await chat.texts()).length).toBe(2);
  const session = await sessionOf("To be ended");
  const held = await page.evaluate(`JSON.parse(localStorage.getItem("${shop.url} device")).token`);
  // As another device of the customer would.
  const ended = await fetch(`${shop.url}/session/end`, post({}, { authorization: `Bearer ${held}` }));
  expect(ended.status).toBe(200);
  await chat.window.getByText("This conversation has ended.").waitFor();
  expect(await chat.field.count()).toBe(0);
  expect(await violations(page)).toEqual([]);
  await chat.window.getByRole("radio", { name: "4 stars" }).check({ force: true });
  await chat.window.getByRole("textbox", { name: /What should we know/ }).fill("Quick");
  await chat.window.getByRole("button", { name: "Send rating" }).click();
  await chat.window.getByText("Thank you!").waitFor();
  const [row] = await sql`select rating, feedback from sessions where session_id = ${session}`;
  expect(row).toEqual({ rating: 4, feedback: "Quick" });
  await chat.window.getByRole("button", { name: "New conversation" }).click();
  await chat.say("A new one");
  await soon(async () => (await chat.texts()).length).toBe(2);
  expect(await sessionOf("A new one")).not.toBe(session);
});

test("the visitor ends the conversation after a question", async () => {
  const { page } = await shop.visit();
  const chat = chatOf(page);
  await chat.open();
  await chat.say("I am done");
  await soon(async () => (await chat.texts()).length).toBe(2);
  await chat.window.getByRole("button", { name: "End conversation" }).click();
  await chat.window.getByRole("button", { name: "Cancel" }).click();
  expect(await chat.field.count()).toBe(1);
  await chat.window.getByRole("button", { name: "End conversation" }).click();
  await chat.window.getByRole("button", { name: "End it" }).click();
  await chat.window.getByText("This conversation has ended.").waitFor();
  const [row] = await sql`select status from sessions where session_id = ${await sessionOf("I am done")}`;
  expect(row!.status).toBe("logged_out");
});

test("an origin that is not on the list gets no session, and the window says so", async () => {
  const { page } = await shop.visit({ "data-key": "another-public-id" });
  const chat = chatOf(page);
  await chat.open();
  await chat.say("Let me in");
  await soon(() => chat.status.textContent()).toBe("The chat is not available here.");
  expect(await chat.field.isDisabled()).toBe(true);
  expect(await stored("Let me in")).toBe(0);
});

test("what comes while it is closed is counted on the button, in every tab, until it is opened", async () => {
  const { page, context } = await shop.visit();
  const chat = chatOf(page);
  await chat.open();
  await chat.say("Waiting for news");
  await soon(async () => (await chat.texts()).length).toBe(2);
  await chat.window.getByRole("button", { name: "Close" }).click();
  const session = await sessionOf("Waiting for news");
  await sayAsShop(session, "News 1");
  await sayAsShop(session, "News 2");
  await soon(() => chat.button.getAttribute("aria-label")).toBe("Open chat (2)");
  const other = await context.newPage();
  await other.goto(shop.page);
  await soon(() => chatOf(other).button.textContent()).toBe("2");
  await chatOf(other).open();
  await soon(() => chatOf(other).button.textContent()).toBe("");
  await soon(() => chat.button.textContent()).toBe("");
});

test("the page may open, close, listen and say who is there", async () => {
  const { page } = await shop.visit();
  const chat = chatOf(page);
  await chat.button.waitFor();
  await page.evaluate(
    "window.said = []; for (const name of ['open', 'close', 'message', 'unread']) hub.on(name, (detail) => said.push([name, detail?.text ?? detail]));",
  );
  await page.evaluate("hub.open()");
  await chat.window.waitFor();
  await chat.say("Nobody yet");
  await soon(async () => (await chat.texts()).length).toBe(2);
  await page.evaluate("hub.close()");
  await chat.window.waitFor({ state: "hidden" });
  expect(await page.evaluate("said")).toEqual([
    ["open", undefined],
    ["message", "Nobody yet"],
    ["message", expect.stringContaining("Nobody yet")],
    ["close", undefined],
  ]);
  const customer_id = "104";
  const expires_at = Math.floor(Date.now() / 1_000) + 300;
  const signature = createHmac("sha256", IDENTITY_SECRET)
    .update(`${customer_id}.${expires_at}`)
    .digest("hex");
  const identity = JSON.stringify({ customer_id, expires_at, signature });
  await page.evaluate("hub.open()");
  await page.evaluate(`hub.identify(${identity})`);
  await soon(chat.texts).toEqual([]);
  await chat.say("It is me");
  await soon(async () => (await chat.texts()).length).toBe(2);
  // The same customer again, on another device.
  const { page: phone } = await shop.visit();
  const there = chatOf(phone);
  await there.button.waitFor();
  await phone.evaluate(`hub.identify(${identity})`);
  await there.open();
  await soon(async () => (await there.texts())[0]).toBe("It is me");
  const forged = identity.replace(/"customer_id":"104"/, '"customer_id":"105"');
  await expect(phone.evaluate(`hub.identify(${forged})`)).rejects.toThrow(/signature/);
});

test("what was offered is chosen once, from buttons, lists and cards", async () => {
  const { page } = await shop.visit({ "data-replies": "/demo|Help" });
  const chat = chatOf(page);
  await chat.open();
  await chat.window.getByRole("button", { name: "/demo" }).click();
  await soon(() => chat.window.getByText("Ana, your order is ready").count()).toBe(1);
  // Only the newest choices are open.
  expect(await chat.window.getByRole("button", { name: "Coffee", exact: true }).isDisabled()).toBe(true);
  expect(await chat.window.getByRole("link", { name: /Open the menu/ }).getAttribute("rel")).toMatch(
    /noopener/,
  );
  await soon(() => chat.window.locator(".k-reactions").textContent()).toBe("👍");
  expect(await chat.window.locator(".k-text strong").first().textContent()).toBe("Bold");
  await chat.window.getByRole("button", { name: "Take it" }).last().click();
  await soon(() =>
    sql`select content ->> 'id' as id, content ->> 'interaction' as kind from messages where kind = 'interaction'`.then(
      ([row]) => row,
    ),
  ).toEqual({ id: "cake-apple", kind: "button" });
  expect(await chat.window.getByRole("button", { name: "Take it" }).last().isDisabled()).toBe(true);
});
