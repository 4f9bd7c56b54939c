import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { violations } from "../support/accessibility.ts";
import { openPage } from "../support/browser.ts";
import { post } from "../support/http.ts";
import { type ChatShop, chatOf, soon, startChatShop } from "./shop-page.ts";

/** `PICTURES=1 npm test -- test/web/pictures.test.ts` keeps the pictures; otherwise they are only drawn and measured. */
const KEPT = process.env.PICTURES ? join(import.meta.dirname, "../../docs/pictures") : undefined;
const WIDTHS = { phone: [390, 844], tablet: [820, 1180], desktop: [1280, 800] } as const;
const SAID = {
  en: ["What do you have today?", "/book 4 2026-12-24T19:00+01:00"],
  hi: ["आज आपके पास क्या है?", "/book 4 2026-12-24T19:00+01:00"],
  ar: ["ماذا لديكم اليوم؟", "/book 4 2026-12-24T19:00+01:00"],
} as const;

let shop: ChatShop;
beforeAll(async () => {
  shop = await startChatShop();
});
afterAll(() => shop?.stop());

describe.each(Object.entries(WIDTHS))("the chat on a %s", (device, [width, height]) => {
  test.for(Object.entries(SAID))("in %s fits, and has no violation", async ([language, texts]) => {
    const theme = device === "tablet" ? "dark" : "light";
    const { page, foreign } = await shop.visit(
      { lang: language, "data-theme": theme },
      { viewport: { width, height } },
    );
    const chat = chatOf(page);
    await chat.open();
    for (const [i, text] of texts.entries()) {
      const field = chat.window.locator("textarea");
      await field.fill(text);
      await field.press("Enter");
      await soon(async () => (await chat.texts()).length).toBeGreaterThanOrEqual(2 * (i + 1));
    }
    expect((await chat.texts()).join()).not.toMatch(/_created/);
    // Nothing lies over what is touched, such as the button over the field.
    const covered = `(() => {
      const root = document.querySelector("session-hub-chat").shadowRoot;
      return [...root.querySelectorAll(".window button, .window textarea")].filter((one) => {
        const { left, top, width, height } = one.getBoundingClientRect();
        const found = root.elementFromPoint(left + width / 2, top + height / 2);
        return found !== one && !one.contains(found);
      }).map((one) => one.getAttribute("aria-label") ?? one.tagName);
    })()`;
    expect(await page.evaluate(covered)).toEqual([]);
    const wide = `(() => {
      const root = document.querySelector("session-hub-chat").shadowRoot;
      const parts = [...root.querySelectorAll(".window *")].filter((one) => !one.closest(".k-aside"));
      return parts.filter((one) => one.getBoundingClientRect().right > innerWidth + 1 || one.getBoundingClientRect().left < -1).length;
    })()`;
    expect(await page.evaluate(wide)).toBe(0);
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    expect(await violations(page)).toEqual([]);
    expect(foreign).toEqual([]);
    if (KEPT) await page.screenshot({ path: join(KEPT, `chat-${device}-${language}.png`) });
  });
});

const CART = [
  { name: "Green tea", qty: 2, price: 4, currency: "EUR" },
  { name: "Two tickets for Friday", price: 24, currency: "EUR" },
];

describe.each(Object.entries(WIDTHS))("the kiosk on a %s", (device, [width, height]) => {
  test.for(Object.entries(SAID))("in %s fits, from the pad to the cart", async ([locale, [text]]) => {
    const { page, foreign } = await openPage({
      hosts: shop.hosts,
      viewport: { width, height },
      locale,
      colorScheme: device === "desktop" ? "dark" : "light",
    });
    const keep = async (name: string) => {
      expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
      if (KEPT) await page.screenshot({ path: join(KEPT, `kiosk-${name}-${device}-${locale}.png`) });
    };
    let authorization = "";
    page.on("request", (request) => {
      authorization = request.headers().authorization ?? authorization;
    });
    await page.goto(`${shop.url}/kiosk#key=kiosk-key&country=DE`);
    const phone = `1511400${String(width).padStart(4, "0")}${locale.charCodeAt(0) % 10}`;
    await page.locator(".pad").waitFor();
    for (const digit of phone) await page.locator(".pad-key", { hasText: digit }).click();
    await keep("phone");
    await page.locator("form.card > button[type=submit]").click();
    await page.locator(".cart").waitFor();
    await page.locator(".talk textarea").fill(text);
    await page.locator(".talk textarea").press("Enter");
    await soon(() => page.locator(".k-log .k-bubble .k-text").count()).toBe(2);
    const updated = await fetch(
      `${shop.url}/session/update`,
      post({ data: { cart: CART } }, { authorization }),
    );
    expect(updated.status).toBe(200);
    await soon(() => page.locator(".cart li").count()).toBe(2);
    await keep("cart");
    expect(foreign).toEqual([]);
  });
});
