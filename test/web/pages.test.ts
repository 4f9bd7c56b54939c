import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pagesOf } from "../../src/node/pages.ts";
import { type RunningServer, serve } from "../../src/node/server.ts";
import { type Built, tooLarge } from "../../web/budgets.ts";
import { buildIfStale, watchPages } from "../../web/build.ts";
import { type Shop, startShop } from "../client/shop.ts";
import { violations } from "../support/accessibility.ts";
import { openPage } from "../support/browser.ts";
import { builtPages } from "../support/stack.ts";

let shop: Shop;
let node: RunningServer;
const at: Record<string, string> = {};
beforeAll(async () => {
  const dir = await builtPages();
  shop = await startShop({}, dir);
  node = await serve({
    host: "127.0.0.1",
    port: 0,
    pages: pagesOf(dir),
    fetch: () => new Response("the hub", { status: 418 }),
    isReady: async () => true,
  });
  at.Worker = shop.url;
  at.Node = `http://127.0.0.1:${node.port}`;
});
afterAll(async () => {
  await node?.close(1_000);
  await shop?.stop();
});

describe.each(["Worker", "Node"])("the pages under %s", (host) => {
  test("have a policy that permits their own files and nothing else", async () => {
    const answer = await fetch(`${at[host]}/kit`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toMatch(/^text\/html/);
    const policy = answer.headers.get("content-security-policy")!;
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    for (const [name, value] of [
      ["x-content-type-options", "nosniff"],
      ["x-frame-options", "DENY"],
      ["referrer-policy", "no-referrer"],
      ["cross-origin-opener-policy", "same-origin"],
      ["cache-control", "public, max-age=0, must-revalidate"],
    ])
      expect([name, answer.headers.get(name!)]).toEqual([name, value]);
    expect(await answer.text()).not.toMatch(/<script(?![^>]* src=)|<style|style=|https?:/);
  });

  test("keep files with a hash in their name for a year, for every origin", async () => {
    const [script] = /\/assets\/[\w-]+\.js/.exec(await (await fetch(`${at[host]}/kit`)).text())!;
    const answer = await fetch(at[host] + script, { headers: { origin: "https://shop.example" } });
    expect(answer.headers.get("content-type")).toMatch(/^text\/javascript/);
    expect(answer.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
  });

  test("are sent once while they do not change", async () => {
    const etag = (await fetch(`${at[host]}/kit`)).headers.get("etag")!;
    const again = await fetch(`${at[host]}/kit`, { headers: { "if-none-match": etag } });
    expect(again.status).toBe(304);
  });

  test.for([
    ["GET", "/_headers"],
    ["GET", "/../package.json"],
    ["GET", "/%2e%2e/%2e%2e/package.json"],
    ["GET", "/nothing"],
    ["GET", "/assets/"],
    ["POST", "/session/start"],
  ] as const)("leave %s %s to the hub", async ([method, path]) => {
    const answer = await fetch(at[host] + path, { method });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    if (host === "Worker") expect(await answer.json()).toHaveProperty("error.request_id");
    else expect(await answer.text()).toBe("the hub");
  });
});

test("the build that is deployed has no page for development", async () => {
  const dist = await buildIfStale();
  for (const name of ["kit.html", "simulator.html"])
    await expect(readFile(join(dist, name))).rejects.toThrow("ENOENT");
});

test("a file beyond its budget is named, with all that it loads at once", () => {
  const noise = Uint8Array.from({ length: 15_000 }, () => Math.random() * 256);
  const files = new Map<string, Built>([
    ["assets/kit-abc.js", { code: noise, imports: ["assets/shared-abc.js"] }],
    ["assets/shared-abc.js", { code: noise, imports: ["assets/kit-abc.js"] }],
  ]);
  expect(tooLarge(files)).toEqual([
    expect.stringMatching(/^the kit's page weighs 30\d\d\d bytes with gzip, 10\d\d\d more/),
  ]);
  files.set("assets/shared-abc.js", { code: "", imports: [] });
  expect(tooLarge(files)).toEqual([]);
});

describe.each(["light", "dark"])("the kit in the %s theme", (theme) => {
  test.for(["en", "ar"])("has no violation in %s, and asks no other host", async (language) => {
    const { host } = new URL(shop.url);
    const { page, complaints, foreign } = await openPage({ hosts: [host] });
    await page.goto(`${shop.url}/kit?theme=${theme}&language=${language}`);
    await page.getByRole("heading", { name: "Kit" }).waitFor();
    expect(await page.locator("html").getAttribute("dir")).toBe(language === "ar" ? "rtl" : "ltr");
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("dialog", { name: "Delete it?" }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Delete");
    expect([...complaints, ...foreign]).toEqual([]);
  });
});

test("each run of npm run dev has its pages in a folder of its own, and builds none that are fresh", async () => {
  const shared = await builtPages();
  const dirs = await Promise.all([1, 2].map(() => mkdtemp(join(tmpdir(), "pages-"))));
  const before = await readFile(join(shared, "_headers"), "utf8");
  const since = (await stat(join(shared, "_headers"))).mtimeMs;
  const runs = await Promise.all(dirs.map((dir) => watchPages(dir, () => {})));
  expect(runs.map(({ dir }) => dir)).toEqual(dirs);
  for (const { dir, stop } of runs) {
    expect(await readFile(join(dir, "_headers"), "utf8")).toBe(before);
    expect(await readdir(join(dir, "assets"))).toEqual(await readdir(join(shared, "assets")));
    await stop();
    await rm(dir, { recursive: true });
  }
  expect((await stat(join(shared, "_headers"))).mtimeMs).toBe(since);
});
