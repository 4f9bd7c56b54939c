import { createServer } from "node:http";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import { type Shop, startShop } from "../client/shop.ts";
import { type OpenedPage, openPage, type PageOptions } from "../support/browser.ts";
import { builtPages } from "../support/stack.ts";

export const PUBLIC_ID = "shop-2026";
export const IDENTITY_SECRET = "a secret of the own server of this shop";

/** A shop whose pages, on a host of their own and under a strict policy, have the chat of a hub. */
export interface ChatShop extends Shop {
  /** The address of the shop's page. `?data-x=y` sets attributes of the script. */
  readonly page: string;
  readonly hosts: readonly string[];
  /** Opens the shop's page in a browser of its own. */
  visit(attributes?: Readonly<Record<string, string>>, options?: Partial<PageOptions>): Promise<OpenedPage>;
}

export async function startChatShop(vars: Record<string, string> = {}, at?: number): Promise<ChatShop> {
  const pagePort = await freePort();
  const origin = `http://127.0.0.1:${pagePort}`;
  const hub = await startShop(
    {
      WEB_PUBLIC_ID: PUBLIC_ID,
      WEB_PUBLIC_ORIGINS: origin,
      WEB_IDENTITY_SECRET: IDENTITY_SECRET,
      ...vars,
    },
    await builtPages(),
    at,
  );
  const server = await serveShop(pagePort, hub.url);
  const hosts = [new URL(hub.url).host, new URL(origin).host];
  const address = (attributes: Readonly<Record<string, string>>) =>
    `${origin}/?${new URLSearchParams(attributes)}`;
  return {
    ...hub,
    page: `${origin}/`,
    hosts,
    async visit(attributes = {}, options = {}) {
      const opened = await openPage({ hosts, ...options });
      await opened.page.goto(address(attributes));
      return opened;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await hub.stop();
    },
  };
}

/** What docs/web-chat.md tells a shop with a strict policy to permit. */
export function policyFor(hub: string): string {
  return `default-src 'none'; script-src ${hub}; connect-src ${hub} ${hub.replace("http", "ws")}; img-src ${hub} data: blob:; media-src ${hub} blob:; base-uri 'none'; require-trusted-types-for 'script'`;
}

function serveShop(port: number, hub: string) {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, "http://shop");
    if (pathname === "/favicon.ico") return void response.writeHead(204).end();
    const attributes = Object.fromEntries([...searchParams].filter(([name]) => name.startsWith("data-")));
    const lang = searchParams.get("lang") ?? "en";
    const data = Object.entries({ "data-key": PUBLIC_ID, ...attributes })
      .map(([name, value]) => `${name}="${value}"`)
      .join(" ");
    response.writeHead(200, {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policyFor(hub),
    });
    response.end(
      `<!doctype html><html lang="${lang}"><head><title>Shop</title><meta name="viewport" content="width=device-width"></head>` +
        `<body><main><h1>Shop ${pathname}</h1><a href="/second?${searchParams}">Second page</a> <input aria-label="Search"></main>` +
        `<script src="${hub}/chat.js" ${data} async></script></body></html>`,
    );
  });
  return new Promise<typeof server>((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
}

/** The parts of the chat in a page, by what a visitor sees or hears. */
export function chatOf(page: Page) {
  const host = page.locator("session-hub-chat");
  const window = host.getByRole("dialog");
  return {
    host,
    window,
    button: host.locator("button.launch"),
    log: window.getByRole("log"),
    field: window.getByRole("textbox", { name: "Write a message" }),
    status: window.locator("p.line"),
    /** The texts of the messages, in order. */
    texts: async () =>
      (await window.locator(".k-log .k-bubble .k-text").allInnerTexts()).map((text) => text.trim()),
    async open() {
      await host.locator("button.launch").click();
      await window.waitFor();
    },
    async say(text: string) {
      await window.getByRole("textbox", { name: "Write a message" }).fill(text);
      await window.getByRole("textbox", { name: "Write a message" }).press("Enter");
    },
  };
}

/** Waits until a reading is as expected. Longer than a second: the machine may be busy with other tests. */
export function soon<T>(read: () => T) {
  return expect.poll(read, { timeout: 20_000, interval: 100 });
}
