import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { featuresOf } from "../../src/features/features.ts";
import { violations } from "../support/accessibility.ts";
import { post } from "../support/http.ts";
import { keys, onWhatsApp } from "../support/people.ts";
import { desk, row, seen, shots, signedIn, visitor, write } from "./desk-shop.ts";

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const label = (name: string) => `[aria-label="${name}"]`;
const bubble = (page: Page, text: string) => page.locator(".desk-message", { hasText: text });
/** The width of the picture in a message, once it is loaded. */
const widthOf = (page: Page, text: string) =>
  page.evaluate(`[...document.querySelectorAll(".desk-message")]
    .find((one) => one.textContent.includes(${JSON.stringify(text)}))?.querySelector("img")?.naturalWidth`);
/** Sends a form of another kind: its fields by their names. */
async function sendKind(page: Page, kind: string, fields: Record<string, string>) {
  await page.locator(`.k-composer ${label("Send something else")}`).click();
  await page.locator("dialog .k-button", { hasText: kind }).click();
  for (const [name, value] of Object.entries(fields)) await page.locator(`dialog [name=${name}]`).fill(value);
  await page.locator("dialog button[type=submit]").click();
  await page.locator("dialog").waitFor({ state: "detached" });
}

test("people of the shop write with every kind, and see every kind", async () => {
  const anna = await visitor("Anna Kinds");
  const { page, complaints, foreign } = await signedIn("Ana");
  await anna.say("agent");
  const given = { method: "POST", body: PNG, headers: { ...anna.bearer, "content-type": "image/png" } };
  const { upload } = (await (await desk.hub.request("/api/media?name=table.png", given)).json()) as any;
  const contents = [
    { kind: "image", media: { upload: upload.upload }, caption: "This table" },
    { kind: "location", latitude: 52.52, longitude: 13.405, name: "Alexanderplatz" },
    { kind: "contact", own: false, contacts: [{ name: "Ben", phones: ["+4915112345678"] }] },
  ];
  for (const [i, content] of contents.entries()) {
    const body = post({ external_id: `kinds-${i}-${anna.key}`, content }, anna.bearer);
    const answer = await desk.hub.request("/webhooks/web", body);
    expect([answer.status, answer.ok || (await answer.text())]).toEqual([200, true]);
  }
  await row(page, "Anna Kinds").click();
  await seen(page, "Alexanderplatz");
  await seen(page, "Ben");
  // Without a secret for links the page loads files with its own token.
  const picture = bubble(page, "This table").locator("img");
  await picture.or(bubble(page, "This table")).first().scrollIntoViewIfNeeded();
  await expect.poll(() => widthOf(page, "This table"), { timeout: 10_000 }).toBe(1);
  expect(await picture.getAttribute("src")).toMatch(/^blob:/);

  await page.locator(`.desk-modes ${label("Formatting")}`).click();
  await page.locator(".desk-writing textarea").fill("Two tables");
  await page.evaluate(`document.querySelector(".desk-writing textarea").setSelectionRange(0, 3)`);
  await page.locator(label("Bold")).click();
  expect(await page.locator(".desk-writing textarea").inputValue()).toBe("**Two** tables");
  await page.locator(".desk-preview strong", { hasText: "Two" }).waitFor();
  await page.locator(".desk-writing button[type=submit]").click();
  await page.locator(".k-log strong", { hasText: "Two" }).waitFor();
  await page.locator(`.desk-modes ${label("Formatting")}`).click();

  await page.locator(".desk-file input").setInputFiles([
    { name: "plan.png", mimeType: "image/png", buffer: PNG },
    { name: "evil.exe", mimeType: "image/png", buffer: Buffer.from([0x4d, 0x5a, 0x90, 0x00]) },
  ]);
  await page.locator(".k-toast", { hasText: "evil.exe is of a kind" }).waitFor();
  await page.locator(".desk-attached li", { hasText: "plan.png" }).waitFor();
  await write(page, "The plan");
  await expect.poll(() => widthOf(page, "The plan"), { timeout: 10_000 }).toBe(1);
  await sendKind(page, "Place", { name: "Our shop", latitude: "48.1", longitude: "11.5" });
  await sendKind(page, "Contact", { name: "The kitchen", phone: "+49891234567" });
  await sendKind(page, "Buttons", { text: "Inside or outside?", choices: "Inside\nOutside" });
  await sendKind(page, "List", {
    text: "Which day?",
    choices: "Friday | from six\nSaturday",
    button: "Days",
  });
  for (const text of ["Our shop", "The kitchen", "Outside", "from six"]) await seen(page, text);
  // A button that the customer pressed.
  await desk.hub.request(
    "/webhooks/web",
    post(
      {
        external_id: `choice-${anna.key}`,
        content: { kind: "interaction", interaction: "button", id: "choice-2", title: "Outside" },
      },
      anna.bearer,
    ),
  );
  await bubble(page, "Customer").locator("text=Outside").waitFor();

  await page.screenshot({ path: join(shots, "desk-kinds.png") });
  // The page itself never scrolls, however long the thread is.
  expect(await page.evaluate("document.documentElement.scrollHeight - innerHeight")).toBe(0);
  const thanks = bubble(page, "This table");
  await thanks.hover();
  await thanks.locator(`button${label("React")}`).click();
  await thanks.locator(".k-react button", { hasText: "👍" }).click();
  await thanks.locator(".k-reactions", { hasText: "👍" }).waitFor();
  await write(page, "We open at nine");
  const own = bubble(page, "We open at");
  await own.hover();
  await own.locator(label("Edit")).click();
  await page.locator(".desk-editing").waitFor();
  await write(page, "We open at ten");
  await bubble(page, "We open at ten").locator("text=edited").waitFor();
  await own.hover();
  await own.locator(label("Delete")).click();
  await page.locator("dialog .k-button", { hasText: "Delete" }).click();
  await seen(page, "This message was deleted");

  await page.context().grantPermissions(["microphone"]);
  await page.locator(label("Record a voice message")).click();
  await page.locator(".k-recorder [role=timer]", { hasText: "0:01" }).waitFor();
  expect(await violations(page)).toEqual([]);
  await page.locator(label("Send the recording")).click();
  await page.locator(".desk-message .k-file button", { hasText: "Voice message" }).click();
  const audio = page.locator(".desk-message audio");
  await audio.waitFor();
  expect(await audio.getAttribute("src")).toMatch(/^blob:/);
  const kinds = (await (
    await desk.hub.request("/session/messages?limit=200", { headers: anna.bearer })
  ).json()) as any;
  const answers = kinds.messages.filter(({ role }: any) => role === "operator");
  expect(new Set(answers.map(({ kind }: any) => kind))).toEqual(
    new Set([
      "text",
      "image",
      "location",
      "contact",
      "buttons",
      "list",
      "reaction",
      "edit",
      "delete",
      "system",
      "voice",
    ]),
  );
  expect(await violations(page)).toEqual([]);
  expect(complaints.filter((line) => !line.includes("415"))).toEqual([]);
  expect(foreign).toEqual([]);
});

test("a window that is closed says so, and a template goes out", async () => {
  const { page } = await signedIn("Bea");
  const phone = "+4915119876543";
  await onWhatsApp(desk.hub, phone, "agent", new Date(Date.now() - 25 * 3_600_000));
  const { templates } = featuresOf(desk.hub.hub);
  const of = { channel: "whatsapp", account: "102290129340398" };
  const components = [{ type: "BODY", text: "Hello {{1}}, your table is ready." }];
  const template = { template_id: "1", name: "table_ready", language: "en_US", category: "utility" };
  await templates.save(of, [{ ...template, status: "APPROVED", components }], new Date());
  const customers = await desk.hub.request(`/api/customers?phone=${encodeURIComponent(phone)}`, {
    headers: keys.admin,
  });
  const [{ customer_key }] = ((await customers.json()) as any).customers;
  const named = post({ name: "Otto Old" }, keys.admin);
  await desk.hub.request(`/api/customers/${customer_key}`, { ...named, method: "PATCH" });
  await page.locator(".desk-views .k-button", { hasText: "All" }).click();
  await row(page, "Otto Old").click();
  await page.locator(".desk-closed", { hasText: "whatsapp takes only templates" }).waitFor();
  expect(await page.locator(".desk-writing textarea").count()).toBe(0);
  await page.locator("aside .desk-window", { hasText: "templates only" }).waitFor();
  await page.locator(".desk-closed .k-button").click();
  await page.locator("dialog .k-row", { hasText: "table_ready" }).click();
  await page.locator("dialog input").fill("Anna");
  await page.locator("dialog .desk-preview", { hasText: "Hello Anna, your table" }).waitFor();
  expect(await violations(page)).toEqual([]);
  await page.locator("dialog button[type=submit]").click();
  await seen(page, "table_ready");
  // Once the customer writes, it is open.
  await onWhatsApp(desk.hub, phone, "Here I am");
  await page.locator(".desk-writing textarea").waitFor();
});

test("the customer: tags, notes and windows; a drawer where the page is narrow", async () => {
  const cleo = await visitor("Cleo Tags");
  await cleo.say("agent");
  const { page } = await signedIn("Cid", { viewport: { width: 820, height: 1_000 } });
  await row(page, "Cleo Tags").click();
  await seen(page, "agent");
  await page.locator(`.desk-head ${label("Customer")}`).click();
  const drawer = page.locator("dialog[data-drawer]");
  await drawer.locator(label("New tag")).fill("regular");
  await page.keyboard.press("Enter");
  await drawer.locator(".desk-tags li", { hasText: "regular" }).waitFor();
  // A colleague changes the customer meanwhile: both tags stay.
  const path = `/api/customers/${cleo.key}`;
  await desk.hub.request(path, { ...post({ tags: ["regular", "nuts"] }, keys.admin), method: "PATCH" });
  await drawer.locator(label("New tag")).fill("terrace");
  await page.keyboard.press("Enter");
  await drawer.locator(".desk-tags li", { hasText: "terrace" }).waitFor();
  await drawer.locator(label("Remove the tag regular")).click();
  await expect
    .poll(async () => ((await (await desk.hub.request(path, { headers: keys.admin })).json()) as any).tags)
    .toEqual(["nuts", "terrace"]);
  expect(await violations(page)).toEqual([]);
  await page.screenshot({ path: join(shots, "desk-drawer.png") });
  await page.keyboard.press("Escape");
  await drawer.waitFor({ state: "detached" });
});

test("the search finds customers and messages, filters narrow the list, and both lead there", async () => {
  const dan = await visitor("Dan Found");
  for (let i = 0; i < 60; i++) await dan.say(i === 3 ? "My aubergine <b>was</b> cold" : `word ${i}`);
  await featuresOf(desk.hub.hub).search.index(10_000);
  const { page } = await signedIn("Dot");
  await page.locator("#desk-search").fill("aubergine");
  const found = page.locator(".desk-found", { hasText: "Dan Found" }).last();
  await found.locator("mark", { hasText: "aubergine" }).waitFor();
  expect(await found.textContent()).toContain("<b>was</b>");
  await found.locator("button").click();
  await page.locator(".desk-message[data-sought]", { hasText: "aubergine" }).waitFor();
  await page.locator("#desk-search").fill("Dan Fou");
  await row(page, "Dan Found").first().waitFor();
  await page.locator("#desk-search").fill("");
  await page.locator(".desk-found").first().waitFor({ state: "detached" });
  await page.locator(".desk-views .k-button", { hasText: "All" }).click();
  await row(page, "Dan Found").waitFor();
  await page.locator(`.desk-filters ${label("Channel")}`).selectOption("telegram");
  await row(page, "Dan Found").waitFor({ state: "detached" });
  await page.locator(`.desk-filters ${label("Channel")}`).selectOption("web");
  await row(page, "Dan Found").waitFor();
  expect(await violations(page)).toEqual([]);
});

test("an admin invites, changes roles and disables; canned replies are made, changed and deleted; dead letters are shown", async () => {
  const { page } = await signedIn("Eve", {}, "", "admin");
  await page.locator(`.desk-places ${label("Staff")}`).click();
  await page.locator(".desk-page .k-button", { hasText: "Invite" }).click();
  await page.locator("dialog [name=name]").fill("Fred");
  await page.locator("dialog [name=email]").fill("fred@shop.example");
  await page.locator("dialog button[type=submit]").click();
  const fred = page.locator(".desk-table li", { hasText: "fred@shop.example" });
  await fred.locator("select").selectOption("admin");
  await fred.locator(".k-button", { hasText: "Disable" }).click();
  await fred.locator("text=disabled").waitFor();
  expect(await violations(page)).toEqual([]);
  const { users } = (await (await desk.hub.request("/api/users", { headers: keys.admin })).json()) as any;
  expect(users.find(({ name }: any) => name === "Fred")).toMatchObject({ role: "admin", disabled: true });

  await page.locator(`.desk-places ${label("Canned replies")}`).click();
  await page.locator(".desk-page .k-button", { hasText: "New canned reply" }).click();
  await page.locator("dialog [name=shortcut]").fill("hours");
  await page.locator("dialog [name=title]").fill("Opening hours");
  await page.locator("dialog [name=text]").fill("We open at nine, {name}.");
  await page.locator("dialog button[type=submit]").click();
  const hours = page.locator(".desk-table li", { hasText: "/hours" });
  await hours.locator(".k-button", { hasText: "Edit" }).click();
  await page.locator("dialog [name=text]").fill("We open at ten, {name}.");
  await page.locator("dialog button[type=submit]").click();
  await hours.locator("text=at ten").waitFor();
  expect(await violations(page)).toEqual([]);
  await hours.locator(".k-button", { hasText: "Delete" }).click();
  await page.locator("dialog .k-button", { hasText: "Delete" }).click();
  await hours.waitFor({ state: "detached" });

  await page.locator(`.desk-places ${label("Not delivered")}`).click();
  await page.locator(".desk-page h2", { hasText: "Not delivered" }).waitFor();
  expect(await violations(page)).toEqual([]);
  // An agent has no page of the staff.
  const agent = await signedIn("Gia");
  expect(await agent.page.locator(`.desk-places ${label("Staff")}`).count()).toBe(0);
});
