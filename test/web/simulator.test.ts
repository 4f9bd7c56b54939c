import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { violations } from "../support/accessibility.ts";
import { type OpenedPage, openPage } from "../support/browser.ts";
import { type SimulatedStack, startSimulatedStack } from "../support/simulator.ts";

/** Where pictures are kept, to be looked at. */
const PICTURES = join(import.meta.dirname, "../../.pictures");

let stack: SimulatedStack;
beforeAll(async () => {
  stack = await startSimulatedStack();
  await mkdir(PICTURES, { recursive: true });
}, 240_000);
afterAll(() => stack?.stop(), 60_000);

async function open(query = "", size = { width: 1680, height: 960 }): Promise<OpenedPage> {
  const opened = await openPage({ hosts: [new URL(stack.hub).host], viewport: size });
  await opened.page.goto(`${stack.hub}/simulator?language=en${query}`);
  await device(opened.page, "Telegram").waitFor();
  return opened;
}

function device(page: Page, name: string): Locator {
  return page.getByRole("article", { name, exact: true });
}

async function write(on: Locator, text: string): Promise<void> {
  await on.getByRole("textbox", { name: "Message" }).fill(text);
  await on.getByRole("textbox", { name: "Message" }).press("Enter");
}

/** A picture with this name. */
async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(PICTURES, `simulator-${name}.png`), animations: "disabled" });
}

test("one click plays the story over the four devices, and the hub is seen from inside", async () => {
  const { page, complaints, foreign } = await open("&theme=light");
  await page.getByRole("button", { name: "Play the story" }).click();
  await page.getByText(/^Step 9 of 12/).waitFor({ timeout: 60_000 });
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
  expect([...complaints, ...foreign]).toEqual([]);
}, 120_000);
