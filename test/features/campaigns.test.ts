import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Bot } from "../../src/core/answer/bot.ts";
import { createHubRig, type HubRig, kill } from "../support/hub-rig.ts";
import type { NodeHubOptions } from "../support/node-hub.ts";

/** Campaigns over HTTP, with the real channels, a real Postgres and the emulators. */

const admin = { "x-api-key": "admin-key", "content-type": "application/json" };
const soon = { timeout: 15_000, interval: 100 };
const silent: Bot = { history: 0, reply: async () => [] };

async function opened(people: number, over: Partial<NodeHubOptions> = {}) {
  const rig = await createHubRig();
  const hub = await rig.open({ bot: silent, paced: false, ...over });
  await fill(rig, people);
  return { rig, hub };
}

/** Customers who have written on WhatsApp. */
async function fill({ whatsapp }: HubRig, people: number): Promise<void> {
  for (let from = 0; from < people; from += 50) {
    const messages = Array.from({ length: Math.min(50, people - from) }, (_, i) => ({
      from: phone(from + i),
      text: "hi",
    }));
    expect((await whatsapp.tell("/_customer/batch", { messages })).status).toBe(200);
  }
}

const phone = (i: number) => `49151${String(20_000_000 + i)}`;

async function call(
  rig: HubRig,
  path: string,
  method = "GET",
  body?: object,
): Promise<{ status: number; body: any }> {
  const answer = await rig.ask(path, { method, headers: admin, ...(body && { body: JSON.stringify(body) }) });
  return { status: answer.status, body: await answer.json() };
}

async function start(rig: HubRig, over: object = {}): Promise<string> {
  const { status, body } = await call(rig, "/api/campaigns", "POST", {
    name: "Autumn",
    segment: {},
    content: { en: { kind: "text", text: "Our new menu is here." } },
    language: "en",
    rate: 80,
    ...over,
  });
  expect([status, body]).toMatchObject([201, { state: "preparing" }]);
  return body.id;
}

const progress = async (rig: HubRig, id: string) => (await call(rig, `/api/campaigns/${id}`)).body;

async function shown({ whatsapp }: HubRig): Promise<any[]> {
  const { sent } = await whatsapp.tell("/_sent");
  return sent.filter(({ method }: any) => method === "text" || method === "template");
}

/** Every recipient's message, once each. */
function onceEach(sent: any[], people: number): void {
  const to = sent.map(({ chat_id }) => chat_id);
  expect(new Set(to).size).toBe(to.length);
  expect(to.length).toBeLessThanOrEqual(people);
}

describe("a campaign", () => {
  test("reaches every customer of its segment once, in their language, and shows its results", async () => {
    const { rig, hub } = await opened(60);
    await rig.sql`update public.customers set preferred_language = 'de-AT' where customer_key in (select customer_key from public.customers limit 20)`;
    const content = {
      en: { kind: "text", text: "Our new menu is here." },
      de: { kind: "text", text: "Die neue Karte ist da." },
    };
    const id = await start(rig, { content });
    await expect
      .poll(() => hub.sweep().then(() => progress(rig, id)), soon)
      .toMatchObject({
        campaign: { state: "done", reason: null },
        progress: { recipients: 60, queued: 0, sent: 60, delivered: 60, failed: {} },
      });
    const sent = await shown(rig);
    onceEach(sent, 60);
    expect(sent.filter(({ text }) => text === content.de.text)).toHaveLength(20);
    await rig.whatsapp.tell("/_customer/message", { from: phone(3), text: "nice" });
    await rig.whatsapp.tell("/_customer/read", { from: phone(3) });
    await expect.poll(() => progress(rig, id), soon).toMatchObject({ progress: { replied: 1 } });
    const { body } = await call(rig, "/api/campaigns");
    expect(body).toMatchObject({ campaigns: [{ id, name: "Autumn" }], cursor: null });
  });

  test("leaves out who has opted out and who is in no window, and says so", async () => {
    const { rig, hub } = await opened(6);
    await rig.whatsapp.tell("/_customer/message", { from: phone(0), text: "STOP" });
    await rig.sql`update public.reply_windows set closes_at = now() where address ->> 'to' = ${phone(1)}`;
    const before = (await shown(rig)).length;
    const id = await start(rig);
    await expect
      .poll(() => hub.sweep().then(() => progress(rig, id)), soon)
      .toMatchObject({
        campaign: { state: "done" },
        progress: { sent: 4, failed: { opted_out: 1, window_closed: 1 } },
      });
    expect((await shown(rig)).length - before).toBe(4);
  });

  test("keeps its rate, pauses, goes on and is cancelled", async () => {
    const { rig, hub } = await opened(40);
    const began = Date.now();
    const id = await start(rig, { rate: 10 });
    await expect.poll(async () => (await shown(rig)).length, soon).toBeGreaterThan(5);
    expect((await call(rig, `/api/campaigns/${id}/pause`, "POST")).body.state).toBe("paused");
    await pause(600);
    const paused = (await shown(rig)).length;
    expect(paused).toBeLessThanOrEqual(((Date.now() - began) / 1000) * 10 + 8);
    await hub.sweep();
    expect((await shown(rig)).length).toBe(paused);
    expect((await call(rig, `/api/campaigns/${id}/resume`, "POST")).body.state).toBe("running");
    await expect.poll(async () => (await shown(rig)).length, soon).toBeGreaterThan(paused);
    expect((await call(rig, `/api/campaigns/${id}/cancel`, "POST")).body.state).toBe("cancelled");
    await pause(600);
    const left = (await progress(rig, id)).progress;
    expect(left.failed.cancelled).toBeGreaterThan(0);
    expect(left.failed.cancelled + left.sent).toBe(40);
    expect((await call(rig, `/api/campaigns/${id}/resume`, "POST")).status).toBe(409);
    onceEach(await shown(rig), 40);
  });

  test("keeps the quiet hours of each customer's time zone", async () => {
    const clock = { aheadMs: Date.UTC(2030, 0, 15, 20, 0) - Date.now() };
    const { rig, hub } = await opened(3, { clock });
    // It is 20:00 in London, 01:30 in Kolkata and 15:00 in New York.
    const zones = ["Europe/London", "Asia/Kolkata", "America/New_York"];
    const keys = await rig.sql`select customer_key from public.customers order by customer_key`;
    for (const [i, { customer_key }] of keys.entries())
      await rig.sql`update public.customers set attributes = ${rig.sql.json({ timezone: zones[i]! })} where customer_key = ${customer_key}`;
    const quiet_hours = { from: "21:00", to: "08:00", timezone: "Nowhere/Else" };
    expect((await call(rig, "/api/campaigns", "POST", { quiet_hours })).status).toBe(400);
    const content = { en: { kind: "template", name: "news", language: "en" } };
    const id = await start(rig, { content, quiet_hours: { ...quiet_hours, timezone: "UTC" } });
    await expect.poll(() => progress(rig, id), soon).toMatchObject({ progress: { queued: 1, sent: 2 } });
    const [{ due_at }] = (await rig.sql`select due_at from public.dispatches where state = 'queued'`) as any;
    expect(due_at).toEqual(new Date("2030-01-16T02:30:00Z"));
    clock.aheadMs += 7 * 3_600_000;
    await expect
      .poll(() => hub.sweep().then(() => progress(rig, id)), soon)
      .toMatchObject({
        campaign: { state: "done" },
        progress: { sent: 3 },
      });
  });

  test("pauses itself when its template is paused, and goes on where it was", async () => {
    const { rig, hub } = await opened(30);
    const template = { name: "news", language: "de", body: "News", category: "MARKETING" };
    await rig.whatsapp.tell("/_templates", template);
    await rig.sql`update public.reply_windows set closes_at = now()`;
    const content = { de: { kind: "template", name: "news", language: "de", category: "marketing" } };
    const id = await start(rig, { content, language: "de", rate: 10 });
    await expect.poll(async () => (await shown(rig)).length, soon).toBeGreaterThan(5);
    await rig.whatsapp.tell("/_templates", { ...template, status: "PAUSED" });
    await expect
      .poll(() => progress(rig, id), soon)
      .toMatchObject({ campaign: { state: "paused", reason: "132015" } });
    await pause(500);
    expect((await progress(rig, id)).progress.failed).toEqual({});
    await rig.whatsapp.tell("/_templates", { ...template, status: "APPROVED" });
    await call(rig, `/api/campaigns/${id}/resume`, "POST");
    await expect
      .poll(() => hub.sweep().then(() => progress(rig, id)), soon)
      .toMatchObject({
        campaign: { state: "done", reason: null },
        progress: { sent: 30, failed: {} },
      });
    onceEach(await shown(rig), 30);
    expect(await shown(rig)).toHaveLength(30);
  });

  test("killed twice in the middle writes to nobody twice, and to all but those who were on their way", async () => {
    const rig = await createHubRig();
    const options = { paced: false, leaseMs: 2_000, botUrl: "http://127.0.0.1:9" };
    const first = await rig.spawn(options);
    await fill(rig, 100);
    const id = await start(rig, { rate: 40 });
    await expect.poll(async () => (await shown(rig)).length, soon).toBeGreaterThan(20);
    await kill(first);
    const second = await rig.spawn(options);
    await call(rig, `/api/campaigns/${id}/resume`, "POST");
    await expect.poll(async () => (await shown(rig)).length, soon).toBeGreaterThan(50);
    await kill(second);
    const hub = await rig.open({ bot: silent, paced: false, leaseMs: 2_000 });
    await expect
      .poll(() => hub.sweep().then(() => progress(rig, id)), { timeout: 60_000, interval: 500 })
      .toMatchObject({ campaign: { state: "done" }, progress: { recipients: 100, queued: 0, sending: 0 } });
    const { sent, failed } = (await progress(rig, id)).progress;
    expect(sent + (failed.maybe_sent ?? 0)).toBe(100);
    // Of each hub at most those that it had on their way: 32, and one step.
    expect(sent).toBeGreaterThan(20);
    onceEach(await shown(rig), 100);
  });

  test("does not send again what a platform took and answered with a failure", async () => {
    const { rig, hub } = await opened(5);
    await rig.whatsapp.tell("/_faults", { kind: "accept-then-cut", method: "text", times: 2 });
    const id = await start(rig);
    await expect
      .poll(() => hub.sweep().then(() => progress(rig, id)), soon)
      .toMatchObject({
        campaign: { state: "done" },
        progress: { sent: 3, failed: { maybe_sent: 2 } },
      });
    onceEach(await shown(rig), 5);
    expect(await shown(rig)).toHaveLength(5);
  });

  test("never holds up a reply: one that waits for a throttled campaign goes first", async () => {
    const bot: Bot = {
      history: 0,
      reply: async ({ message }) => (message.text === "hey" ? [{ kind: "text", text: "answer" }] : []),
    };
    const { rig } = await opened(1, { bot });
    await rig.whatsapp.tell("/_faults", {
      kind: "status",
      method: "text",
      status: 400,
      code: 80007,
      times: 1,
    });
    await start(rig);
    await expect
      .poll(async () => (await rig.sql`select state from public.deliveries where bulk`)[0]?.state, soon)
      .toBe("pending");
    await rig.whatsapp.tell("/_customer/message", { from: phone(0), text: "hey" });
    await expect
      .poll(async () => (await shown(rig)).map(({ text }) => text), { timeout: 5_000 })
      .toEqual(["answer"]);
  });

  test("takes no slot of a paced account from a reply, and three quarters of what replies leave", async () => {
    const { rig } = await opened(0);
    const now = new Date();
    const slots = (bulk: boolean, count: number) =>
      rig.sql.begin(async (sql) => {
        const found: number[] = [];
        for (let i = 0; i < count; i++) {
          const [row] = await sql`
            select hub.take_slot('telegram', 'bot', ${now}, ${bulk}, hub.context_of(${sql.json({
              now: now.toISOString(),
              patience_ms: 10_000,
              lease_ms: 60_000,
              pace: { telegram: 10 },
            })})) as at`;
          // In hundredths of a second.
          found.push(Math.round((row!.at.getTime() - now.getTime()) / 10));
        }
        return found;
      });
    expect(await slots(true, 4)).toEqual([0, 13, 27, 40]);
    expect(await slots(false, 3)).toEqual([0, 10, 20]);
    // The three replies have moved it on by three tenths of a second.
    expect(await slots(true, 1)).toEqual([83]);
    expect(await slots(false, 1)).toEqual([30]);
  });

  test("of customers by id writes to those, once each, though two of them become one", async () => {
    const { rig, hub } = await opened(4);
    const keys = (await rig.sql`select customer_key from public.customers order by customer_key`).map(
      (row) => row.customer_key,
    );
    const starts_at = new Date(Date.now() + 3_000).toISOString();
    const id = await start(rig, {
      segment: undefined,
      customers: [...keys.slice(0, 3), keys[0], "nobody"],
      starts_at,
    });
    await expect
      .poll(() => progress(rig, id), soon)
      .toMatchObject({ progress: { recipients: 3, queued: 3 } });
    const join = (give_up: string[]) =>
      call(rig, `/api/customers/${keys[1]}/merge`, "POST", { into: keys[0], give_up });
    const { differ } = (await join([])).body.error.details;
    expect((await join(differ)).status).toBe(200);
    await pause(3_000);
    await expect
      .poll(() => hub.sweep().then(() => progress(rig, id)), soon)
      .toMatchObject({ campaign: { state: "done" }, progress: { recipients: 2, sent: 2, failed: {} } });
    onceEach(await shown(rig), 2);
    expect(await shown(rig)).toHaveLength(2);
  });

  test("is for admin keys only, and its body is checked", async () => {
    const { rig } = await opened(0);
    const body = { name: "x", segment: {}, content: { en: { kind: "text", text: "x" } }, language: "en" };
    const status = async (headers: Record<string, string>, given: object = body) =>
      (
        await rig.ask("/api/campaigns", {
          method: "POST",
          headers: { "content-type": "application/json", ...headers },
          body: JSON.stringify(given),
        })
      ).status;
    expect(await status({})).toBe(401);
    for (const key of ["web-key", "kiosk-key-1"]) expect(await status({ "x-api-key": key })).toBe(403);
    expect(await status({ "x-api-key": "bot-key" })).toBe(401);
    for (const wrong of [
      { language: "de" },
      { customers: ["a"] },
      { segment: undefined },
      { rate: 500 },
      { channel: "fax" },
    ])
      expect(await status(admin, { ...body, ...wrong })).toBe(400);
    expect((await call(rig, `/api/campaigns/${crypto.randomUUID()}`)).status).toBe(404);
    expect((await call(rig, `/api/campaigns/${crypto.randomUUID()}/pause`, "POST")).status).toBe(404);
  });
});
