import { execFileSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;

/** Writes the library as one file. */
export async function bundle(outfile: string): Promise<void> {
  await build({
    entryPoints: [join(here, "src/index.ts")],
    outfile,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    sourcemap: true,
  });
}

if (import.meta.main) {
  const dist = join(here, "dist");
  await rm(dist, { recursive: true, force: true });
  await bundle(join(dist, "index.js"));
  const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const flags = ["--noEmit", "false", "--emitDeclarationOnly", "--declaration"];
  execFileSync(process.execPath, [compiler, "-p", here, ...flags], { stdio: "inherit" });
}
