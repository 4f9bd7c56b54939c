import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPage } from "../support/browser.ts";
import { type SimulatedStack, startSimulatedStack } from "../support/simulator.ts";

const folder = process.env.PICTURES_DIR ?? join(import.meta.dirname, "../../.pictures");
/**
 * A word of each kind of reply in the echo bot's `/demo`, or its place among the bubbles that have it: files of one host follow one another.
 */
const KINDS: Readonly<Record<string, string | RegExp | { word?: string; has?: string; place: number }>> = {
  text: "Bold",
  image: "A picture",
  video: "A video",
  document: "A document",
  location: "Alexanderplatz",
  contact: "+4930123456",
  buttons: "Coffee or tea?",
  list: "What would you like?",
  carousel: "Cheese cake",
  product: "Our coffee",
  order: "Your order",
  audio: { word: "w3schools", place: 1 },
  voice: { word: "w3schools", place: 2 },
  sticker: { has: ".s-picture", place: 1 },
  template: /Ana, your order|order_ready/,
};

let stack: SimulatedStack;
beforeAll(async () => {
  // Telegram's pace would take half a minute for the demo.
  stack = await startSimulatedStack({ EMULATOR_LIMITS: "false" });
  await mkdir(folder, { recursive: true });
}, 240_000);
afterAll(() => stack?.stop(), 60_000);

test("each kind of reply is shown by both messengers, and has its picture", async () => {
  const ana = await stack.person();
  const { page, foreign } = await openPage({
    hosts: [stack.url, stack.hub].map((url) => new URL(url).host),
    viewport: { width: 1680, height: 4_000 },
  });
  await page.goto(`${stack.url}/simulator?language=en&theme=light&person=${ana.person.id}`);
  for (const device of ["telegram", "whatsapp"] as const) {
    await ana.act({ do: "write", device, text: "/demo" });
    const on = page.locator(`[data-device="${device}"].s-device`);
    for (const [kind, word] of Object.entries(KINDS)) {
      const found = typeof word === "string" || word instanceof RegExp ? { word, place: 0 } : word;
      const bubble = on
        .locator(".s-bubble")
        .filter({
          ...("word" in found && found.word !== undefined && { hasText: found.word }),
          ...("has" in found && found.has !== undefined && { has: page.locator(found.has) }),
        })
        .nth(found.place);
      await bubble.waitFor({ timeout: 60_000 });
      await bubble.screenshot({ path: join(folder, `reply-${kind}-${device}.png`), animations: "disabled" });
    }
  }
  expect(foreign).toEqual([]); // the pictures of other hosts are not fetched
}, 180_000);

test("the simulator has its picture", async () => {
  const { page } = await openPage({
    hosts: [stack.url, stack.hub].map((url) => new URL(url).host),
    viewport: { width: 1600, height: 900 },
  });
  await page.goto(`${stack.url}/simulator?language=en&theme=light&pace=700`);
  await page.getByRole("button", { name: "Play the story" }).click();
  // Before eight days pass: the chat has the whole conversation.
  await page.getByText(/^Step 8/).waitFor({ timeout: 60_000 });
  await page.frameLocator('iframe[title="Web page"]').getByText("Hello, it's me").first().waitFor();
  await page.frameLocator('iframe[title="Kiosk"]').getByRole("textbox").first().waitFor();
  await page.screenshot({ path: join(folder, "simulator.png"), animations: "disabled" });
}, 120_000);
