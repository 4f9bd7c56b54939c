import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ICAL from "ical.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import { type LocalWorker, startWorker } from "../../dev/worker.ts";
import { post } from "../support/http.ts";
import { createDatabase } from "../support/stack.ts";

let worker: LocalWorker;
let bot: Server;
let dir: string;

/** In a month, for the calendar shows a year. */
const day = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);

/** A bot that books a table and ends the session. */
const ANSWER = {
  replies: [{ text: "Booked. Goodbye!" }],
  actions: [
    {
      type: "create_reservation",
      name: "Ana",
      datetime: `${day}T19:00`,
      timezone: "America/Sao_Paulo",
      guests: 4,
    },
    { type: "create_order", order_id: "A-1", amount: "12.5", currency: "BRL" },
    { type: "end_session", summary: "A table for four" },
  ],
};

beforeAll(async () => {
  bot = createServer((_, response) => response.end(JSON.stringify(ANSWER)));
  await new Promise<void>((resolve) => bot.listen(0, "127.0.0.1", resolve));
  dir = await mkdtemp(join(tmpdir(), "bookings-"));
  const { url: databaseUrl } = await createDatabase();
  worker = await startWorker({
    port: await freePort(),
    dir,
    databaseUrl,
    vars: {
      ENVIRONMENT: "development",
      CONVERSATION_STORAGE_BACKEND: "postgres",
      WEB_API_KEY: "web-key",
      ADMIN_API_KEY: "admin-key",
      BOT_WEBHOOK_URL: `http://127.0.0.1:${(bot.address() as AddressInfo).port}/turns`,
      BOT_WEBHOOK_SECRET: "a-secret-of-the-bot",
    },
  });
}, 120_000);
afterAll(async () => {
  await worker?.stop();
  bot?.close();
  await rm(dir, { recursive: true, force: true });
});

test("on Workers a bot books a table, a page reads its goodbye, and a calendar program the table", async () => {
  const call = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(worker.url + path, init);
    return { status: response.status, text: await response.text() };
  };
  const json = async (path: string, init?: RequestInit) => JSON.parse((await call(path, init)).text);
  const admin = { "x-api-key": "admin-key" };

  const { session_token } = await json("/session/start", post({ channel: "web" }));
  const page = { authorization: `Bearer ${session_token}` };
  const said = await json(
    "/webhooks/web?wait=20",
    post({ external_id: "1", text: "A table for four" }, page),
  );
  expect(said.replies).toMatchObject([{ text: "Booked. Goodbye!" }]);
  const { messages } = await json("/session/messages", { headers: page });
  expect(messages.map(({ text }: { text: string }) => text)).toEqual([
    "A table for four",
    "reservation_created",
    "order_created",
    "Booked. Goodbye!",
  ]);
  expect((await call("/session/restore", { headers: page })).status).toBe(404);

  const { orders } = await json("/api/orders", { headers: admin });
  expect(orders).toMatchObject([{ order_id: "A-1", amount: "12.50", currency: "BRL" }]);
  const { reservations } = await json("/api/reservations", { headers: admin });
  expect(reservations).toMatchObject([{ datetime: `${day}T19:00:00-03:00`, timezone: "America/Sao_Paulo" }]);

  const feed = await json("/api/calendar-feeds", post({ name: "Front desk" }, admin));
  const calendar = await call(feed.path);
  const event = new ICAL.Event(new ICAL.Component(ICAL.parse(calendar.text)).getFirstSubcomponent("vevent")!);
  expect([calendar.status, event.summary, event.startDate.toJSDate().toISOString()]).toEqual([
    200,
    "Ana (4)",
    `${day}T22:00:00.000Z`,
  ]);
}, 60_000);
