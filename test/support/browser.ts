import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, onTestFinished } from "vitest";
import { launchChromium } from "../../dev/chromium.ts";

let running: Promise<Browser> | undefined;
afterAll(async () => {
  await (await running)?.close();
  running = undefined;
});

export interface OpenedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the page wrote to the console as an error or a warning, and what it threw. */
  readonly complaints: readonly string[];
  /** The addresses that the page asked for at hosts that it may not use. */
  readonly foreign: readonly string[];
}

export interface PageOptions extends BrowserContextOptions {
  /** The only hosts, with port, that the page may ask. Requests to others are aborted. */
  readonly hosts: readonly string[];
}

/** A page in a browser context of its own, which closes with the test. All tests of a file share one browser. */
export async function openPage(options: PageOptions): Promise<OpenedPage> {
  const { hosts, ...rest } = options;
  const context = await (await browser()).newContext({ locale: "en-GB", ...rest });
  onTestFinished(() => context.close());
  const foreign: string[] = [];
  await context.route(
    (url) => /^(https?|wss?):$/.test(url.protocol) && !hosts.includes(url.host),
    (route) => {
      foreign.push(route.request().url());
      return route.abort();
    },
  );
  context.on("page", (page) =>
    page.on("websocket", (socket) => {
      if (!hosts.includes(new URL(socket.url()).host)) foreign.push(socket.url());
    }),
  );
  const page = await context.newPage();
  const complaints: string[] = [];
  listen(page, complaints);
  return { page, context, complaints, foreign };
}

/** Adds what the page complains of to the list. */
export function listen(page: Page, complaints: string[]): void {
  page.on("console", (line) => {
    if (["error", "warning"].includes(line.type())) complaints.push(line.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
}

/** The browser of this test file, a Chromium from an npm package. It closes after the file's last test. */
export function browser(): Promise<Browser> {
  running ??= launchChromium();
  return running;
}
