import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundle } from "../../clients/js/build.ts";
import { type Shop, startShop } from "./shop.ts";

const root = resolve(import.meta.dirname, "../..");
const page = await readFile(join(root, "docs/client.md"), "utf8");
const examples = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, code], i) => ({
  name: `example ${i + 1}: ${code!.split("\n").find((line) => /await|hub\./.test(line)) ?? ""}`,
  code: code!,
  prints: [...code!.matchAll(/^\/\/ → (.*)$/gm)].map(([, line]) => line!),
}));

const WEB_IDENTITY_SECRET = "a secret of the shop's own server";

let shop: Shop;
let folder: string;

/** An empty project with the package and its bundle. The hub of the examples is `hub.example`, their page `shop.example`. */
beforeAll(async () => {
  shop = await startShop({
    WEB_PUBLIC_ID: "shop-2026",
    WEB_PUBLIC_ORIGINS: "https://shop.example",
    WEB_IDENTITY_SECRET,
    MEDIA_LINK_SECRET: "a secret for links that is long enough",
    TELEGRAM_BOT_TOKEN: "1000001:token",
    TELEGRAM_BOT_USERNAME: "shop_bot",
    TELEGRAM_WEBHOOK_SECRET: "telegram-secret",
    TELEGRAM_API_ROOT: "http://127.0.0.1:9",
  });
  folder = await mkdtemp(join(tmpdir(), "hub-examples-"));
  const installed = join(folder, "node_modules/@session-hub/client");
  await mkdir(join(installed, "dist"), { recursive: true });
  await writeFile(join(installed, "package.json"), await readFile(join(root, "clients/js/package.json")));
  await bundle(join(installed, "dist/index.js"));
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  await writeFile(
    join(folder, "network.js"),
    `const { fetch, WebSocket } = globalThis;
    const here = (url) => String(url).replace(/^(http|ws)s:\\/\\/hub\\.example/, "$1://${new URL(shop.url).host}");
    const origin = "https://shop.example";
    globalThis.fetch = (url, init) => fetch(here(url), { ...init, headers: { ...init?.headers, origin } });
    globalThis.WebSocket = class extends WebSocket { constructor(url, protocols) { super(here(url), protocols); } };`,
  );
}, 120_000);

afterAll(async () => {
  await shop?.stop();
  await rm(folder, { recursive: true, force: true });
});

test("the page gives examples of ten lines or so", () => {
  expect(examples.length).toBeGreaterThan(8);
  for (const { code, prints } of examples) {
    expect(prints.length).toBeGreaterThan(0);
    expect(code.trim().split("\n").length - prints.length).toBeLessThanOrEqual(16);
  }
});

test.for(examples)("$name", { timeout: 20_000 }, async ({ code, prints }) => {
  const file = join(folder, "example.js");
  await writeFile(file, code);
  expect(await printed(file, prints.length)).toEqual(prints);
});

/** The lines that a program prints, until there are so many or it ends. */
function printed(file: string, lines: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const env = {
      PATH: process.env.PATH,
      WEB_API_KEY: "web-key",
      KIOSK_API_KEY: "kiosk-key",
      WEB_IDENTITY_SECRET,
    };
    const child = spawn(process.execPath, ["--import", "./network.js", file], { cwd: folder, env });
    let [out, err] = ["", ""];
    const late = setTimeout(() => child.kill(), 15_000);
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      if (out.split("\n").length > lines) child.kill();
    });
    child.once("close", () => {
      clearTimeout(late);
      if (out === "" && err) reject(new Error(err));
      else resolve(out.trimEnd().split("\n"));
    });
  });
}
