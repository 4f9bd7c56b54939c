import { rm } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import { ownEnvironment, PORTS, type Program, run as start } from "../support/program.ts";

let env: NodeJS.ProcessEnv;
let dev: Program;

beforeAll(async () => {
  env = { ...(await ownEnvironment()), NO_COLOR: "1" };
  dev = run("dev/dev.ts");
  await dev.says("Ctrl-C stops everything");
}, 120_000);

afterAll(async () => {
  dev.child.kill("SIGINT");
  await dev.ended;
  await rm(env.LOCAL_DIR!, { recursive: true, force: true });
}, 60_000);

test("npm run dev reports each ready part and prints one table of addresses and keys", () => {
  for (const part of [
    "Postgres",
    "Supabase REST",
    "Valkey, Upstash REST",
    "Telegram emulator",
    "WhatsApp emulator",
    "Worker",
  ])
    expect(dev.output()).toMatch(new RegExp(`ready +${part} +\\d+ ms`));
  for (const name of PORTS) expect(dev.output()).toContain(`127.0.0.1:${env[name]}`);
});

test("npm run demo takes one customer through four channels and lets them come back, without a failure", async () => {
  const demo = run("dev/demo.ts");
  const status = await demo.ended;
  expect(demo.output()).toContain(
    "One customer, four channels, one session, and one who came back. 12 steps",
  );
  expect(demo.output()).toMatch(/नमस्ते Asha![\s\S]+4 मेहमानों[\s\S]+<mark>coffee<\/mark>/);
  expect(status).toBe(0);
});

test("npm run demo:content shows every kind of reply on every channel", async () => {
  const demo = run("dev/demo-content.ts");
  const status = await demo.ended;
  expect(demo.output()).toContain("four channels, none missing.");
  expect(status).toBe(0);
}, 240_000);

test("the demo exits with 1 and prints the remedy when nothing runs", async () => {
  const demo = run("dev/demo.ts", { PORT: String(await freePort()) });
  expect(await demo.ended).toBe(1);
  expect(demo.output()).toMatch(
    /^\s*nothing answers at \S+; start the stack with "npm run dev" first, or set PORT as there\s*$/,
  );
});

test.each([
  ["an unknown flag", ["--frsh"], {}, /^"--frsh" is not understood; the only flag is --fresh.*\n$/],
  [
    "two parts on one port",
    [],
    { PORT: "20001", UPSTASH_PORT: "20001" },
    /^PORT and UPSTASH_PORT are both 20001; .*\n$/,
  ],
] as const)("npm run dev refuses %s in one line and starts nothing", async (_, flags, more, line) => {
  const other = run("dev/dev.ts", more, flags);
  expect(await other.ended).toBe(1);
  expect(other.output()).toMatch(line);
});

test("a second npm run dev names the taken port and how to choose another, and the first one runs on", async () => {
  const second = run("dev/dev.ts");
  expect(await second.ended).toBe(1);
  expect(second.output()).toMatch(/port \d+ is taken; set \w*PORT/);
  expect((await fetch(`http://127.0.0.1:${env.PORT}/health`)).status).toBe(200);
});

test("Ctrl-C stops every part, and the next start has the state", async () => {
  const [before] = await history();
  dev.child.kill("SIGINT");
  expect(await dev.ended).toBe(0);
  for (const name of PORTS) await expect(fetch(`http://127.0.0.1:${env[name]}/`)).rejects.toThrow();
  dev = run("dev/dev.ts", { KIOSK_PHONE_POLICY: "verify" });
  await dev.says("Ctrl-C stops everything");
  expect((await history())[0]).toEqual(before);
});

test("the demo asks for another kiosk policy than the stack's, whatever its own environment", async () => {
  const demo = run("dev/demo.ts", { KIOSK_PHONE_POLICY: "trust" });
  expect(await demo.ended).toBe(1);
  expect(demo.output()).toContain("\nthis stack runs with KIOSK_PHONE_POLICY=verify; the demo needs trust");
});

test("a terminal that closes stops every part", async () => {
  dev.child.kill("SIGHUP");
  expect(await dev.ended).toBe(0);
  for (const name of PORTS) await expect(fetch(`http://127.0.0.1:${env[name]}/`)).rejects.toThrow();
});

test("wrong settings stop the stack and are named", async () => {
  dev = run("dev/dev.ts", { BOT: "foo", KIOSK_IDLE_SECONDS: "6", WHATSAPP_API_VERSION: "six" });
  expect(await dev.ended).toBe(1);
  expect(dev.output()).toContain("the hub refuses its settings: ");
  expect(dev.output()).toContain("kiosk has a wrong setting: KIOSK_IDLE_SECONDS must be at least 10");
  expect(dev.output()).toContain("WHATSAPP_API_VERSION");
  expect(dev.output()).not.toMatch(/ready +Worker|Ctrl-C/);
  dev = run("dev/dev.ts", { BOT: "webhook" });
  expect(await dev.ended).toBe(1);
  expect(dev.output()).toContain("the hub refuses its settings: BOT=webhook needs BOT_WEBHOOK_URL");
});

/** The messages of the session that a phone has had since before the restart. */
async function history(): Promise<unknown[]> {
  const hub = `http://127.0.0.1:${env.PORT}`;
  const posted = await fetch(`${hub}/webhooks/web?wait=10`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": "dev-web-key" },
    body: JSON.stringify({ external_id: "before", phone: "+15550102030", text: "Remember me" }),
  });
  const { session } = (await posted.json()) as { session: { session_id: string } };
  const page = await fetch(`${hub}/api/sessions/${session.session_id}/messages`, {
    headers: { "x-api-key": "dev-admin-key" },
  });
  return ((await page.json()) as { messages: unknown[] }).messages;
}

function run(file: string, more: NodeJS.ProcessEnv = {}, flags: readonly string[] = []): Program {
  return start({ ...env, ...more }, file, flags);
}
