import { execFile } from "node:child_process";
import { access, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { type Browser, chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const modules = join(import.meta.dirname, "../node_modules");
/** Fonts beside Chromium's own, for the scripts of the hub's languages. */
const FONTS = [
  "@expo-google-fonts/noto-sans-arabic/400Regular",
  "@expo-google-fonts/noto-sans-devanagari/400Regular",
];

/** Starts the Chromium that ships inside an npm package, with its own libraries and fonts. The caller closes it. */
export async function launchChromium(): Promise<Browser> {
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
