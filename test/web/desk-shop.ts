import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import type { Bot } from "../../src/core/answer/bot.ts";
import { mediaLinks } from "../../src/features/media/links.ts";
import { localSignIn } from "../../src/features/staff/local-sign-in.ts";
import { pagesOf } from "../../src/node/pages.ts";
import { type RunningServer, serve } from "../../src/node/server.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { settings } from "../contracts/given.ts";
import { openPage } from "../support/browser.ts";
import { memoryFiles } from "../support/folder.ts";
import { begin, post, type TestHub, testHub } from "../support/http.ts";
import { keys } from "../support/people.ts";
import { builtPages, createDatabase } from "../support/stack.ts";

/** A hub with the desk, its people and its customers, for the tests of one file. */
export const desk: {
  hub: TestHub;
  url: string;
  /** While true the hub is not there for pages. */
  isDown: boolean;
} = { hub: undefined as never, url: "", isDown: false };

export const PASSWORD = "desk-password";
export const shots = join(import.meta.dirname, "../../.ci/screenshots");
let direct: PostgresCalls;
let server: RunningServer;

const echo: Bot = {
  history: 0,
  reply: async ({ message }) => [{ kind: "text", text: `Bot: ${message.text}` }],
};

beforeAll(async () => {
  const [{ url: database }, dir] = await Promise.all([createDatabase(), builtPages()]);
  direct = postgresCalls(database, { max: 8, timeoutMs: 30_000 });
  const store = sqlStore(direct.call, { ...settings, history: 0 });
  desk.hub = testHub(
    {
      store,
      bot: echo,
      desk: { words: true },
      media: { links: mediaLinks([], undefined), maxBytes: 10_000_000, storage: memoryFiles() },
      now: () => new Date(),
      sleep: (ms) => new Promise((go) => setTimeout(go, ms)),
    },
    { signIn: localSignIn(PASSWORD) },
  );
  server = await serve({
    host: "127.0.0.1",
    port: 0,
    pages: pagesOf(dir),
    fetch: async (request) =>
      desk.isDown ? new Response("", { status: 502 }) : desk.hub.app.request(request),
    isReady: async () => true,
  });
  desk.url = `http://127.0.0.1:${server.port}`;
  await mkdir(shots, { recursive: true });
});
afterAll(async () => {
  await server?.close(500);
  await direct?.close();
});

let people = 0;
export async function user(name: string, role = "agent"): Promise<string> {
  const email = `${name.toLowerCase()}${++people}@shop.example`;
  const { status } = await desk.hub.request("/api/users", post({ email, name, role }, keys.admin));
  expect(status).toBe(201);
  return email;
}

/** A page on which somebody is signed in. */
export async function signedIn(name: string, options: object = {}, query = "", role = "agent") {
  const email = await user(name, role);
  const opened = await openPage({ hosts: [new URL(desk.url).host], ...options });
  const { page } = opened;
  page.setDefaultTimeout(15_000);
  await page.goto(`${desk.url}/desk${query}`);
  await page.locator("input[type=email]").fill(email);
  await page.locator("input[type=password]").fill(PASSWORD);
  await page.locator("button[type=submit]").click();
  await page.locator(".desk-list").waitFor();
  return opened;
}

/** A visitor of the web chat. */
export async function visitor(name: string) {
  const phone = `+49151199${String(++people).padStart(5, "0")}`;
  const one = await begin(desk.hub, { channel: "web", phone }, keys.web);
  const { body } = await (async () => {
    const found = await desk.hub.request(`/api/customers?phone=${encodeURIComponent(phone)}`, {
      headers: keys.admin,
    });
    return { body: (await found.json()) as any };
  })();
  const key = body.customers[0].customer_key as string;
  await desk.hub.request(`/api/customers/${key}`, { ...post({ name }, keys.admin), method: "PATCH" });
  let n = 0;
  return {
    key,
    bearer: one.bearer,
    say: async (text: string) => {
      const answer = await desk.hub.request(
        "/webhooks/web",
        post({ external_id: `${phone}${++n}`, text }, one.bearer),
      );
      expect(answer.status).toBe(200);
    },
    texts: async () => {
      const answer = await desk.hub.request("/session/messages?limit=200", { headers: one.bearer });
      return ((await answer.json()) as any).messages.map(
        ({ role, text }: any) => `${role}: ${text}`,
      ) as string[];
    },
  };
}

export const row = (page: Page, name: string) => page.locator(".desk-rows .k-row", { hasText: name });
export const write = async (page: Page, text: string) => {
  await page.locator(".desk-writing textarea").fill(text);
  await page.locator(".desk-writing button[type=submit]").click();
};
export const seen = (page: Page, text: string) =>
  page.locator(".k-log .k-bubble", { hasText: text }).first().waitFor();
