import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { channels } from "../../src/channels/index.ts";

const root = resolve(import.meta.dirname, "../..");
const src = join(root, "src");

/** What each folder of src may import: other folders, and packages. */
const RULES: Record<string, { rooms: string[]; packages: string[] }> = {
  // Core's only packages besides zod: reading phones belongs to identities, languages and texts to every channel.
  // The Store holds the ports of features, so core imports their types.
  // node:crypto hashes a short text at once, which WebCrypto does not: see signature.ts.
  core: {
    rooms: ["core", "features"],
    packages: ["zod", "libphonenumber-js/max", "tinyld/light", "intl-messageformat", "node:crypto"],
  },
  channels: { rooms: ["core"], packages: ["zod", "grammy/web", "@grammyjs/types"] },
  stores: {
    rooms: ["core", "features", "outage"],
    packages: ["zod", "postgres", "@supabase/supabase-js", "@upstash/redis"],
  },
  // A bot's actions are checked by the schemas of the routes that do the same.
  bots: { rooms: ["core", "features"], packages: ["zod", "openai"] },
  features: {
    rooms: ["core", "http", "stores"],
    packages: [
      "zod",
      "hono",
      "@hono/zod-openapi",
      "csv-stringify/sync",
      "ical-generator",
      "standardwebhooks",
    ],
  },
  http: { rooms: ["core", "features"], packages: ["zod", "hono", "@hono/zod-openapi", "qr"] },
  outage: { rooms: ["core"], packages: [] },
  node: {
    rooms: ["compose", "core", "http"],
    packages: ["zod", "hono", "@hono/node-server", "node:http", "node:fs", "node:path", "node:stream"],
  },
  compose: { rooms: ["bots", "channels", "core", "features", "http", "outage", "stores"], packages: ["zod"] },
};
/** Files that only list the contents of their folder. */
const LISTS = ["src/channels/index.ts", "src/bots/index.ts"];
/** Files that channels share. They are no channels. */
const SHARED = ["src/channels/caller.ts"];

interface Import {
  readonly file: string;
  readonly target: string;
}

const files = sources(src);
const imports = files.flatMap(importsOf);

describe("the map", () => {
  test("has only the folders that docs/architecture.md names", () => {
    expect([...new Set(files.map(roomOf).filter(Boolean))].sort()).toEqual(Object.keys(RULES).sort());
  });

  test.for(Object.entries(RULES))("%s imports only what it may", ([room, { rooms, packages }]) => {
    const wrong = imports
      .filter(({ file }) => roomOf(file) === room)
      .filter(({ target }) =>
        target.startsWith("src/")
          ? !rooms.includes(roomOf(target)) && !sameRoom(room, target)
          : !packages.some((name) => target === name || target.startsWith(`${name}/`)),
      );
    expect(wrong).toEqual([]);
  });

  test("no channel, store or bot imports another one", () => {
    const wrong = imports.filter(({ file, target }) => {
      if (!["channels", "bots"].includes(roomOf(file)) || LISTS.includes(file) || SHARED.includes(target))
        return false;
      return target.startsWith("src/") && roomOf(target) === roomOf(file) && unitOf(target) !== unitOf(file);
    });
    expect(wrong).toEqual([]);
  });

  test("only worker.ts and node.ts import all sides", () => {
    const outside = files.filter((file) => roomOf(file) === "").sort();
    expect(outside).toEqual(["src/node.ts", "src/worker.ts"]);
    expect(imports.filter(({ target }) => outside.includes(target))).toEqual([]);
  });

  test("nothing that is deployed imports from dev, test, bench or shared material", () => {
    expect(
      imports.filter(
        ({ target }) => target.startsWith("../") || /^(dev|test|bench|migrations)\//.test(target),
      ),
    ).toEqual([]);
  });

  test("a page imports the kit, the client, what the hub reads of a text, and no other page", () => {
    const pages = sources(join(root, "web")).filter(
      (file) => file.split("/").length > 2 && !file.includes("/dist"),
    );
    const wrong = pages.flatMap(importsOf).filter(({ file, target }) => {
      if (target.startsWith("src/")) return target !== "src/core/content/markup.ts";
      if (target.startsWith("web/")) return !["kit", pageOf(file)].includes(pageOf(target));
      return target.startsWith("..") || /^(dev|test|bench|migrations|clients)\//.test(target);
    });
    expect(pages.length).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });

  test("every channel is in the list", () => {
    const units = new Set(
      files
        .filter((file) => file.startsWith("src/channels/") && !LISTS.includes(file) && !SHARED.includes(file))
        .map(unitOf),
    );
    expect([...units].sort()).toEqual(Object.keys(channels).sort());
  });

  test("every channel has fixtures of its own", () => {
    const folders = readdirSync(join(root, "test/fixtures"));
    expect(folders.sort()).toEqual(
      Object.keys(channels)
        .filter((name) => name !== "kiosk" && name !== "web")
        .sort(),
    );
  });

  test("core reads no clock and no environment", () => {
    const wrong = files
      .filter((file) => roomOf(file) === "core")
      .filter((file) =>
        /\bDate\.now\(|new Date\(\)|process\.|performance\.now/.test(readFileSync(join(root, file), "utf8")),
      );
    expect(wrong).toEqual([]);
  });
});

function sameRoom(room: string, target: string): boolean {
  return roomOf(target) === room;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => relative(root, join(folder, name)));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, specifier]) => ({
    file,
    target: specifier!.startsWith(".") ? relative(root, join(root, dirname(file), specifier!)) : specifier!,
  }));
}

/** The folder of src that a file lies in; empty for the files beside them. */
function roomOf(file: string): string {
  const [, room, ...rest] = file.split("/");
  return rest.length > 0 ? room! : "";
}

/** The page that a file of web belongs to. */
function pageOf(file: string): string {
  return file.split("/")[1]!;
}

/** The one channel or bot that a file belongs to. */
function unitOf(file: string): string {
  return file.split("/")[2]!.replace(/\.ts$/, "");
}
