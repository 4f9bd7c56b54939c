import { rm } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertPortFree } from "../../dev/services/ports.ts";
import { ownEnvironment, PORTS, type Program, run } from "../support/program.ts";

/** Words that look like an error; not `"parts_failed":0`. */
const TROUBLE = /\berror|\bwarn|\bfail|▲|✘|\bunable|deprecat/i;

let env: Awaited<ReturnType<typeof ownEnvironment>>;
let dev: Program;

async function start(more: NodeJS.ProcessEnv = {}): Promise<number> {
  const began = performance.now();
  dev = run({ ...env, ...more }, "dev/dev.ts");
  await dev.says("Ctrl-C stops everything");
  return performance.now() - began;
}

async function allPortsFree(): Promise<void> {
  const deadline = Date.now() + 15_000;
  for (const name of PORTS) {
    for (;;) {
      const taken = await assertPortFree(Number(env[name]), name).catch((error: Error) => error);
      if (!taken) break;
      if (Date.now() > deadline) throw taken;
      await new Promise((again) => setTimeout(again, 100));
    }
  }
}

function call(port: string, path: string, body: object): Promise<any> {
  return fetch(`http://127.0.0.1:${env[port]}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  }).then((answer) => answer.json());
}

beforeAll(async () => {
  env = await ownEnvironment();
}, 60_000);
afterAll(async () => {
  dev.child.kill("SIGKILL");
  await dev.ended;
  await allPortsFree();
  await rm(env.LOCAL_DIR, { recursive: true, force: true });
}, 60_000);

test("npm run dev prints nothing that looks like an error when all is well, and no colours into a file", {
  timeout: 120_000,
}, async () => {
  await start({ NO_COLOR: undefined, FORCE_COLOR: undefined });
  await call("TELEGRAM_EMULATOR_PORT", "/_customer/message", { chat: { id: 7 }, text: "hello" });
  await dev.says('"event":"turn"');
  expect(dev.output()).not.toMatch(TROUBLE);
  expect(dev.output()).not.toContain("\u001b");
});

test("SIGKILL leaves no process, and the next start has the state and prints no error", {
  timeout: 120_000,
}, async () => {
  const before = await (await fetch(`http://127.0.0.1:${env.TELEGRAM_EMULATOR_PORT}/_sent`)).json();
  dev.child.kill("SIGKILL");
  await dev.ended;
  await allPortsFree();
  await start();
  expect(await (await fetch(`http://127.0.0.1:${env.TELEGRAM_EMULATOR_PORT}/_sent`)).json()).toEqual(before);
  expect(before).not.toEqual({ last: 0, sent: [] });
  expect(dev.output()).not.toMatch(TROUBLE);
});

test.each([["SIGTERM"], ["SIGINT"], ["SIGHUP"]] as const)(
  "%s leaves no process",
  {
    timeout: 120_000,
  },
  async (signal) => {
    if (dev.child.exitCode !== null) await start();
    dev.child.kill(signal);
    expect(await dev.ended).toBe(0);
    await allPortsFree();
  },
);

test("SIGKILL during the start leaves no process", { timeout: 120_000 }, async () => {
  for (const afterMs of [300, 1_200]) {
    dev = run(env, "dev/dev.ts");
    await new Promise((soon) => setTimeout(soon, afterMs));
    dev.child.kill("SIGKILL");
    await dev.ended;
    await new Promise((settled) => setTimeout(settled, 5_000)); // what was about to listen would listen by now
    await allPortsFree();
  }
  await start();
});
