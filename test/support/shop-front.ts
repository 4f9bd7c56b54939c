import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { onTestFinished } from "vitest";
import type { Emulator } from "../../dev/emulators/server.ts";
import { startTelegramEmulator } from "../../dev/emulators/telegram.ts";
import { startWhatsAppEmulator } from "../../dev/emulators/whatsapp.ts";
import { freePort } from "../../dev/services/ports.ts";
import { createEmptyDatabase, redis, supabase } from "./stack.ts";

/** Everything that setup meets: an empty database, its REST API, Upstash, both platforms, and Cloudflare as a recorded wrangler. */
export interface ShopFront {
  readonly hubUrl: string;
  readonly telegram: Emulator;
  readonly whatsapp: Emulator;
  /** The environment in which every key is right. */
  readonly env: Record<string, string>;
  /** The values of `env` that nobody may see. */
  readonly secrets: readonly string[];
  /** The folder for setup's own files. */
  readonly dir: string;
  /** The calls of wrangler, in order, with what they got by stdin. */
  wrangled(): Promise<{ args: string[]; stdin: string }[]>;
  /** The settings that wrangler has stored. */
  stored(): Promise<Record<string, string>>;
  /** The buckets and the invited people of the Supabase project. */
  readonly project: Pick<Project, "buckets" | "invited">;
  /** Calls a control route of an emulator. */
  tell(emulator: Emulator, path: string, body?: object): Promise<any>;
}

const root = resolve(import.meta.dirname, "../..");

/** A program in wrangler's place: it records its calls, and starts the hub with the secrets that it is given. */
const WRANGLER = `#!/usr/bin/env node
const { appendFileSync, existsSync, readFileSync, writeFileSync } = require("node:fs");
const { spawn } = require("node:child_process");
const dir = process.env.FAKE_CLOUDFLARE;
const args = process.argv.slice(2);
let stdin = "";
process.stdin.on("data", (chunk) => (stdin += chunk)).on("end", () => {
  appendFileSync(dir + "/calls", JSON.stringify({ args, stdin }) + "\\n");
  if (existsSync(dir + "/logged-out")) {
    console.error("You are not authenticated. Please run wrangler login.");
    process.exit(1);
  }
  const command = args.join(" ");
  if (command === "whoami --json") console.log(JSON.stringify({ email: "a@shop.example", accounts: [{ name: "Shop", id: "1" }] }));
  else if (command === "deploy") console.log("Uploaded session-hub (2.31 sec)\\nDeployed session-hub triggers (0.42 sec)\\n  https://session-hub.shop.workers.dev\\n  schedule: * * * * *");
  else if (command === "secret bulk") {
    const old = existsSync(dir + "/secrets") ? JSON.parse(readFileSync(dir + "/secrets")) : {};
    writeFileSync(dir + "/secrets", JSON.stringify({ ...old, ...JSON.parse(stdin) }));
    console.log("Finished processing secrets file: " + Object.keys(JSON.parse(stdin)).length + " secrets successfully uploaded");
  } else {
    console.error("unknown command " + command);
    process.exit(1);
  }
});
`;

/** Starts everything. It ends with the test. */
export async function startShopFront(): Promise<ShopFront> {
  const [{ url: databaseUrl }, port, upstash, dir, cloud] = await Promise.all([
    createEmptyDatabase(),
    freePort(),
    redis(),
    mkdtemp(join(tmpdir(), "hub-setup-")),
    mkdtemp(join(tmpdir(), "hub-cloud-")),
  ]);
  const api = await supabase(databaseUrl, 4);
  const project = await startProject(api.url, api.serviceRoleKey);
  const hubUrl = `http://127.0.0.1:${port}`;
  const telegram = await startTelegramEmulator({ port: 0, token: "1000001:AAtelegram-token-of-the-shop" });
  const whatsapp = await startWhatsAppEmulator({
    port: 0,
    accessToken: "EAAaccess-token-of-the-shop",
    appSecret: "app-secret-of-the-shop",
    verifyToken: "unused",
    phoneNumberId: "100000000000001",
  });
  const bin = join(cloud, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "wrangler"), WRANGLER);
  await chmod(join(bin, "wrangler"), 0o755);
  const env = {
    PATH: `${bin}:${process.env.PATH}`,
    FAKE_CLOUDFLARE: cloud,
    SETUP_DIR: dir,
    NO_COLOR: "1",
    HUB_URL: hubUrl,
    DATABASE_URL: databaseUrl,
    SUPABASE_URL: project.url,
    SUPABASE_SERVICE_ROLE_KEY: api.serviceRoleKey,
    UPSTASH_REDIS_REST_URL: upstash.url,
    UPSTASH_REDIS_REST_TOKEN: upstash.token,
    TELEGRAM_BOT_TOKEN: "1000001:AAtelegram-token-of-the-shop",
    TELEGRAM_API_ROOT: telegram.url,
    WHATSAPP_APP_ID: "670843887433847",
    WHATSAPP_APP_SECRET: "app-secret-of-the-shop",
    WHATSAPP_ACCOUNT_ID: "102290129340398",
    WHATSAPP_PHONE_NUMBER_ID: "100000000000001",
    WHATSAPP_ACCESS_TOKEN: "EAAaccess-token-of-the-shop",
    WHATSAPP_API_ROOT: whatsapp.url,
    BOT: "echo",
  };
  const stored = async (): Promise<Record<string, string>> =>
    JSON.parse(await readFile(join(cloud, "secrets"), "utf8").catch(() => "{}"));
  const stopHub = hubOnceStored(stored, port);
  onTestFinished(async () => {
    await stopHub();
    await Promise.all([telegram.stop(), whatsapp.stop(), upstash.stop(), api.stop(), project.stop()]);
    await Promise.all([dir, cloud].map((one) => rm(one, { recursive: true, force: true })));
  });
  return {
    hubUrl,
    telegram,
    whatsapp,
    env,
    secrets: [
      env.SUPABASE_SERVICE_ROLE_KEY,
      env.UPSTASH_REDIS_REST_TOKEN,
      env.TELEGRAM_BOT_TOKEN,
      env.WHATSAPP_APP_SECRET,
      env.WHATSAPP_ACCESS_TOKEN,
      new URL(databaseUrl).password || databaseUrl,
    ],
    dir,
    project,
    stored,
    async wrangled() {
      const text = await readFile(join(cloud, "calls"), "utf8").catch(() => "");
      return text
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    },
    async tell(emulator, path, body) {
      const headers = { "content-type": "application/json" };
      const init = body ? { method: "POST", headers, body: JSON.stringify(body) } : {};
      return (await fetch(emulator.url + path, init)).json();
    },
  };
}

/** A Supabase project: its REST API, and of Storage and Auth what setup asks. */
interface Project {
  readonly url: string;
  /** Whether each is public, by name. */
  readonly buckets: Map<string, boolean>;
  readonly invited: string[];
  stop(): Promise<void>;
}

export const PUBLIC_KEY = "sb_publishable_of-the-shop";

async function startProject(rest: string, serviceKey: string): Promise<Project> {
  const buckets = new Map<string, boolean>();
  const invited: string[] = [];
  const server = createServer(async (request, response) => {
    const url = request.url ?? "";
    let text = "";
    for await (const chunk of request) text += chunk;
    const answer = (status: number, body: object) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    const isService = request.headers.apikey === serviceKey;
    if (url === "/auth/v1/settings")
      return answer(isService || request.headers.apikey === PUBLIC_KEY ? 200 : 401, { external: {} });
    if (/^\/(storage|auth)\//.test(url) && !isService) return answer(403, { message: "not allowed" });
    if (url === "/auth/v1/invite") {
      const { email } = JSON.parse(text);
      if (invited.includes(email)) return answer(422, { error_code: "email_exists" });
      invited.push(email);
      return answer(200, { id: crypto.randomUUID(), email });
    }
    if (url === "/storage/v1/bucket") {
      const { id, public: isPublic } = JSON.parse(text);
      if (buckets.has(id)) return answer(400, { statusCode: "409", error: "Duplicate" });
      buckets.set(id, isPublic);
      return answer(200, { name: id });
    }
    const bucket = /^\/storage\/v1\/bucket\/(.+)$/.exec(url)?.[1];
    if (bucket !== undefined)
      return buckets.has(bucket)
        ? answer(200, { id: bucket, public: buckets.get(bucket) })
        : answer(404, { error: "Bucket not found" });
    const { host: _, connection: __, "content-length": ___, ...headers } = request.headers;
    const passed = await fetch(rest + url, {
      method: request.method!,
      headers: headers as Record<string, string>,
      ...(text && { body: text }),
    });
    response.writeHead(passed.status, { "content-type": passed.headers.get("content-type") ?? "text/plain" });
    response.end(Buffer.from(await passed.arrayBuffer()));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    buckets,
    invited,
    stop: () =>
      new Promise((stopped) => {
        server.close(() => stopped());
        server.closeAllConnections();
      }),
  };
}

/** Starts the hub once the secrets are stored, as Cloudflare does. Returns what stops it. */
function hubOnceStored(stored: () => Promise<Record<string, string>>, port: number): () => Promise<void> {
  let stop = async () => {};
  const look = setInterval(async () => {
    const secrets = await stored();
    if (!secrets.ADMIN_API_KEY) return;
    clearInterval(look);
    const child = spawn(process.execPath, [join(root, "src/node.ts")], {
      env: { PATH: process.env.PATH, PORT: String(port), HOST: "127.0.0.1", SWEEP_SECONDS: "1", ...secrets },
      stdio: "ignore",
    });
    stop = async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    };
  }, 100);
  return async () => {
    clearInterval(look);
    await stop();
  };
}
