/**
 * `npm run build`: the hub for Node as one file, `dist/hub.mjs`, its pages in `dist/pages/`, and the migrations with their program in
 * `dist/migrations/`. All run on Node 20 and newer, without node_modules. Another folder can be named: `npm run build -- <folder>`.
 */
import { cp, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { buildIfStale } from "../web/build.ts";

const root = join(import.meta.dirname, "..");
const dist = resolve(process.argv[2] ?? join(root, "dist"));

await rm(dist, { recursive: true, force: true });
await build({
  entryPoints: { hub: join(root, "src/node.ts"), "migrations/migrate": join(root, "migrations/migrate.ts") },
  outdir: dist,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  // CommonJS packages in the bundle ask for Node's modules with require.
  banner: {
    js: `import { createRequire as hubRequire } from "node:module"; const require = hubRequire(import.meta.url);`,
  },
  // The program's own file is the one that runs; Node 20 does not say so itself.
  define: { "import.meta.main": "true" },
  legalComments: "linked",
  logLevel: "warning",
});
const isSql = (path: string) => path.endsWith(".sql");
await cp(join(root, "migrations"), join(dist, "migrations"), {
  recursive: true,
  filter: (path) => isSql(path) || /(migrations|functions|optional)$/.test(path),
});
await cp(await buildIfStale(), join(dist, "pages"), { recursive: true });
