import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { FrameLocator, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Scenario } from "../../dev/simulator/scenario.ts";
import { violations } from "../support/accessibility.ts";
import { type OpenedPage, openPage } from "../support/browser.ts";
import { type SimulatedStack, startSimulatedStack } from "../support/simulator.ts";

const DOT =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/** Where pictures are kept, to be looked at. */
const PICTURES = join(import.meta.dirname, "../../.pictures");

let stack: SimulatedStack;
beforeAll(async () => {
  stack = await startSimulatedStack();
  await mkdir(PICTURES, { recursive: true });
}, 240_000);
afterAll(() => stack?.stop(), 60_000);

async function open(query = "", size = { width: 1680, height: 960 }): Promise<OpenedPage> {
  const opened = await openPage({
    hosts: [stack.url, stack.hub].map((url) => new URL(url).host),
    viewport: size,
  });
  await opened.page.goto(`${stack.url}/simulator?language=en${query}`);
  await device(opened.page, "Telegram").waitFor();
  return opened;
}

function device(page: Page, name: string): Locator {
  return page.getByRole("article", { name, exact: true });
}

/** The page that a device shows: the kiosk, or a shop's page with the chat. */
function frame(page: Page, name: "Kiosk" | "Web page"): FrameLocator {
  return page.frameLocator(`iframe[title="${name}"]`);
}

async function writeInFrame(on: FrameLocator, text: string): Promise<void> {
  await on.getByRole("textbox", { name: "Write a message" }).fill(text);
  await on.getByRole("textbox", { name: "Write a message" }).press("Enter");
}

async function write(on: Locator, text: string): Promise<void> {
  await on.getByRole("textbox", { name: "Message" }).fill(text);
  await on.getByRole("textbox", { name: "Message" }).press("Enter");
}

/** What a console says besides that a session is over, which pages hear after a merge or after eight days. */
function surprising(complaints: readonly string[]): string[] {
  return complaints.filter((line) => !/\b404\b/.test(line));
}

/** A picture with this name. */
async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(PICTURES, `simulator-${name}.png`), animations: "disabled" });
}

test("npm run dev says where it is", () => {
  expect(stack.dev.output()).toContain(`\n  Open ${stack.url}/simulator and press "Play the story"`);
});

test("a message written on a device is answered there, and the time from opening the page is printed", async () => {
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const { page, complaints, foreign } = await openPage({ hosts: [new URL(stack.url).host] });
    const began = performance.now();
    await page.goto(`${stack.url}/simulator?language=en`);
    await write(device(page, "Telegram"), "First words");
    await device(page, "Telegram").getByText('You said "First words" on telegram').waitFor();
    times.push(Math.round(performance.now() - began));
    await expect.poll(() => page.locator(".s-session").count()).toBe(1);
    await page.getByText("Expires in 7 days").waitFor();
    expect([...complaints, ...foreign]).toEqual([]);
  }
  console.log(`from opening the simulator to the first echo: ${times.join(", ")} ms`);
});

test("one click plays the story over the four devices, and the hub is seen from inside", async () => {
  const { page, complaints, foreign } = await open("&theme=light&pace=200");
  await page.getByRole("button", { name: "Play the story" }).click();
  await frame(page, "Kiosk").getByText('You said "One more, please" on kiosk').waitFor({ timeout: 30_000 });
  await page.getByText(/^Step 10 of 13/).waitFor({ timeout: 60_000 });
  await frame(page, "Web page").getByText('You said "One more, please" on kiosk').waitFor();
  await expect.poll(() => page.locator(".s-session").count()).toBe(2);
  await picture(page, "story-light");
  await page.getByText("Played: story").waitFor({ timeout: 60_000 });
  await device(page, "Telegram")
    .getByText(/नमस्ते Asha!/)
    .waitFor();
  await device(page, "WhatsApp")
    .getByText(/Is my order ready/)
    .first()
    .waitFor();
  expect(await page.locator('.s-session[data-status="merged"]').count()).toBe(1);
  await picture(page, "story-end");
  expect([...surprising(complaints), ...foreign]).toEqual([]);
}, 120_000);

test("each device has what its platform has: cards, places, files, buttons, lists, edits, reactions, a block", async () => {
  const { page } = await open();
  const telegram = device(page, "Telegram");
  const whatsapp = device(page, "WhatsApp");
  for (const phone of [telegram, whatsapp]) {
    await write(phone, "Hello");
    await phone.getByText('You said "Hello"').waitFor();
    for (const what of ["Picture", "File", "Location", "Somebody else's card"]) {
      const before = await phone.getByRole("article", { name: "" }).count();
      await phone.getByRole("button", { name: "Attach" }).click();
      await page.getByRole("dialog").getByRole("button", { name: what, exact: true }).click();
      await expect.poll(() => phone.locator(".s-bubble").count()).toBeGreaterThan(before);
    }
  }
  // With a microphone, which hums for a second; and without one.
  await telegram.getByRole("button", { name: "Record a voice message" }).click();
  await telegram.getByRole("timer").getByText("0:01").waitFor();
  await telegram.getByRole("button", { name: "Send the voice message" }).click();
  const sound = telegram.locator(".s-bubble audio");
  await expect.poll(() => sound.count()).toBe(1);
  const recorded = await fetch(new URL((await sound.getAttribute("src"))!, stack.url));
  expect(recorded.headers.get("content-type")).toMatch(/^audio\/(ogg|mp4|webm)/);
  expect((await recorded.arrayBuffer()).byteLength).toBeGreaterThan(2_000);
  await telegram.getByRole("button", { name: "Play", exact: true }).click();
  await telegram.getByRole("button", { name: "Pause", exact: true }).waitFor();
  await page.evaluate("navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('no device'))");
  await whatsapp.getByRole("button", { name: "Record a voice message" }).click();
  await page.getByText("No microphone can be used here: a sample is sent").waitFor();
  await whatsapp.getByRole("button", { name: "Send the voice message" }).click();
  await expect.poll(() => whatsapp.locator(".s-bubble audio").count()).toBe(1);
  await whatsapp.getByRole("button", { name: "Attach" }).click();
  await page.getByLabel("A file of this machine").setInputFiles({
    name: "dot.png",
    mimeType: "image/png",
    buffer: Buffer.from(DOT, "base64"),
  });
  await expect.poll(() => whatsapp.locator("img.s-picture").count()).toBe(2);
  await expect
    .poll(() => page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)"))
    .toBe(true);
  await whatsapp.getByRole("button", { name: "More: Hello", exact: true }).click();
  await page.getByRole("button", { name: "Edit", exact: true }).click();
  await page.getByRole("textbox", { name: "Edit" }).fill("Hello again");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await whatsapp.getByText("edited").waitFor();
  await telegram.getByRole("button", { name: /^More: Hello Ana! You said/ }).click();
  await page.getByRole("button", { name: "React with 👍" }).click();
  await expect.poll(() => telegram.locator(".s-reactions").allTextContents()).toContain("👍");
  await expect.poll(() => page.getByRole("dialog").count()).toBe(0);

  await write(whatsapp, "/demo");
  await whatsapp.getByRole("button", { name: "Tea", exact: true }).click({ timeout: 20_000 });
  await whatsapp.getByText('You said "Tea" on whatsapp').waitFor();
  await whatsapp.getByRole("button", { name: "Choose", exact: true }).first().click();
  await picture(page, "list");
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /^Soup|^S$|^Size S/ })
    .first()
    .click();

  await telegram.getByRole("button", { name: "More: Telegram" }).click();
  await page.getByRole("button", { name: "Block the bot" }).click();
  await telegram.getByText("You have blocked this bot").waitFor();
  await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
  await telegram.getByRole("button", { name: "Unblock the bot" }).click();
  await telegram.getByRole("textbox", { name: "Message" }).waitFor();
}, 120_000);

test("a scenario recorded by clicking, in the real kiosk and chat too, is saved and replays", async () => {
  const { page, complaints, foreign } = await open("&pace=0");
  const [kiosk, web] = [frame(page, "Kiosk"), frame(page, "Web page")];
  await page.getByRole("button", { name: "Record", exact: true }).click();
  await page.getByRole("textbox", { name: "Name of the scenario" }).fill("by-clicks");
  await page.getByRole("dialog").getByRole("button", { name: "Record", exact: true }).click();
  const number = /\+55(\d+)/.exec((await device(page, "Kiosk").locator("small").textContent())!)![1]!;
  await kiosk.getByRole("textbox", { name: "Your phone number" }).fill(number);
  await kiosk.getByRole("button", { name: "Go on", exact: true }).click();
  await writeInFrame(kiosk, "A ticket, please");
  await kiosk.getByText('You said "A ticket, please"').waitFor();
  await write(device(page, "WhatsApp"), "Where is my ticket?");
  await device(page, "WhatsApp").getByText('You said "Where is my ticket?"').waitFor();
  await writeInFrame(web, "/demo buttons");
  await web.getByText('You said "/demo buttons"').waitFor();
  await web.locator("input[type=file]").setInputFiles({
    ...{ name: "dot.png", mimeType: "image/png", buffer: Buffer.from(DOT, "base64") },
  });
  await web.getByText('You said "[image').waitFor();
  await kiosk.getByRole("button", { name: "Leave" }).click();
  await kiosk.getByRole("textbox", { name: "Your phone number" }).waitFor();
  await page.getByRole("button", { name: "Save by-clicks (7)" }).click();
  await page.getByText(/^Saved as .*by-clicks\.json$/).waitFor();
  const scenario = await stack.call<Scenario>("scenarios/by-clicks");
  expect(
    scenario.steps.map(({ act, shows }) => [act.do, "device" in act && act.device, shows.length]),
  ).toEqual([
    ["open", "kiosk", 0],
    ["write", "kiosk", 1],
    ["write", "whatsapp", 1],
    ["open", "web", 0],
    ["write", "web", 1],
    ["media", "web", 1],
    ["leave", "kiosk", 0],
  ]);
  expect(await stack.play(scenario)).not.toHaveProperty("failure");
  await page.getByRole("combobox", { name: "Play a scenario" }).selectOption("by-clicks");
  await page.getByText("Played: by-clicks").waitFor({ timeout: 30_000 });
  await web.getByText('You said "/demo buttons"').waitFor();
  expect([...surprising(complaints), ...foreign]).toEqual([]);
}, 90_000);

test("a fault is armed with a badge on its device and disarmed; the wire shows it and delivers again; the lines are found", async () => {
  const { page } = await open();
  await page.getByRole("tab", { name: "Bad days" }).click();
  await page.getByRole("combobox", { name: "How" }).selectOption("429");
  await page.getByRole("combobox", { name: "When" }).selectOption("always");
  await page.getByRole("button", { name: "Arm", exact: true }).click();
  await page.getByText("1 fault armed").waitFor();
  await device(page, "Telegram").getByText("429").waitFor();
  await write(device(page, "Telegram"), "Anybody?");
  await page.getByRole("tab", { name: "Wire" }).click();
  await page.locator("[data-failed]").filter({ hasText: "/sendMessage" }).first().waitFor();
  await picture(page, "fault");
  await page.getByRole("tab", { name: "Bad days" }).click();
  await page.getByRole("button", { name: "Disarm" }).click();
  await expect.poll(() => page.getByText("1 fault armed").count()).toBe(0);
  await page.getByRole("button", { name: "25 hours later" }).click();
  await device(page, "Telegram").getByText('You said "Anybody?"').waitFor({ timeout: 20_000 });

  await page.getByRole("tab", { name: "Wire" }).click();
  const webhook = page.locator("details").filter({ hasText: "/webhooks/telegram" }).first();
  await webhook.locator("summary").click();
  await picture(page, "wire");
  await webhook.getByRole("button", { name: "Log lines" }).click();
  await page.getByText("/webhooks/telegram 200").waitFor();
  // The lines of what was clicked are found from the message too.
  await page.getByRole("button", { name: "All lines" }).click();
  await device(page, "Telegram").getByRole("button", { name: "More: Anybody?", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Log lines" }).click();
  await expect.poll(() => page.locator(".s-wire li").count()).toBeLessThan(5);
  await page.getByText("/webhooks/telegram 200").waitFor();
}, 90_000);

test("the page lives on while the Worker is killed", async () => {
  const { page } = await open();
  await write(device(page, "WhatsApp"), "Before");
  await device(page, "WhatsApp").getByText('You said "Before"').waitFor();
  await page.getByRole("tab", { name: "Bad days" }).click();
  await page.getByRole("button", { name: "Kill the Worker" }).click();
  await page.getByText("The Worker starts again").waitFor();
  await expect
    .poll(() => page.getByRole("button", { name: "Kill the Worker" }).isEnabled(), { timeout: 60_000 })
    .toBe(true);
  await write(device(page, "WhatsApp"), "After");
  await device(page, "WhatsApp").getByText("After", { exact: true }).waitFor();
  // What the killed Worker held is free when its lease is over: the sweep takes it up.
  const person = await page.evaluate("sessionStorage.getItem('simulator-person')");
  await stack.call(`people/${person}/act`, { do: "later", hours: 0.1 });
  await device(page, "WhatsApp").getByText('You said "After"').waitFor({ timeout: 30_000 });
  await device(page, "WhatsApp").getByText('You said "Before"').waitFor();
}, 120_000);

describe("the page has no violation", () => {
  test.each([
    ["light", "en"],
    ["dark", "ar"],
  ])("in the %s theme in %s", async (theme, language) => {
    const { page, complaints, foreign } = await open(`&theme=${theme}&person=${await whoPlayed()}`);
    await page.getByText("Played: story").waitFor();
    await page.getByRole("combobox", { name: "Language" }).selectOption(language);
    await expect.poll(() => page.locator("html").getAttribute("dir")).toBe(language === "ar" ? "rtl" : "ltr");
    for (const tab of ["wire", "log", "faults", "hub"]) {
      await page.locator(`#tab-${tab}`).click();
      expect(await violations(page), tab).toEqual([]);
    }
    await picture(page, `${theme}-${language}`);
    await page.locator('[data-device="telegram"] .k-composer button').first().click();
    await page.getByRole("dialog").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    expect([...surprising(complaints), ...foreign]).toEqual([]);
  });
});

let played: Promise<string> | undefined;
/** The customer who has played the whole story, without pauses; once for all tests. */
function whoPlayed(): Promise<string> {
  played ??= stack
    .call<Scenario>("scenarios/story")
    .then(stack.play)
    .then(({ person }) => person);
  return played;
}

test.for([
  ["phone", 390, 844, "en"],
  ["tablet", 900, 1180, "hi"],
  ["desktop", 1440, 900, "fr"],
] as const)("it fits a %s", async ([name, width, height, language]) => {
  const { page } = await open("&theme=light", { width, height });
  await page.getByRole("combobox", { name: "Language" }).selectOption(language);
  await page.locator('[data-device="telegram"] textarea').fill("Hello");
  await page.locator('[data-device="telegram"] textarea').press("Enter");
  await page.getByText('You said "Hello"').waitFor();
  expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
  await picture(page, name);
});

test("the page is at the hub's own address too", async () => {
  const { page, complaints } = await openPage({ hosts: [new URL(stack.hub).host] });
  await page.goto(`${stack.hub}/simulator?language=en`);
  await write(device(page, "WhatsApp"), "Through the hub");
  await device(page, "WhatsApp").getByText('You said "Through the hub"').waitFor();
  await writeInFrame(frame(page, "Web page"), "Through a frame");
  await frame(page, "Web page").getByText('You said "Through a frame"').waitFor();
  expect(complaints).toEqual([]);
  // Only the simulator's own copy may be framed.
  const { headers } = await fetch(`${stack.hub}/kiosk`);
  expect(headers.get("x-frame-options")).toBe("DENY");
  expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
});

test("all of it works from the keyboard", async () => {
  const { page } = await open();
  await device(page, "Telegram").getByRole("textbox", { name: "Message" }).focus();
  await page.keyboard.type("By keys");
  await page.keyboard.press("Enter");
  await device(page, "Telegram").getByText('You said "By keys"').waitFor();
  await page.getByRole("tab", { name: "Hub" }).focus();
  await page.keyboard.press("ArrowRight");
  expect(await page.getByRole("tab", { name: "Wire" }).getAttribute("aria-selected")).toBe("true");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  expect(await page.getByRole("tab", { name: "Bad days" }).getAttribute("aria-selected")).toBe("true");
  await device(page, "Telegram").getByRole("button", { name: "Attach" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Attach" }).waitFor();
  await page.keyboard.press("Escape");
  expect(await page.evaluate("document.activeElement.getAttribute('aria-label')")).toBe("Attach");
});
