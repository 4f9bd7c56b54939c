import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { Emulator } from "../../dev/emulators/server.ts";
import { startTelegramEmulator } from "../../dev/emulators/telegram.ts";
import { startWhatsAppEmulator } from "../../dev/emulators/whatsapp.ts";
import { freePort } from "../../dev/services/ports.ts";
import { startWorker } from "../../dev/worker.ts";
import { post } from "./http.ts";
import { createDatabase, supabase } from "./stack.ts";

/** The Worker under workerd, with its database, its bot and its platforms. */
export interface LiveHub {
  readonly url: string;
  readonly databaseUrl: string;
  readonly bot: Bot;
  readonly telegram: Emulator;
  readonly whatsapp: Emulator;
  /** Runs a sweep, as the cron does. */
  sweep(): Promise<void>;
  /** Kills the Worker, as Cloudflare may at any moment, and starts another one. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface Bot {
  readonly url: string;
  /** How long the bot takes for a reply, in ms. */
  delayMs: number;
  /** Answers a turn in place of the echo, if it is set. */
  respond: ((turn: any, answer: ServerResponse) => unknown) | undefined;
  stop(): Promise<unknown>;
}

/** Starts a hub on Supabase's REST API, with a bot that echoes, and emulators of both platforms. */
export async function startLiveHub(): Promise<LiveHub> {
  const [database, bot] = await Promise.all([createDatabase(), startBot()]);
  const rest = await supabase(database.url);
  const [port, telegramPort, whatsappPort] = await Promise.all([freePort(), freePort(), freePort()]);
  const url = `http://127.0.0.1:${port}`;
  const telegram = await startTelegramEmulator({
    port: telegramPort,
    token: "1000001:token",
    webhookUrl: `${url}/webhooks/telegram`,
    webhookSecret: "telegram-secret",
    limits: false,
  });
  const whatsapp = await startWhatsAppEmulator({
    port: whatsappPort,
    accessToken: "access-token",
    appSecret: "app-secret",
    verifyToken: "verify-token",
    phoneNumberId: "100000000000001",
    webhookUrl: `${url}/webhooks/whatsapp`,
    limits: false,
  });
  const vars = {
    CORS_ORIGINS: "https://shop.example",
    BOT: "webhook",
    BOT_WEBHOOK_URL: bot.url,
    BOT_WEBHOOK_SECRET: "a-secret-of-the-bot",
    SUPABASE_URL: rest.url,
    SUPABASE_SERVICE_ROLE_KEY: rest.serviceRoleKey,
    TELEGRAM_BOT_TOKEN: "1000001:token",
    TELEGRAM_BOT_USERNAME: "shop_bot",
    TELEGRAM_WEBHOOK_SECRET: "telegram-secret",
    TELEGRAM_API_ROOT: telegram.url,
    WHATSAPP_ACCESS_TOKEN: "access-token",
    WHATSAPP_APP_SECRET: "app-secret",
    WHATSAPP_VERIFY_TOKEN: "verify-token",
    WHATSAPP_PHONE_NUMBER_ID: "100000000000001",
    WHATSAPP_API_ROOT: whatsapp.url,
  };
  let worker = await startHub(database.url, port, vars);
  return {
    url,
    databaseUrl: database.url,
    bot,
    telegram,
    whatsapp,
    sweep: () => worker.sweep(),
    async restart() {
      await worker.kill();
      worker = await startHub(database.url, port, vars);
    },
    async stop() {
      for (const part of [worker, telegram, whatsapp, bot, rest]) await part.stop();
    },
  };
}

/** Starts the Worker alone. */
export async function startHub(databaseUrl: string, port: number, vars: Record<string, string>) {
  const dir = await mkdtemp(join(tmpdir(), "hub-live-"));
  const keys = { ENVIRONMENT: "development", WEB_API_KEY: "web-key" };
  const worker = await startWorker({ port, dir, vars: { ...keys, ...vars }, databaseUrl });
  const stop = async () => {
    await worker.stop();
    await rm(dir, { recursive: true, force: true });
  };
  return { url: worker.url, sweep: () => worker.sweep(), kill: () => worker.kill(), stop };
}

async function startBot(): Promise<Bot> {
  const server = createServer(async (call, answer) => {
    let text = "";
    for await (const chunk of call) text += chunk;
    const turn = JSON.parse(text);
    if (bot.respond) return void (await bot.respond(turn, answer));
    const { message } = turn;
    await new Promise((thought) => setTimeout(thought, bot.delayMs));
    answer.setHeader("content-type", "application/json");
    answer.end(JSON.stringify({ replies: [{ kind: "text", text: `Re: ${message.text}` }] }));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const stop = () => new Promise((stopped) => server.close(stopped));
  const bot: Bot = { url: `http://127.0.0.1:${port}/`, delayMs: 0, respond: undefined, stop };
  return bot;
}

/** A device's session at a hub. */
export interface Begun {
  readonly hub: string;
  readonly token: string;
  readonly id: string;
  readonly bearer: { authorization: string };
}

export async function begin(hub: string, body: object = { channel: "web" }): Promise<Begun> {
  const answer = await fetch(`${hub}/session/start`, post(body, { "x-api-key": "web-key" }));
  const { session_token: token, session } = (await answer.json()) as any;
  return { hub, token, id: session.session_id, bearer: { authorization: `Bearer ${token}` } };
}

/** Posts a message for the device. */
export async function say({ hub, bearer }: Begun, text: string): Promise<void> {
  const answer = await fetch(`${hub}/webhooks/web`, post({ external_id: text, text }, bearer));
  expect(answer.status).toBe(200);
}

/** All messages of the device's session, from the API. */
export async function history({ hub, bearer }: Begun): Promise<any[]> {
  const all: any[] = [];
  for (let after = "0", more = true; more; ) {
    const answer = await fetch(`${hub}/session/messages?limit=200&after=${after}`, { headers: bearer });
    const page = (await answer.json()) as any;
    all.push(...page.messages);
    ({ cursor: after, more } = page);
  }
  return all;
}

/** Lets a customer act on a platform, and checks that the hub accepted the webhook. */
export async function play(emulator: Emulator, path: string, fields: object): Promise<any> {
  const answer = (await (await fetch(`${emulator.url}${path}`, post(fields))).json()) as any;
  expect(answer).toMatchObject({ status: 200 });
  return answer;
}
