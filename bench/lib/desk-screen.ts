import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { launchChromium } from "../../dev/chromium.ts";
import { freePort } from "../../dev/services/ports.ts";
import { buildIfStale } from "../../web/build.ts";
import { startServer } from "./server.ts";

const PASSWORD = "bench-desk-password";
const PUBLIC_ID = "pk_bench_desk";
const ADMIN_KEY = "bench-admin-key";
const LONGEST_MS = 30_000;

export interface Screens {
  /** From the address to the first conversation on the screen, each in a browser without a cache. In ms. */
  readonly opened: readonly number[];
  /** From Enter in the web chat to the frame that shows the message at the desk. In ms. */
  readonly seen: readonly number[];
}

/** Notes, in the page, when the desk shows its first conversation and each message that begins with `probe`. */
const WATCH = `(() => {
  window.probes = {};
  const now = () => performance.timeOrigin + performance.now();
  new MutationObserver(() => {
    if (window.openedMs === undefined && document.querySelector(".desk-rows .k-row"))
      requestAnimationFrame(() => { window.openedMs ??= performance.now(); });
    for (const bubble of [...document.querySelectorAll(".k-log .k-bubble .k-text")].slice(-3)) {
      const text = bubble.textContent;
      if (text.startsWith("probe") && !(text in window.probes)) {
        window.probes[text] = 0;
        requestAnimationFrame(() => { window.probes[text] = now(); });
      }
    }
  }).observe(document, { childList: true, subtree: true, characterData: true });
})()`;
/** Notes, in the page, when Enter was pressed last. */
const WATCH_ENTER = `addEventListener("keydown", ({ key }) => {
  if (key === "Enter") window.enteredMs = performance.timeOrigin + performance.now();
}, true)`;

/** The value of an expression in the page, once it is a number above zero. The page's policy forbids a function made of text. */
async function until(page: Page, expression: string): Promise<number> {
  for (const end = Date.now() + LONGEST_MS; Date.now() < end; ) {
    const value = (await page.evaluate(expression)) as number | undefined;
    if (value) return value;
    await new Promise((go) => setTimeout(go, 40));
  }
  throw new Error(`${expression} stayed empty`);
}

/** Measures the desk and the web chat in Chromium, with the hub of `npm start` over this database. */
export async function measureScreens(
  databaseUrl: string,
  staff: { readonly email: string },
  rounds: { readonly opened: number; readonly seen: number; readonly pauseMs: () => number },
): Promise<Screens> {
  const pagesDir = await buildIfStale();
  const shop = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(
      `<!doctype html><title>Shop</title><script src="${url}/chat.js" data-key="${PUBLIC_ID}" async></script>`,
    );
  });
  await new Promise<void>((go) => shop.listen(0, "127.0.0.1", go));
  const shopUrl = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const hub = await startServer({
    name: "the hub",
    command: process.execPath,
    args: [join(import.meta.dirname, "../../src/node.ts")],
    port,
    env: {
      PORT: String(port),
      HOST: "127.0.0.1",
      DATABASE_URL: databaseUrl,
      ENVIRONMENT: "development",
      PAGES_DIR: pagesDir,
      DESK_PASSWORD: PASSWORD,
      ADMIN_API_KEY: ADMIN_KEY,
      WEB_API_KEY: "bench-web-key",
      WEB_PUBLIC_ID: PUBLIC_ID,
      WEB_PUBLIC_ORIGINS: shopUrl,
    },
  });
  const browser = await launchChromium();
  try {
    const answer = await fetch(`${url}/api/staff/sign-in`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...staff, password: PASSWORD }),
    });
    if (!answer.ok) throw new Error(`the desk's sign-in was answered ${answer.status}`);
    const { staff_token } = (await answer.json()) as { staff_token: string };
    const open = async (): Promise<Page> => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
      await context.addInitScript(`sessionStorage.setItem("hub.desk.token", "${staff_token}")`);
      await context.addInitScript(WATCH);
      const page = await context.newPage();
      page.setDefaultTimeout(LONGEST_MS);
      await page.goto(`${url}/desk`);
      await until(page, "window.openedMs");
      return page;
    };
    const opened: number[] = [];
    for (let i = 0; i < rounds.opened; i++) {
      const page = await open();
      opened.push((await page.evaluate("window.openedMs")) as number);
      await page.context().close();
    }

    const chat = await (await browser.newContext()).newPage();
    chat.setDefaultTimeout(LONGEST_MS);
    await chat.addInitScript(WATCH_ENTER);
    await chat.goto(shopUrl);
    await chat.locator("session-hub-chat button.launch").click();
    const field = chat.locator("session-hub-chat").getByRole("textbox", { name: "Write a message" });
    await field.fill("agent");
    await field.press("Enter");
    const desk = await open();
    await desk.locator(".desk-views .k-button").last().click();
    await desk.locator(".desk-rows .k-row", { hasText: "web" }).first().click();
    await desk.locator(".k-log .k-bubble", { hasText: "agent" }).first().waitFor();
    await desk.keyboard.press("t");
    const seen: number[] = [];
    for (let i = 0; i < rounds.seen; i++) {
      await new Promise((go) => setTimeout(go, rounds.pauseMs()));
      const text = `probe ${i}`;
      await field.fill(text);
      await field.press("Enter");
      const shownMs = await until(desk, `window.probes["${text}"]`);
      seen.push(shownMs - ((await chat.evaluate("window.enteredMs")) as number));
    }
    return { opened, seen };
  } finally {
    await browser.close();
    await hub.stop();
    shop.close();
  }
}
