import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { build as bundle } from "esbuild";
import { defineConfig, type Plugin, type Rolldown } from "vite";
import { type Built, tooLarge } from "./budgets.ts";
import { headersFile } from "./headers.ts";

const here = import.meta.dirname;
/** Pages for development. They are not in `dist/`, so that a deployed hub has no trace of them. */
const DEVELOPMENT = ["chat-example", "kit", "simulator", "simulator-shop"];
const CHAT_WINDOW = join(here, "chat/window.tsx");
const KIOSK_WORKER = join(here, "kiosk/worker.ts");
const CHAT_LOADER = join(here, "chat/loader.ts");
const SIMULATOR_FRAME = join(here, "simulator/frame.ts");

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
      rolldownOptions: {
        input: [...entries(isDevelopment), CHAT_WINDOW],
        // The chat's loader calls what the window exports.
        preserveEntrySignatures: "exports-only",
      },
    },
    plugins: [
      headers(isDevelopment),
      chatLoader(),
      kioskWorker(),
      ...(isDevelopment ? [simulatorFrame()] : []),
      budgets(),
    ],
  };
});

function entries(isDevelopment: boolean): string[] {
  return readdirSync(here)
    .filter((name) => name.endsWith(".html"))
    .filter((name) => isDevelopment || !DEVELOPMENT.includes(basename(name, ".html")))
    .map((name) => join(here, name));
}

function headers(isDevelopment: boolean): Plugin {
  return {
    name: "headers",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "_headers", source: headersFile({ isDevelopment }) });
    },
  };
}

/** Adds `/chat.js`, which knows the name of the window's file, and `/chat-window.js`, the window under a name that stays. */
function chatLoader(): Plugin {
  return {
    name: "chat-loader",
    buildStart() {
      for (const name of ["loader.ts", "options.ts"]) this.addWatchFile(join(here, "chat", name));
    },
    async generateBundle(_options, files) {
      const [file] = Object.values(files).filter(
        (one) => one.type === "chunk" && one.isEntry && one.facadeModuleId === CHAT_WINDOW,
      );
      const made = await bundle({
        entryPoints: [CHAT_LOADER],
        define: { CHAT_WINDOW: JSON.stringify(`/${file!.fileName}`) },
        bundle: true,
        minify: true,
        write: false,
        format: "iife",
        target: "es2022",
      });
      this.emitFile({ type: "asset", fileName: "chat.js", source: made.outputFiles[0]!.text });
      const same = `export*from"./${file!.fileName}";\n`;
      this.emitFile({ type: "asset", fileName: "chat-window.js", source: same });
    },
  };
}

/** Adds `/kiosk-worker.js`, which knows the files of the kiosk. They are part of its version. */
function kioskWorker(): Plugin {
  return {
    name: "kiosk-worker",
    buildStart() {
      this.addWatchFile(KIOSK_WORKER);
    },
    // After the page, which a later hook of Vite adds to the build.
    async writeBundle({ dir }, files) {
      const found = new Set(["kiosk.html"]);
      const add = (name: string) => {
        const file = files[name];
        if (found.has(name) || !file) return;
        found.add(name);
        if (file.type === "chunk")
          for (const one of [...builtOf(file).imports, ...file.dynamicImports]) add(one);
      };
      for (const file of Object.values(files))
        if (file.type === "chunk" && file.isEntry && /kiosk/.test(file.facadeModuleId ?? ""))
          add(file.fileName);
      const paths = [
        "/kiosk",
        ...[...found].filter((name) => name !== "kiosk.html").map((name) => `/${name}`),
      ];
      const all = [...paths.sort(), "/kiosk-guard.js", "/kiosk.webmanifest", "/icon.svg"];
      await bundle({
        entryPoints: [KIOSK_WORKER],
        outfile: join(dir!, "kiosk-worker.js"),
        define: {
          FILES: JSON.stringify(all),
          VERSION: JSON.stringify(createHash("sha256").update(all.join()).digest("hex").slice(0, 16)),
        },
        bundle: true,
        minify: true,
        format: "iife",
        target: "es2022",
      });
    },
  };
}

/** Adds `/simulator-frame.js`, a classic script: it runs before those of the page that it is put into. */
function simulatorFrame(): Plugin {
  return {
    name: "simulator-frame",
    buildStart() {
      this.addWatchFile(SIMULATOR_FRAME);
    },
    async generateBundle() {
      const made = await bundle({
        entryPoints: [SIMULATOR_FRAME],
        bundle: true,
        write: false,
        format: "iife",
        target: "es2022",
      });
      this.emitFile({
        ...{ type: "asset", fileName: "simulator-frame.js" },
        source: made.outputFiles[0]!.text,
      });
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
