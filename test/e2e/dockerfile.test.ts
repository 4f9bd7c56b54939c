import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import { post } from "../support/http.ts";
import { createEmptyDatabase } from "../support/stack.ts";

const execute = promisify(execFile);
const root = resolve(import.meta.dirname, "../..");

/** The Dockerfile's instructions, in order. */
const instructions = readFileSync(join(root, "Dockerfile"), "utf8")
  .replaceAll("\\\n", " ")
  .split("\n")
  .filter((line) => line.trim() !== "" && !line.startsWith("#"))
  .map((line) => /^(?<name>[A-Z]+)\s+(?<rest>.*)$/.exec(line)!.groups as { name: string; rest: string });
const of = (name: string) => instructions.filter((one) => one.name === name).map(({ rest }) => rest);
/** A command in the form of a JSON list. */
const command = (rest: string) => JSON.parse(rest.slice(rest.indexOf("["))) as [string, ...string[]];

/** The system's Node where it is older than the project's, else the project's. */
const NODE = existsSync("/usr/bin/node") ? "/usr/bin/node" : process.execPath;

/** The image's folder `/app`. */
let app: string;
beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), "hub-image-"));
  await execute(process.execPath, ["scripts/build.ts", join(app, "dist")], { cwd: root });
}, 60_000);
afterAll(() => rm(app, { recursive: true, force: true }));

test("builds with the commands that package.json and the lock file know, and copies what is there", async () => {
  expect(of("RUN")).toEqual(["npm ci --ignore-scripts", "npm run build"]);
  const { scripts } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  expect(scripts.build).toBe("node scripts/build.ts");
  for (const copied of of("COPY")) {
    const parts = copied.split(" ").filter((part) => !part.startsWith("--"));
    if (copied.startsWith("--from")) expect(parts).toEqual(["/app/dist", "./dist"]);
    else
      for (const source of parts.slice(0, -1))
        expect([source, existsSync(join(root, source))]).toEqual([source, true]);
  }
  const folder = await mkdtemp(join(tmpdir(), "hub-lock-"));
  for (const name of ["package.json", "package-lock.json", ".npmrc", "clients/js/package.json"])
    await cp(join(root, name), join(folder, name), { recursive: true });
  const dry = ["ci", "--ignore-scripts", "--dry-run", "--offline"];
  await expect(execute("npm", dry, { cwd: folder })).resolves.toBeDefined(); // fails where the lock file is out of step
  await rm(folder, { recursive: true });
});

test("runs as nobody special, without node_modules", async () => {
  expect(of("USER")).toEqual(["node"]);
  expect(of("FROM").at(-1)).not.toMatch(/ AS /);
  const bundle = await readFile(join(app, "dist/hub.mjs"), "utf8");
  expect([...bundle.matchAll(/^import .*? from "(?!node:)([^".][^"]*)"/gm)].map(([, name]) => name)).toEqual(
    expect.not.arrayContaining(["hono", "zod", "postgres"]),
  );
});

test("migrates, serves, is healthy and stops, by its own commands", async () => {
  const { url } = await createEmptyDatabase();
  const port = await freePort();
  const env = {
    PATH: process.env.PATH!,
    NODE_ENV: "production",
    NODE_NO_WARNINGS: "1",
    PORT: String(port),
    HOST: "127.0.0.1",
    DATABASE_URL: url,
    BOT: "echo",
  };
  const migrated = await execute(NODE, ["dist/migrations/migrate.mjs"], { cwd: app, env });
  expect(migrated.stdout).toMatch(/applied {2}0002_create_people\.sql[\s\S]*applied {2}functions/);

  const [program, ...args] = command(of("CMD").at(-1)!);
  expect(program).toBe("node");
  const child = spawn(NODE, args, { cwd: app, env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((done) => child.once("exit", done));
  try {
    await new Promise((resolve) => child.stdout.once("data", resolve)); // its first line: it listens, or refuses
    child.stdout.destroy(); // the log's reader goes away
    const healthy = () => {
      const [, ...check] = command(of("HEALTHCHECK")[0]!);
      return execute(NODE, check, { cwd: app, env }).then(
        () => 0,
        ({ code }) => code as number,
      );
    };
    expect(await healthy()).toBe(0);
    expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200);
    for (const page of ["chat.js", "kiosk", "desk"])
      expect([page, (await fetch(`http://127.0.0.1:${port}/${page}`)).status]).toEqual([page, 200]);
    const started = await fetch(`http://127.0.0.1:${port}/session/start`, post({ channel: "web" }));
    const { session_token } = (await started.json()) as any;
    const said = post({ external_id: "1", text: "Hello" }, { "x-session-token": session_token });
    const answer = (await (await fetch(`http://127.0.0.1:${port}/webhooks/web?wait=5`, said)).json()) as any;
    expect(answer.replies).toMatchObject([{ role: "assistant" }]);
    child.kill(of("STOPSIGNAL")[0] as NodeJS.Signals);
    expect(await ended).toBe(0);
    expect(await healthy()).toBe(1);
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
});
