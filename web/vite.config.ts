import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { defineConfig, type Plugin, type Rolldown } from "vite";
import { type Built, tooLarge } from "./budgets.ts";
import { headersFile } from "./headers.ts";

const here = import.meta.dirname;
/** Pages for development. They are not in `dist/`, so that a deployed hub has no trace of them. */
const DEVELOPMENT = ["kit", "simulator"];

/** All pages: each `web/<name>.html` becomes `/<name>`. `--mode development` adds those for development, in `dist-dev/`. */
export default defineConfig(({ mode }) => {
  const isDevelopment = mode === "development";
  return {
    root: here,
    base: "/",
    publicDir: join(here, "public"),
    resolve: { alias: { "@session-hub/client": join(here, "../clients/js/src/index.ts") } },
    build: {
      outDir: join(here, isDevelopment ? "dist-dev" : "dist"),
      emptyOutDir: true,
      target: "es2022",
      // A small file would become a data: address, which the policy of a shop's page may refuse.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      rolldownOptions: { input: entries(isDevelopment) },
    },
    plugins: [headers(), budgets()],
  };
});

function entries(isDevelopment: boolean): string[] {
  return readdirSync(here)
    .filter((name) => name.endsWith(".html"))
    .filter((name) => isDevelopment || !DEVELOPMENT.includes(basename(name, ".html")))
    .map((name) => join(here, name));
}

function headers(): Plugin {
  return {
    name: "headers",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "_headers", source: headersFile() });
    },
  };
}

function budgets(): Plugin {
  return {
    name: "budgets",
    generateBundle(_options, bundle) {
      const files = new Map(Object.entries(bundle).map(([path, file]) => [path, builtOf(file)]));
      for (const line of tooLarge(files)) this.error(line);
    },
  };
}

function builtOf(file: Rolldown.OutputAsset | Rolldown.OutputChunk): Built {
  if (file.type === "asset") return { code: file.source, imports: [] };
  const css = (file as { viteMetadata?: { importedCss: Set<string> } }).viteMetadata?.importedCss ?? [];
  return { code: file.code, imports: [...file.imports, ...css] };
}
