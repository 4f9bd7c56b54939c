import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import postgres from "postgres";
import { onTestFinished } from "vitest";
import { startTelegramEmulator } from "../../dev/emulators/telegram.ts";
import type { DeliverySettings } from "../../dev/emulators/webhook.ts";
import { startWhatsAppEmulator } from "../../dev/emulators/whatsapp.ts";
import { freePort } from "../../dev/services/ports.ts";
import { ENV } from "./http.ts";
import { type NodeHub, type NodeHubOptions, startNodeHub } from "./node-hub.ts";
import { createDatabase } from "./stack.ts";

/** An emulator's record of one call of the hub. */
export interface SentCall {
  readonly n: number;
  readonly method: string;
  readonly chat_id: string | number;
  readonly message_id: string | number;
  readonly text: string;
}

export interface Platform {
  /** One call to the emulator's script routes. */
  tell(path: string, body?: unknown): Promise<any>;
  /** The replies that it accepted, in order. */
  replies(): Promise<SentCall[]>;
}

export interface Shop {
  readonly telegram: Platform;
  readonly whatsapp: Platform;
  readonly sql: postgres.Sql;
  /** The options with which a hub of this shop starts. */
  readonly options: NodeHubOptions;
  /** Calls the hub. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  /** Opens the hub in this process; it closes with the test. */
  open(over?: Partial<NodeHubOptions>): Promise<NodeHub>;
  /** Opens the hub in a process of its own; it ends with the test. */
  spawn(over?: Partial<NodeHubOptions>): Promise<ChildProcess>;
}

/** Makes a shop with a database and both platforms, and no hub yet. Everything is removed after the test. */
export async function createShop(delivery: Partial<DeliverySettings> = {}): Promise<Shop> {
  const [{ url: databaseUrl }, port] = await Promise.all([createDatabase(), freePort()]);
  const url = `http://127.0.0.1:${port}`;
  const telegram = await startTelegramEmulator({
    port: 0,
    token: ENV.TELEGRAM_BOT_TOKEN,
    webhookUrl: `${url}/webhooks/telegram`,
    webhookSecret: ENV.TELEGRAM_WEBHOOK_SECRET,
    delivery: { retryMs: 100, maxRetryMs: 500, ...delivery },
  });
  const whatsapp = await startWhatsAppEmulator({
    port: 0,
    accessToken: ENV.WHATSAPP_ACCESS_TOKEN,
    appSecret: ENV.WHATSAPP_APP_SECRET,
    verifyToken: ENV.WHATSAPP_VERIFY_TOKEN,
    phoneNumberId: ENV.WHATSAPP_PHONE_NUMBER_ID,
    delivery: { retryMs: 100, maxRetryMs: 500, ...delivery },
  });
  await tell(whatsapp.url, "/_settings", { webhookUrl: `${url}/webhooks/whatsapp` });
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  onTestFinished(async () => {
    await Promise.all([telegram.stop(), whatsapp.stop(), sql.end()]);
  });
  const options = { port, databaseUrl, telegramUrl: telegram.url, whatsappUrl: whatsapp.url };
  return {
    telegram: platform(telegram.url, "sendMessage"),
    whatsapp: platform(whatsapp.url, "text"),
    sql,
    options,
    ask: (path, init) => fetch(url + path, init),
    async open(over) {
      const hub = await startNodeHub({ ...options, ...over });
      onTestFinished(() => hub.stop());
      return hub;
    },
    async spawn(over) {
      const script = join(import.meta.dirname, "hub-process.ts");
      const child = spawn(process.execPath, [script, JSON.stringify({ ...options, ...over })], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      onTestFinished(() => kill(child));
      await once(child.stdout, "data");
      child.stdout.resume();
      return child;
    },
  };
}

/** Kills a process, as a crash would, and waits for its end. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

/**
 * Starts a bot as docs/bots.md describes it. `answer` gets the turn, and returns the replies, throws, or never ends.
 */
export async function startBot(answer: (turn: any) => Promise<string[]>): Promise<string> {
  const server: Server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    response.setHeader("content-type", "application/json");
    try {
      const replies = (await answer(JSON.parse(body))).map((text) => ({ text }));
      response.end(JSON.stringify({ replies }));
    } catch (error) {
      response.writeHead(500).end(JSON.stringify({ error: String(error) }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function platform(url: string, method: string): Platform {
  return {
    tell: (path, body) => tell(url, path, body),
    replies: async () => (await tell(url, `/_sent?method=${method}`)).sent,
  };
}

async function tell(url: string, path: string, body?: unknown): Promise<any> {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(url + path, init);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}
