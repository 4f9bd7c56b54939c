/**
 * `npm run build:web`: the pages, in `web/dist/`. `--development` builds those for development too, in `web/dist-dev/`.
 * `--if-stale` does nothing while the built ones are newer than their sources.
 */
import { watch } from "node:fs";
import { cp, readdir, rename, rm, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";

const root = join(import.meta.dirname, "..");
/** What the pages are made of. */
const SOURCES = ["web", "clients/js/src", "src/core/content", "package-lock.json"];
/** A change of several files is one. */
const SETTLES_MS = 150;

interface Pages {
  /** Also those for development. */
  readonly development?: boolean;
}

/** Builds the pages unless they are newer than all of their sources. Returns their folder. */
export async function buildIfStale(pages: Pages = {}): Promise<string> {
  const built = await time(join(folder(pages), "_headers"));
  if ((await newest()) > built) await buildPages(pages);
  return folder(pages);
}

/** Builds the pages beside the old ones, and then takes their place: a hub that runs has the old ones until then. */
export async function buildPages(pages: Pages = {}): Promise<void> {
  const { build } = await import("vite");
  const dist = folder(pages);
  const [made, old] = [`${dist}.${process.pid}.new`, `${dist}.${process.pid}.old`];
  try {
    await build({ ...configOf(pages), build: { outDir: made } });
    await rename(dist, old).catch(absent);
    await rename(made, dist);
  } finally {
    await rm(made, { recursive: true, force: true });
    await rm(old, { recursive: true, force: true });
  }
}

/**
 * Puts all pages, those for development too, into `dir`, and again after each change of a source. They are built only if
 * `web/dist-dev/` is older than a source. Each caller has a folder of its own: what runs beside it is not disturbed.
 */
export async function watchPages(
  dir: string,
  say: (line: string) => void,
): Promise<{ dir: string; stop(): Promise<void> }> {
  const pages = { development: true };
  const into = async (emptyOutDir: boolean) => {
    const { build } = await import("vite");
    await build({ ...configOf(pages), build: { outDir: dir, emptyOutDir } });
  };
  await rm(dir, { recursive: true, force: true });
  if ((await newest()) > (await time(join(folder(pages), "_headers")))) await into(true);
  else await cp(folder(pages), dir, { recursive: true });

  let building: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const changed = (name: string) => {
    if (/^dist|~$|\.sw\w$/.test(name)) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      // In place: wrangler watches the folder, and an open page still asks for the files that it names.
      building = building.then(() => into(false)).catch((error: Error) => say(`pages: ${error.message}`));
    }, SETTLES_MS);
  };
  const watchers = SOURCES.filter((name) => !/\.\w+$/.test(name)).map((name) =>
    watch(join(root, name), { recursive: true }, (_event, file) => changed(file ?? "")),
  );
  return {
    dir,
    stop: async () => {
      for (const watcher of watchers) watcher.close();
      clearTimeout(timer);
      await building;
    },
  };
}

function folder({ development }: Pages): string {
  return join(root, development ? "web/dist-dev" : "web/dist");
}

function configOf({ development }: Pages) {
  return {
    configFile: join(root, "web/vite.config.ts"),
    mode: development ? "development" : "production",
    logLevel: "warn",
  } as const;
}

/** When the newest source was changed, in ms. */
async function newest(): Promise<number> {
  const times = await Promise.all(SOURCES.map((name) => newestIn(join(root, name))));
  return Math.max(...times);
}

async function newestIn(path: string): Promise<number> {
  if (/^web\/dist/.test(relative(root, path))) return 0;
  if (!(await stat(path)).isDirectory()) return time(path);
  const entries = await readdir(path);
  const times = await Promise.all(entries.map((name) => newestIn(join(path, name))));
  // The folder's own time tells of deleted files. That of web/ itself changes with each build.
  return Math.max(0, relative(root, path) === "web" ? 0 : await time(path), ...times);
}

async function time(path: string): Promise<number> {
  return (await stat(path).catch(absent))?.mtimeMs ?? 0;
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      development: { type: "boolean", default: false },
      "if-stale": { type: "boolean", default: false },
    },
  });
  if (values["if-stale"]) await buildIfStale(values);
  else await buildPages(values);
}
