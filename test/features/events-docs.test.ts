import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import { DEFAULT_POLICY } from "../../src/core/hub.ts";
import { EVENT_TYPES } from "../../src/features/endpoints/event.ts";
import { post } from "../../src/features/endpoints/post.ts";
import { newSecret } from "../../src/features/endpoints/secret.ts";
import { kill } from "../support/hub-rig.ts";

const root = resolve(import.meta.dirname, "../..");
const page = await readFile(join(root, "docs/events.md"), "utf8");
const examples = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code!);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hub-events-"));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("the page names every type of event, and no other", () => {
  const named = [...page.matchAll(/`([a-z]+\.[a-z]+)`/g)].map(([, name]) => name!);
  const types = new Set<string>(named.filter((name) => !/\.(md|internal|disabled|message)$/.test(name)));
  expect([...types].sort()).toEqual([...EVENT_TYPES].sort());
});

test.for([0, 1])("example %i takes an event that the hub has signed, once, and no other", async (i) => {
  const [secret, port] = [newSecret(), await freePort()];
  const file = join(folder, `example-${i}.js`);
  await writeFile(file, examples[i]!);
  const child: ChildProcess = spawn(process.execPath, [file], {
    env: { ...process.env, EVENTS_SECRET: secret, PORT: String(port) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout!.on("data", (text) => {
    printed += text;
  });
  const url = `http://127.0.0.1:${port}/events`;
  const event = {
    event_id: crypto.randomUUID(),
    lane: "l",
    seq: 1,
    attempt: 1,
    type: "message.received" as const,
    at: new Date(),
    data: { session_id: "s 1" },
  };
  const posted = async (secrets: string[], now = new Date()) => {
    const target = { url, content: false, secrets };
    return post(target, event, { now, open: true, timeoutMs: DEFAULT_POLICY.sendMs });
  };
  try {
    await expect.poll(async () => (await posted([secret])).result, { timeout: 20_000 }).toBe("taken");
    expect(await posted([newSecret(), secret])).toEqual({ result: "taken" });
    for (const wrong of [posted([newSecret()]), posted([secret], new Date(Date.now() - 600_000))])
      expect(await wrong).toMatchObject({ result: "failed", error: { reason: "http_401" } });
    expect(printed.trim().split("\n")).toEqual(
      i === 0 ? ["message.received s 1"] : ["message.received s 1", "message.received s 1"],
    );
  } finally {
    await kill(child);
  }
});
