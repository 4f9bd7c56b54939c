import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Emulator } from "../../dev/emulators/server.ts";
import { startTelegramEmulator } from "../../dev/emulators/telegram.ts";
import { startWhatsAppEmulator } from "../../dev/emulators/whatsapp.ts";
import { freePort } from "../../dev/services/ports.ts";
import { answer, type Hub, quick, scriptOf, startHub } from "../support/emulators.ts";

let dir: string;
let hub: Hub;
let emulator: Emulator;
const script = scriptOf(() => emulator);
const chat = { id: 4711 };

const telegram = () =>
  startTelegramEmulator({ port: 0, dir, token: "1:t", webhookUrl: `${hub.url}/hook`, delivery: quick });
const whatsapp = () =>
  startWhatsAppEmulator({
    port: 0,
    dir,
    accessToken: "access",
    appSecret: "secret",
    verifyToken: "verify",
    phoneNumberId: "1",
    statuses: false,
    webhookUrl: `${hub.url}/hook`,
    delivery: quick,
  });
const call = (path: string, body: object) =>
  answer(
    fetch(`${emulator.url}/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer access" },
      body: JSON.stringify(body),
    }),
  );

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "emulator-"));
  hub = await startHub();
});
afterEach(async () => {
  await emulator.stop();
  await hub.stop();
  await rm(dir, { recursive: true });
});

test("after a restart Telegram keeps chats, messages, files, blocks, sent messages and counters", async () => {
  emulator = await telegram();
  const photo = [{ file_id: "AgACphotophoto", file_unique_id: "u", width: 1, height: 1 }];
  const first = await script.post("/_customer/message", { chat, photo });
  const [, sent] = await call("bot1:t/sendMessage", { chat_id: chat.id, text: "hello" });
  await script.post("/_customer/block", { chat: { id: 4712 } });
  await emulator.stop();

  emulator = await telegram();
  expect((await script.get("/_sent")).sent).toMatchObject([{ n: 1, text: "hello", chat_id: chat.id }]);
  const [, again] = await call("bot1:t/sendMessage", { chat_id: chat.id, text: "again" });
  expect(again.result.message_id).toBe(sent.result.message_id + 1);
  const [edited] = await call("bot1:t/editMessageText", {
    chat_id: chat.id,
    message_id: sent.result.message_id,
    text: "hello",
  });
  expect(edited).toBe(400); // it knows what the message says
  expect((await call("bot1:t/getFile", { file_id: "AgACphotophoto" }))[0]).toBe(200);
  expect((await call("bot1:t/sendMessage", { chat_id: 4712, text: "no" }))[0]).toBe(403);
  const next = await script.post("/_customer/message", { chat, text: "next" });
  expect(next.update_id).toBeGreaterThan(first.update_id);
  expect((await script.get("/_sent?after=1")).sent).toMatchObject([{ n: 2, text: "again" }]);

  await script.del("/_sent");
  await emulator.stop();
  emulator = await telegram();
  expect(await script.get("/_sent")).toEqual({ last: 2, sent: [] });
});

test("after a restart WhatsApp keeps customers by both ids, their window, messages and media", async () => {
  emulator = await whatsapp();
  const image = { id: "9001", mime_type: "image/png" };
  const written = await script.post("/_customer/message", {
    from: "15550001",
    user_id: "US.1",
    type: "image",
    image,
  });
  const text = (to: object) =>
    call("v25.0/1/messages", { messaging_product: "whatsapp", ...to, type: "text", text: { body: "hi" } });
  await text({ to: "15550001" });
  await emulator.stop();

  emulator = await whatsapp();
  expect((await script.get("/_sent")).sent).toMatchObject([{ n: 1, text: "hi", chat_id: "15550001" }]);
  expect((await text({ recipient: "US.1" }))[0]).toBe(200);
  expect((await text({ to: "15550002" }))[1].error.code).toBe(131047); // no window: never wrote
  const read = { messaging_product: "whatsapp", status: "read", message_id: written.message_id };
  expect((await call("v25.0/1/messages", read))[0]).toBe(200);
  const media = await fetch(`${emulator.url}/v25.0/9001`, { headers: { authorization: "Bearer access" } });
  expect(await media.json()).toMatchObject({ mime_type: "image/png" });
  await script.post("/_customer/silence", { user_id: "US.1", hours: 25 });
  await emulator.stop();

  emulator = await whatsapp();
  expect((await text({ to: "15550001" }))[1].error.code).toBe(131047);
});

test.each([
  ["Telegram", telegram, { chat, text: "undelivered" }],
  ["WhatsApp", whatsapp, { from: "15550001", text: { body: "undelivered" } }],
] as const)("%s delivers after a restart what it had not delivered", async (_, start, message) => {
  emulator = await start();
  await script.post("/_delivery", { retryMs: 60_000, maxRetryMs: 60_000 });
  hub.statuses.push(503);
  expect((await script.post("/_customer/message", message)).status).toBe(503);
  await emulator.stop();
  hub.webhooks.length = 0;

  emulator = await start();
  const [webhook] = await hub.until(1);
  expect(webhook!.body).toContain("undelivered");
  await expect.poll(async () => (await script.get("/_delivery")).stats.pending).toBe(0);
  await emulator.stop();
  emulator = await start();
  expect((await script.get("/_delivery")).stats).toMatchObject({ pending: 0, attempts: 0 });
});

test("a kill loses no answered send, and a half-written line is ignored", { timeout: 60_000 }, async () => {
  const port = await freePort();
  const program = `
    import { startTelegramEmulator } from "./dev/emulators/telegram.ts";
    await startTelegramEmulator({ port: ${port}, dir: ${JSON.stringify(dir)}, token: "1:t", strict: false });
    console.log("ready");`;
  const answered = new Map<number, string>();
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    let alive = true;
    const send = async (writer: number) => {
      for (let n = 0; alive; n++) {
        const text = `${round}-${writer}-${n}`;
        try {
          const response = await fetch(`http://127.0.0.1:${port}/bot1:t/sendMessage?chat_id=7&text=${text}`);
          answered.set(((await response.json()) as any).result.message_id, text);
        } catch {
          return; // killed: nothing was answered
        }
      }
    };
    const writers = Promise.all([1, 2, 3, 4].map(send));
    await new Promise((soon) => setTimeout(soon, 60 + Math.random() * 120));
    child.kill("SIGKILL");
    alive = false;
    await Promise.all([writers, once(child, "exit")]);
    await appendFile(join(dir, "state.jsonl"), '["sent","99999",{"n":99');
  }
  emulator = await telegram();
  const { sent } = await script.get("/_sent");
  const kept = new Map(sent.map((one: any) => [one.message_id, one.text]));
  expect(kept.size).toBe(sent.length); // no message id was given twice
  expect([...answered].filter(([id, text]) => kept.get(id) !== text)).toEqual([]);
  expect(answered.size).toBeGreaterThan(50);
});
