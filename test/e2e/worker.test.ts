import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import worker from "../../src/worker.ts";
import { post } from "../support/http.ts";
import { browse } from "../support/live.ts";

const WRANGLER = join("node_modules", "wrangler", "bin", "wrangler.js");
const QUIET = { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false", NO_COLOR: "1" };

const folder = mkdtempSync(join(tmpdir(), "session-hub-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function fetchWith(env: Record<string, unknown>, path: string, init?: RequestInit): Promise<Response> {
  const context = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };
  const request = new Request(`https://hub.example${path}`, init);
  return worker.fetch(request as never, env, context as never) as never;
}

describe("the composition root", () => {
  const lines: unknown[] = [];
  beforeAll(() => {
    for (const level of ["info", "warn", "error"] as const)
      vi.spyOn(console, level).mockImplementation((line) => void lines.push(JSON.parse(line)));
  });
  afterAll(() => vi.restoreAllMocks());

  test("serves only /health until every channel is fully configured", async () => {
    const env = { TELEGRAM_BOT_TOKEN: "103:token", WHATSAPP_APP_SECRET: "secret", ADMIN_API_KEY: "admin" };
    const refused = await fetchWith(env, "/session/start", post({ channel: "web" }));
    expect(refused.status).toBe(503);
    const { error } = (await refused.json()) as any;
    expect(error.code).toBe("misconfigured");
    expect(error.message).not.toMatch(/TELEGRAM|WHATSAPP/);
    const answer = await fetchWith(env, "/session/start", post({ channel: "web" }, { "x-api-key": "admin" }));
    const { message } = ((await answer.json()) as any).error;
    expect(message).toContain("TELEGRAM_WEBHOOK_SECRET is missing");
    expect(message).toContain("WHATSAPP_ACCESS_TOKEN is missing");
    expect(await (await fetchWith(env, "/health")).json()).toMatchObject({ status: "degraded" });
  });

  test("refuses development keys in production", async () => {
    const call = post({ channel: "web" }, { "x-api-key": "dev-web-key" });
    const refused = await fetchWith({ WEB_API_KEY: "dev-web-key" }, "/session/start", call);
    expect([refused.status, ((await refused.json()) as any).error.code]).toEqual([503, "misconfigured"]);
    const env = { WEB_API_KEY: "dev-web-key", ENVIRONMENT: "development" };
    expect((await fetchWith(env, "/session/start", call)).status).toBe(200);
  });

  test("refuses an unknown bot, by any name", async () => {
    for (const BOT of ["oracle", "constructor", "__proto__"]) {
      const admin = { headers: { "x-api-key": "admin" } };
      const refused = await fetchWith({ BOT, ADMIN_API_KEY: "admin" }, "/", admin);
      expect([refused.status, ((await refused.json()) as any).error.message]).toEqual([
        503,
        expect.stringContaining("BOT must be one of"),
      ]);
    }
  });

  test("chooses the bot whose settings are set, without BOT", async () => {
    const bot = { BOT_WEBHOOK_URL: "https://bot.example/", BOT_WEBHOOK_SECRET: "the secret of the bot" };
    const admin = { headers: { "x-api-key": "admin" } };
    const named = async (env: object) =>
      ((await (await fetchWith({ ADMIN_API_KEY: "admin", ...env }, "/health", admin)).json()) as any).bot;
    expect(await named(bot)).toBe("webhook");
    expect(await named({ ...bot, BOT: "echo" })).toBe("echo");
    expect(await named({ BOT: "echo" })).toBe("echo");
    expect(await named({ ENVIRONMENT: "development" })).toBe("echo");
    expect(await named({})).toBe("none");
    const half = await fetchWith({ BOT_WEBHOOK_URL: bot.BOT_WEBHOOK_URL }, "/");
    expect([half.status, ((await half.json()) as any).error.code]).toEqual([503, "misconfigured"]);
  });

  test("without a bot in production stores messages, answers none, and reports it", async () => {
    const env = { ADMIN_API_KEY: "admin" };
    const { session_token } = (await (
      await fetchWith(env, "/session/start", post({ channel: "web" }))
    ).json()) as any;
    const said = post({ external_id: "1", text: "Hello" }, { "x-session-token": session_token });
    const answer = (await (await fetchWith(env, "/webhooks/web?wait=5", said)).json()) as any;
    expect(answer).toMatchObject({
      replies: [],
      turn: { state: "retrying", attempt: 1, code: "unavailable", reason: "no_bot" },
    });
    expect(await (await fetchWith(env, "/health")).json()).toMatchObject({
      status: "degraded",
      reasons: ["memory_store", "no_bot"],
    });
    expect(lines).toContainEqual(expect.objectContaining({ level: "error", event: "bot.none" }));
  });

  test("names all missing settings at once, the bot's too", async () => {
    const env = {
      BOT: "webhook",
      TELEGRAM_BOT_TOKEN: "103:token",
      KIOSK_IDLE_SECONDS: "1",
      ADMIN_API_KEY: "a",
    };
    const answer = await fetchWith(env, "/", { headers: { "x-api-key": "a" } });
    const { message } = ((await answer.json()) as any).error;
    for (const name of ["BOT_WEBHOOK_URL", "TELEGRAM_WEBHOOK_SECRET", "KIOSK_IDLE_SECONDS"])
      expect(message).toContain(name);
  });

  test("lets a developer's pages call from any port, and in production only those of the list", async () => {
    const page = (origin: string) => ({ headers: { origin } });
    const allowed = async (env: object, origin: string) =>
      (await fetchWith({ ...env }, "/health", page(origin))).headers.get("access-control-allow-origin");
    const development = { ENVIRONMENT: "development", CORS_ORIGINS: "https://shop.example" };
    for (const origin of [
      "http://localhost:5173",
      "http://127.0.0.1:3000",
      "http://[::1]:8080",
      "https://shop.example",
    ])
      expect(await allowed(development, origin)).toBe(origin);
    for (const origin of ["https://evil.example", "http://localhost.evil.example", "null"])
      expect(await allowed(development, origin)).toBeNull();
    expect(await allowed({ CORS_ORIGINS: "https://shop.example" }, "http://localhost:5173")).toBeNull();
  });

  test("turns a channel without settings off and leaves the others on", async () => {
    const env = {};
    expect((await fetchWith(env, "/webhooks/telegram", post({ update_id: 1 }))).status).toBe(404);
    expect((await fetchWith(env, "/webhooks/whatsapp")).status).toBe(404);
    expect((await fetchWith(env, "/session/start", post({ channel: "web" }))).status).toBe(200);
  });

  test("sweeps on its schedule", async () => {
    const env = {};
    await fetchWith(env, "/session/start", post({ channel: "web" }));
    await worker.scheduled({} as never, env, { waitUntil: () => {} } as never);
    expect(lines.at(-1)).toMatchObject({ level: "info", event: "sweep", turns: 0 });
  });

  test("logs in one line why its sweep stopped, and throws nothing", async () => {
    const env = { SUPABASE_URL: "http://127.0.0.1:9", SUPABASE_SERVICE_ROLE_KEY: "key" };
    await worker.scheduled({} as never, env, { waitUntil: () => {} } as never);
    expect(lines.at(-1)).toMatchObject({ level: "warn", event: "sweep.failed", code: "unavailable" });
    expect(lines.at(-1)).toHaveProperty("reason");
  });

  test("logs in one line why it does not sweep while a setting is wrong", async () => {
    const env = { KIOSK_IDLE_SECONDS: "6", REDIS_SESSION_TTL: "1.5", ENVIRONMENT: "test" };
    const before = lines.length;
    for (const _minute of [1, 2]) await worker.scheduled({} as never, env, { waitUntil: () => {} } as never);
    const said = lines.slice(before).filter((line: any) => line.event !== "rate_limits.off");
    const problems = [
      "the hub has a wrong setting: ENVIRONMENT must be one of production, development; " +
        "REDIS_SESSION_TTL must be a whole number",
      "kiosk has a wrong setting: KIOSK_IDLE_SECONDS must be at least 10",
    ];
    expect(said).toEqual([{ level: "error", event: "misconfigured", problems }]);
  });

  test("answers 503 when the database cannot be reached, and stays healthy", async () => {
    const unreachable = "http://127.0.0.1:9";
    const env = { SUPABASE_URL: unreachable, SUPABASE_SERVICE_ROLE_KEY: "key", ADMIN_API_KEY: "admin" };
    const started = Date.now();
    const response = await fetchWith(env, "/session/start", post({ channel: "web" }));
    expect([response.status, ((await response.json()) as any).error.code]).toEqual([503, "unavailable"]);
    expect(response.headers.has("retry-after")).toBe(true);
    expect(Date.now() - started).toBeLessThan(5_000);
    const health = await fetchWith(env, "/health", { headers: { "x-api-key": "admin" } });
    expect(await health.json()).toMatchObject({
      status: "degraded",
      store: { backend: "supabase", ok: false },
    });
  });
});

describe("the Worker on workerd, with BOT as its only setting", () => {
  let hub: string;
  let child: ChildProcess;
  let output = "";

  beforeAll(async () => {
    const port = await freePort();
    const vars = join(folder, "echo.vars");
    writeFileSync(vars, "BOT=echo\n");
    const args = ["dev", "--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0"];
    child = spawn(process.execPath, [WRANGLER, ...args, "--persist-to", folder, "--env-file", vars], {
      env: QUIET,
    });
    child.stdout?.on("data", (chunk) => (output += chunk));
    child.stderr?.on("data", (chunk) => (output += chunk));
    hub = `http://127.0.0.1:${port}`;
    await until(async () => (await fetch(`${hub}/health`)).ok);
  }, 60_000);

  afterAll(async () => {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await gone;
  });

  test("warns that it forgets everything", async () => {
    await until(async () => output.includes("everything is forgotten at restart"));
  });

  test("carries one anonymous session from web to kiosk, with the bot's replies in the answers", async () => {
    const started = await fetch(`${hub}/session/start`, post({ channel: "web" }));
    const { session_token, session } = (await started.json()) as any;
    const bearer = { authorization: `Bearer ${session_token}` };
    for (const channel of ["web", "kiosk"]) {
      const call = post({ external_id: channel, text: `Hello ${channel}` }, bearer);
      const answer = (await (await fetch(`${hub}/webhooks/${channel}?wait=10`, call)).json()) as any;
      expect(answer.session.session_id).toBe(session.session_id);
      expect(answer.replies).toMatchObject([{ reply_to: answer.message.message_id, role: "assistant" }]);
      expect(answer.replies[0].text).toContain(`Hello ${channel}`);
    }
    const page = (await (await fetch(`${hub}/session/messages`, { headers: bearer })).json()) as any;
    expect(page.messages).toHaveLength(4);
    const waiting = fetch(`${hub}/session/messages?after=${page.cursor}&wait=10`, { headers: bearer });
    await fetch(`${hub}/webhooks/web`, post({ external_id: "late", text: "Are you there?" }, bearer));
    expect(((await (await waiting).json()) as any).messages[0]).toMatchObject({ text: "Are you there?" });
    const restored = (await (await fetch(`${hub}/session/restore`, { headers: bearer })).json()) as any;
    expect(restored.session.channels).toEqual(["web", "kiosk"]);
  });

  test("pushes to a device's WebSocket from a room that shares its memory", async () => {
    const started = await fetch(`${hub}/session/start`, post({ channel: "web" }));
    const { session_token } = (await started.json()) as any;
    const device = await browse(hub, session_token);
    const bearer = { authorization: `Bearer ${session_token}` };
    await fetch(`${hub}/webhooks/web`, post({ external_id: "1", text: "Hello" }, bearer));
    await device.until((it) => it.of("message").length === 2);
    await device.close();
  });

  test("answers many sessions at once", async () => {
    const ask = async (i: number) => {
      const { session_token } = (await (
        await fetch(`${hub}/session/start`, post({ channel: "web" }))
      ).json()) as any;
      const call = post({ external_id: "1", text: `I am ${i}` }, { "x-session-token": session_token });
      return (await (await fetch(`${hub}/webhooks/web?wait=10`, call)).json()) as any;
    };
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(i)));
    answers.forEach(({ replies }, i) => {
      expect(replies[0].text).toContain(`I am ${i}`);
    });
  });

  test("runs its sweep when the cron fires", async () => {
    const fired = await fetch(`${hub}/cdn-cgi/local/scheduled`);
    expect([fired.status, await fired.text()]).toEqual([200, "ok"]);
    await until(async () => output.includes('"event":"sweep"'));
  });

  test("refuses unverified and unreadable requests with a 4xx, of any size", async () => {
    const statusOf = async (path: string, init: RequestInit) => (await fetch(hub + path, init)).status;
    expect(await statusOf("/webhooks/telegram", post({ update_id: 1 }))).toBe(404);
    expect(await statusOf("/webhooks/kiosk", post({}, { "x-api-key": "" }))).toBe(401);
    expect(await statusOf("/session/start", post('{"channel":'))).toBe(400);
    const large = new Uint8Array(10 * 1024 * 1024).fill(120);
    const headers = { "content-type": "application/json" };
    expect(await statusOf("/session/start", { method: "POST", headers, body: large })).toBe(413);
    const body = new Blob([large]).stream();
    const streamed = { method: "POST", headers, body, duplex: "half" } as RequestInit;
    expect(await statusOf("/session/start", streamed)).toBe(413);
  });

  test("shows its description and its page", async () => {
    expect(((await (await fetch(`${hub}/openapi.json`)).json()) as any).openapi).toBe("3.1.0");
    expect(await (await fetch(`${hub}/docs`)).text()).toContain("/webhooks/whatsapp");
  });

  test("counts the sessions that one network opens, and makes it wait", async () => {
    for (let i = 0; i < 150; i++) {
      const response = await fetch(
        `${hub}/session/start`,
        post({ channel: "web" }, { "x-forwarded-for": `10.0.0.${i}` }),
      );
      const body = (await response.json()) as any;
      if (response.status === 200) continue;
      expect([response.status, body.error.code]).toEqual([429, "too_many_requests"]);
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      return;
    }
    expect.fail("nobody was asked to wait");
  });
});

test("bundles for deployment without the network, below a megabyte of gzip", async () => {
  const args = ["deploy", "--dry-run", "--outdir", folder];
  const { stdout } = await promisify(execFile)(process.execPath, [WRANGLER, ...args], { env: QUIET });
  expect(stdout).toContain("--dry-run: exiting now");
  expect(gzipSync(readFileSync(join(folder, "worker.js"))).byteLength).toBeLessThan(1024 * 1024);
}, 60_000);

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

async function until(check: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 250; tries++) {
    if (await check().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error("it did not come to pass");
}
