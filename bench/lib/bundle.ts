import { execFile } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { promisify } from "node:util";

/** A bundled Worker, as `wrangler deploy` would upload it. */
export interface Bundle {
  readonly file: string;
  /** The configuration with which it was bundled. */
  readonly config: string;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
}

const root = resolve(import.meta.dirname, "../..");
const fromWrangler = createRequire(createRequire(import.meta.url).resolve("wrangler/package.json"));

/** The hub's own entry. */
export const HUB = join(root, "src/worker.ts");

/** The entry of a Worker for comparison. */
export const bareWorker = (name: string) => join(root, "bench/workers", `${name}.ts`);

/** Bundles a Worker, minified, with the compatibility settings of the project's `wrangler.toml`. */
export async function bundle(main: string, dir: string): Promise<Bundle> {
  const { unstable_readConfig } = await import("wrangler");
  const { compatibility_date, compatibility_flags } = unstable_readConfig({
    config: join(root, "wrangler.toml"),
  });
  await mkdir(dir, { recursive: true });
  const config = join(dir, "wrangler.json");
  const settings = {
    name: "bench",
    main: relative(dir, main),
    compatibility_date,
    compatibility_flags,
    minify: true,
  };
  await writeFile(config, JSON.stringify(settings));
  await wrangler("deploy", "--dry-run", "--config", config, "--outdir", join(dir, "out"));
  const modules = (await readdir(join(dir, "out"))).filter((name) => !/\.(map|md)$/.test(name));
  const [only] = modules;
  if (!only || modules.length > 1) throw new Error(`${basename(main)} is ${modules.length} modules, not one`);
  return {
    file: join(dir, "out", only),
    config,
    compatibilityDate: compatibility_date!,
    compatibilityFlags: compatibility_flags,
  };
}

/** Runs a wrangler command and waits for its end. */
export async function wrangler(...args: string[]): Promise<string> {
  const cli = join(dirname(fromWrangler.resolve("wrangler/package.json")), "bin/wrangler.js");
  const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args], {
    cwd: root,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1", CI: "1" },
  });
  return stdout;
}

/** The path of wrangler's own `workerd`. */
export function workerdBinary(): string {
  return (fromWrangler("workerd") as { default: string }).default;
}
