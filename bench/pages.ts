/** Measures how soon the pages can be used on a phone: a slow processor and a slow line, with nothing in the cache. */
import { loadavg } from "node:os";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../dev/chromium.ts";
import { freePort } from "../dev/services/ports.ts";
import { pagesOf } from "../src/node/pages.ts";
import { serve } from "../src/node/server.ts";
import { buildIfStale } from "../web/build.ts";
import { type Bench, ms, scaled } from "./lib/result.ts";
import { median, quantile } from "./lib/stats.ts";

const ROUNDS = 15;
const AIM_MS = 1_000;
/** A phone of the middle class on slow 4G, as Lighthouse simulates it. */
const CPU_SLOWER = 4;
const LINE = { latency: 150, downloadThroughput: (1_638.4 * 1_024) / 8, uploadThroughput: (675 * 1_024) / 8 };
const CONFIG = {
  country: "DE",
  languages: ["en"],
  messengers: ["telegram"],
  uploads: { max_bytes: 16_777_216 },
  kiosk: { needs_key: false, phones: "verify" },
};

interface Way {
  readonly name: string;
  readonly path: string;
  /** An expression that is true once the page can be used. */
  readonly isThere: string;
  /** A press that is measured after that, until this is true. */
  readonly next?: { readonly name: string; readonly press: string; readonly isThere: string };
}

const ROOT = `document.querySelector("session-hub-chat")?.shadowRoot`;
const WAYS: readonly Way[] = [
  {
    name: "a shop's page, until the chat's button",
    path: "/shop",
    isThere: `!!${ROOT}?.querySelector(".launch")`,
    next: {
      name: "the chat's window, from the press",
      press: `${ROOT}.querySelector(".launch").click()`,
      isThere: `!!${ROOT}.querySelector(".window textarea")`,
    },
  },
  { name: "/kiosk, until the login screen", path: "/kiosk", isThere: `!!document.querySelector(".pad")` },
  { name: "/desk, until the sign-in", path: "/desk", isThere: `!!document.querySelector("input")` },
];

export const pages: Bench = {
  name: "pages",
  async run(context) {
    const built = pagesOf(await buildIfStale())!;
    const port = await freePort();
    // The pages as they are deployed; of the hub itself only the answer that they wait for.
    const server = await serve({
      host: "127.0.0.1",
      port,
      pages: async (request) => (new URL(request.url).pathname === "/shop" ? shopPage() : built(request)),
      fetch: (request) =>
        new URL(request.url).pathname === "/api/config"
          ? Response.json(CONFIG)
          : Response.json({ error: { code: "unauthorized", message: "", request_id: "" } }, { status: 401 }),
      isReady: async () => true,
    });
    const browser = await launchChromium();
    try {
      const rounds = scaled(context, ROUNDS, 3);
      const times = new Map<string, number[]>();
      for (let round = 0; round < rounds; round++) {
        context.progress(`round ${round + 1} of ${rounds}`);
        for (const way of WAYS)
          for (const [name, time] of await measured(browser, `http://127.0.0.1:${port}`, way))
            times.set(name, [...(times.get(name) ?? []), time]);
      }
      const rows = [...times].map(([name, all]) => ({ name, p50: median(all), p95: quantile(all, 0.95) }));
      return {
        tables: [
          {
            title: `Time until a page can be used (${rounds} rounds, empty cache)`,
            columns: ["page", "p50", "p95"],
            rows: rows.map(({ name, p50, p95 }) => [name, ms(p50), ms(p95)]),
          },
        ],
        aims: rows.map(({ name, p50 }) => ({
          aim: `${name}: at most ${AIM_MS} ms at the median`,
          found: ms(p50),
          met: p50 <= AIM_MS,
        })),
        notes: [
          `processor ${CPU_SLOWER} times slower, ${LINE.latency} ms and 1.6 Mbit/s down; the line of this machine, no TLS`,
          `load ${loadavg()[0]!.toFixed(2)} at the end`,
        ],
        figures: { rounds, times: Object.fromEntries(times) },
      };
    } finally {
      await browser.close();
      await server.close(1_000);
    }
  },
};

function shopPage(): Response {
  const html = `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Shop</title><h1>Shop</h1><script src="/chat.js" async></script>`;
  return new Response(html, { headers: { "content-type": "text/html" } });
}

/** The times of one visit in ms, each by its name. */
async function measured(browser: Browser, url: string, way: Way): Promise<[string, number][]> {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: "en-GB" });
  try {
    const page = await context.newPage();
    const phone = await context.newCDPSession(page);
    await phone.send("Network.enable");
    await phone.send("Network.emulateNetworkConditions", { offline: false, ...LINE });
    await phone.send("Emulation.setCPUThrottlingRate", { rate: CPU_SLOWER });
    await page.addInitScript(watch(way.isThere));
    await page.goto(url + way.path, { waitUntil: "commit" });
    const found: [string, number][] = [[way.name, await seenAt(page)]];
    if (way.next) {
      const { name, press, isThere } = way.next;
      await page.evaluate(`window.pressed = performance.now(); ${press}; ${watch(isThere)}`);
      found.push([name, (await seenAt(page)) - ((await page.evaluate("window.pressed")) as number)]);
    }
    return found;
  } finally {
    await context.close();
  }
}

/** Notes in the page when an expression has become true and was drawn, in ms since the page was asked for. */
function watch(isThere: string): string {
  return `window.seen = undefined;
    (function look() {
      if (!(${isThere})) return requestAnimationFrame(look);
      requestAnimationFrame(() => setTimeout(() => (window.seen = performance.now())));
    })();`;
}

function seenAt(page: Page): Promise<number> {
  return page.evaluate(
    "new Promise((done) => (function look() { if (window.seen) done(window.seen); else setTimeout(look, 10); })())",
  );
}
