import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TYPES, typesOfApi } from "../../clients/js/generate.ts";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../..");
const MOST_BYTES = 6_000;

let folder: string;

/** The package as it is published, installed into an empty folder without a network. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hub-client-"));
  await writeFile(join(folder, "package.json"), '{"type":"module","private":true}');
  const packed = await run("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: join(root, "clients/js"),
  });
  const [{ filename, files }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf("[\n")));
  expect(files.map(({ path }: { path: string }) => path).sort()).toEqual(
    expect.arrayContaining(["README.md", "dist/index.d.ts", "dist/index.js", "package.json"]),
  );
  expect(files.filter(({ path }: { path: string }) => path.startsWith("src"))).toEqual([]);
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", join(folder, filename)], {
    cwd: folder,
  });
}, 120_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

test(`the client weighs less than ${MOST_BYTES} bytes, compressed`, async () => {
  const bundle = await readFile(join(folder, "node_modules/@session-hub/client/dist/index.js"));
  const bytes = gzipSync(bundle, { level: 9 }).length;
  console.log(`@session-hub/client: ${bytes} bytes gzip, ${bundle.length} plain`);
  expect(bytes).toBeLessThan(MOST_BYTES);
});

test("it needs no other package", async () => {
  const { dependencies, peerDependencies } = JSON.parse(
    await readFile(join(folder, "node_modules/@session-hub/client/package.json"), "utf8"),
  );
  expect([dependencies, peerDependencies]).toEqual([undefined, undefined]);
  expect(
    (await run("npm", ["ls", "--all", "--parseable"], { cwd: folder })).stdout.trim().split("\n"),
  ).toHaveLength(2);
});

test("a program imports it from the empty folder", async () => {
  const program = `import { createHub, HubError } from "@session-hub/client";
    const hub = createHub({ url: "http://127.0.0.1:9" });
    await hub.session.start().catch((error) => console.log(error instanceof HubError, error.code));`;
  await writeFile(join(folder, "program.js"), program);
  expect((await run(process.execPath, ["program.js"], { cwd: folder })).stdout).toBe("true network\n");
});

test("its types are found by the settings that TypeScript projects have", async () => {
  const program = `import { createHub, type HubEvent, type Session } from "@session-hub/client";
    const hub = createHub({ url: "https://hub.example", channel: "kiosk" });
    export const session: Promise<Session> = hub.session.start({ data: { cart: [] } });
    hub.subscribe((event: HubEvent) => {
      if (event.type === "message") console.log(event.message.text.length, event.cursor);
      // @ts-expect-error: there is no such event
      if (event.type === "nothing") return;
    });
    // @ts-expect-error: a content has a kind
    void hub.send({ text: "Hello" });`;
  await writeFile(join(folder, "program.ts"), program);
  await symlink(join(root, "node_modules/typescript"), join(folder, "node_modules/typescript"));
  for (const [module, resolution] of [
    ["esnext", "bundler"],
    ["nodenext", "nodenext"],
  ]) {
    const flags = [
      "--noEmit",
      "--skipDefaultLibCheck",
      "--strict",
      "--target",
      "es2022",
      "--lib",
      "es2022,dom",
    ];
    const kind = ["--module", module!, "--moduleResolution", resolution!];
    const check = run(
      process.execPath,
      ["node_modules/typescript/bin/tsc", ...flags, ...kind, "program.ts"],
      {
        cwd: folder,
      },
    );
    expect((await check.catch((error) => error)).stdout).toBe("");
  }
}, 180_000);

test("its types are those of the hub", async () => {
  const isUpToDate = (await readFile(TYPES, "utf8")) === (await typesOfApi());
  expect(isUpToDate, "the API has changed: npm run types -w clients/js").toBe(true);
});
