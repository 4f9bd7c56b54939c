import { execFile } from "node:child_process";
import { access, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright-core";
import { afterAll, onTestFinished } from "vitest";

const require = createRequire(import.meta.url);
const modules = join(import.meta.dirname, "../../node_modules");
/** Fonts beside Chromium's own, for the scripts of the hub's languages. */
const FONTS = [
  "@expo-google-fonts/noto-sans-arabic/400Regular",
  "@expo-google-fonts/noto-sans-devanagari/400Regular",
];

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
  running ??= launch();
  return running;
}

async function launch(): Promise<Browser> {
  const dir = await unpacked();
  return chromium.launch({
    executablePath: join(dir, "chromium"),
    // Without --single-process and the other flags of the package: tests want the security of a real browser.
    args: [
      "--no-sandbox",
      "--no-zygote",
      "--disable-dev-shm-usage",
      "--font-render-hinting=none",
      // A microphone that beeps, for voice messages.
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
    ],
    env: {
      ...process.env,
      // Libraries and fonts of the package, so that a page looks the same on each machine, also on a bare one.
      LD_LIBRARY_PATH: join(dir, "al2023/lib"),
      FONTCONFIG_PATH: join(dir, "fonts"),
      FONTCONFIG_FILE: join(dir, "fonts.conf"),
      HOME: dir,
    },
  });
}

/** The folder with the unpacked browser. It lies beside the packages, because other programs share the temporary folder. */
async function unpacked(): Promise<string> {
  const manifest = require
    .resolve("@sparticuz/chromium")
    .replace(/(@sparticuz\/chromium)\/.*/, "$1/package.json");
  const { version } = require(manifest) as { version: string };
  const dir = join(modules, `.cache/chromium-${version}`);
  if (await exists(join(dir, "fonts.conf"))) return dir;
  const own = `${dir}-${process.pid}`;
  await mkdir(own, { recursive: true });
  const entry = pathToFileURL(require.resolve("@sparticuz/chromium")).href;
  // In a process of its own: the package reads the environment when it is loaded, and changes it.
  await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "-e", `await (await import(${JSON.stringify(entry)})).default.executablePath()`],
    { env: { ...process.env, TMPDIR: own, AWS_EXECUTION_ENV: "AWS_Lambda_nodejs22.x" } },
  );
  await writeFile(join(own, "fonts.conf"), fontsConfig(dir));
  await rename(own, dir).catch(async () => {
    // Another test file was faster, or an earlier run was stopped half-way.
    if (!(await exists(join(dir, "fonts.conf")))) throw new Error(`${dir} is not whole: delete it`);
    await rm(own, { recursive: true });
  });
  return dir;
}

function fontsConfig(dir: string): string {
  const dirs = [join(dir, "fonts/fonts"), ...FONTS.map((font) => join(modules, font))];
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
${dirs.map((one) => `<dir>${one}</dir>`).join("\n")}
<cachedir>${join(dir, "fonts/cache")}</cachedir>
</fontconfig>
`;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
