import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { networkTo, via } from "../../dev/services/network.ts";
import type { Bot } from "../../src/core/answer/bot.ts";
import { createHubRig, type HubRig, kill } from "../support/hub-rig.ts";
import type { NodeHubOptions } from "../support/node-hub.ts";

/** Messages that the shop sends first, over HTTP, with the real channels, a real Postgres and emulators of both platforms. */

const PHONE = "4915112345678";
const CHAT = 9;
const soon = { timeout: 20_000, interval: 50 };
const silent: Bot = { history: 0, reply: async () => [] };
const admin = { "x-api-key": "admin-key" };
const hello = { kind: "text", text: "Your order is ready." };

async function opened(over: Partial<NodeHubOptions> = {}) {
  const rig = await createHubRig();
  const hub = await rig.open({ bot: silent, paced: false, ...over });
  return { rig, hub };
}

/** Anna writes on Telegram, shows her number there, and then writes on WhatsApp: one customer with two ways. */
async function anna(rig: HubRig): Promise<string> {
  await rig.telegram.tell("/_customer/message", { chat: { id: CHAT }, text: "hi" });
  await rig.telegram.tell("/_customer/contact", { chat: { id: CHAT }, own: true, phone_number: PHONE });
  await rig.whatsapp.tell("/_customer/message", { from: PHONE, text: "hi" });
  const sessions = await rig.sql`select session_id from public.sessions where status = 'active'`;
  expect(sessions).toHaveLength(1);
  return sessions[0]!.session_id;
}

async function send({ ask }: HubRig, body: object, headers: Record<string, string> = admin) {
  const answer = await ask("/api/messages", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ content: hello, idempotency_key: crypto.randomUUID(), ...body }),
  });
  return {
    status: answer.status,
    replayed: answer.headers.get("idempotent-replayed"),
    body: (await answer.json()) as any,
  };
}

async function state({ ask }: HubRig, id: string): Promise<any> {
  return (await ask(`/api/messages/${id}`, { headers: admin })).json();
}

async function optOut(rig: HubRig, method: "GET" | "PUT", body?: object): Promise<any> {
  const [{ customer_key }] = (await rig.sql`select customer_key from public.customers`) as any;
  const answer = await rig.ask(`/api/customers/${customer_key}/opt-outs`, {
    method,
    headers: { "content-type": "application/json", ...admin },
    ...(body && { body: JSON.stringify(body) }),
  });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as any).opt_outs;
}

/** What each platform has taken, without read marks and typing. */
async function shown(rig: HubRig): Promise<string[]> {
  const on = async (name: "telegram" | "whatsapp") =>
    (await rig[name].tell("/_sent")).sent
      .filter(({ method }: any) => ["sendMessage", "text", "template"].includes(method))
      .map(({ method, text }: any) => `${name} ${method === "template" ? "template" : text}`);
  return [...(await on("telegram")), ...(await on("whatsapp"))];
}

describe("a message that the shop sends first", () => {
  test("goes to the channel that the customer used last, and its sender can follow it", async () => {
    const { rig } = await opened();
    const session_id = await anna(rig);
    const { status, body } = await send(rig, { to: { session_id } });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      state: "placed",
      channel: "whatsapp",
      session_id,
      purpose: "service",
      tried: [],
    });
    await expect.poll(async () => (await state(rig, body.id)).status, soon).toBe("delivered");
    expect(await shown(rig)).toEqual([`whatsapp ${hello.text}`]);
    const history = await rig.ask(`/api/sessions/${session_id}/messages`, { headers: admin });
    expect(((await history.json()) as any).messages.at(-1)).toMatchObject({
      text: hello.text,
      role: "assistant",
    });
  });

  test("is one message however often its key comes, also at once, and another body is a conflict", async () => {
    const { rig } = await opened();
    const session_id = await anna(rig);
    const same = { to: { session_id }, idempotency_key: "order-7" };
    const all = await Promise.all([send(rig, same), send(rig, same), send(rig, same)]);
    expect(new Set(all.map(({ body }) => body.id)).size).toBe(1);
    expect(all.filter(({ replayed }) => replayed === "true")).toHaveLength(2);
    const other = await send(rig, { ...same, content: { kind: "text", text: "Another." } });
    expect([other.status, other.body.error.code]).toEqual([409, "idempotency_conflict"]);
    await expect.poll(() => shown(rig), soon).toHaveLength(1);
    // Of another key of the shop it is another message.
    expect((await send(rig, same, { "x-api-key": "bot-key" })).status).toBe(201);
    await expect.poll(() => shown(rig), soon).toHaveLength(2);
  });

  test("falls to the next channel when the platform refuses it for good, and is shown once", async () => {
    const { rig, hub } = await opened();
    const session_id = await anna(rig);
    await rig.whatsapp.tell("/_faults", {
      kind: "status",
      method: "text",
      status: 400,
      code: 131026,
      times: 1,
    });
    const { body } = await send(rig, { to: { session_id } });
    await expect.poll(() => shown(rig), soon).toEqual([`telegram ${hello.text}`]);
    await hub.sweep();
    expect(await state(rig, body.id)).toMatchObject({
      state: "placed",
      channel: "telegram",
      tried: [{ channel: "whatsapp", code: "rejected" }],
    });
    expect(await shown(rig)).toHaveLength(1);
    // An operator who has the dead letter sent again sends nothing.
    const [{ delivery_id }] =
      (await rig.sql`select delivery_id from public.deliveries where state = 'dead'`) as any;
    await rig.ask(`/api/dead-letters/${delivery_id}/retry`, { method: "POST", headers: admin });
    expect(await rig.sql`select actor, subject from audit where action = 'dead_letter.retry'`).toEqual([
      { actor: expect.stringContaining("admin"), subject: `delivery:${delivery_id}` },
    ]);
    await hub.sweep();
    expect(await shown(rig)).toHaveLength(1);
  });

  test("falls through too when the platform refuses it only afterwards", async () => {
    const { rig, hub } = await opened();
    const session_id = await anna(rig);
    await rig.whatsapp.tell("/_customer/refuse", { from: PHONE, code: 131026 });
    const { body } = await send(rig, { to: { session_id } });
    await expect
      .poll(() => hub.sweep().then(() => state(rig, body.id)), soon)
      .toMatchObject({
        channel: "telegram",
        status: "sent",
        tried: [{ channel: "whatsapp", reason: "131026" }],
      });
  });

  test("does not fall through when the platform may have shown it", async () => {
    const { rig, hub } = await opened({ leaseMs: 2_000 });
    const session_id = await anna(rig);
    // The platform takes the message and answers 500, and then refuses the second attempt.
    await rig.whatsapp.tell("/_faults", { kind: "cut", method: "text", times: 1 });
    const { body } = await send(rig, { to: { session_id } });
    await expect
      .poll(async () => (await rig.sql`select unsure from public.deliveries`)[0]?.unsure, soon)
      .toBe(true);
    await rig.whatsapp.tell("/_faults", {
      kind: "status",
      method: "text",
      status: 400,
      code: 131026,
      times: 1,
    });
    await expect
      .poll(() => hub.sweep().then(() => state(rig, body.id)), { timeout: 40_000, interval: 500 })
      .toMatchObject({ state: "placed", channel: "whatsapp", status: "failed" });
    await hub.sweep();
    expect((await shown(rig)).filter((one) => one.startsWith("telegram"))).toEqual([]);
  });

  test("takes the open window before the closed one, and a closed one only with a template or a wish to wait", async () => {
    const { rig } = await opened();
    const session_id = await anna(rig);
    await rig.sql`update public.reply_windows set closes_at = now()`;
    const first = await send(rig, { to: { session_id } });
    expect(first.body).toMatchObject({ channel: "telegram" });
    const only = await send(rig, { to: { session_id }, channel: "whatsapp" });
    expect(only.body).toMatchObject({ state: "failed", failure: { reason: "window_closed" } });
    const content = { kind: "template", name: "news", language: "de", fallback: "News" };
    expect((await send(rig, { to: { session_id }, channel: "whatsapp", content })).body.state).toBe("placed");
    const waits = { ...hello, outside_window: "hold" };
    const { body } = await send(rig, { to: { session_id }, channel: "whatsapp", content: waits });
    await expect.poll(async () => (await state(rig, body.id)).status, soon).toBe("pending");
  });

  test("reaches a phone that has never written, by a template", async () => {
    const { rig } = await opened();
    const content = { kind: "template", name: "news", language: "de", category: "marketing" };
    const { status, body } = await send(rig, { to: { phone: `+${PHONE}` }, content });
    expect([status, body.purpose]).toEqual([201, "marketing"]);
    await expect.poll(() => shown(rig), soon).toEqual(["whatsapp template"]);
    // The person who answers from that phone is that customer.
    await rig.whatsapp.tell("/_customer/message", { from: PHONE, text: "yes" });
    const rows = await rig.sql`select distinct session_id from public.messages`;
    expect(rows).toEqual([{ session_id: body.session_id }]);
    const text = await send(rig, { to: { telegram_chat_id: "77" } });
    await expect.poll(() => state(rig, text.body.id), soon).toMatchObject({ channel: "telegram" });
  });

  test("waits for its time, and not beyond its end", async () => {
    const clock = { aheadMs: 0 };
    const { rig, hub } = await opened({ clock });
    const session_id = await anna(rig);
    const at = (ms: number) => new Date(Date.now() + ms).toISOString();
    const later = await send(rig, { to: { session_id }, channel: "telegram", not_before: at(3_600_000) });
    const late = await send(rig, {
      to: { session_id },
      channel: "telegram",
      not_before: at(3_600_000),
      expires_at: at(3_700_000),
    });
    await hub.sweep();
    expect(await shown(rig)).toEqual([]);
    clock.aheadMs = 7_200_000;
    await hub.sweep();
    await expect.poll(() => shown(rig), soon).toEqual([`telegram ${hello.text}`]);
    expect(await state(rig, later.body.id)).toMatchObject({ state: "placed" });
    expect(await state(rig, late.body.id)).toMatchObject({ state: "failed", failure: { reason: "expired" } });
    expect((await send(rig, { to: { session_id }, not_before: at(9e5), expires_at: at(8e5) })).status).toBe(
      400,
    );
  });

  test("is cancelled while nothing of it is on its way, and is sent or cancelled when a sweep comes at once", async () => {
    const clock = { aheadMs: 0 };
    const { rig, hub } = await opened({ clock });
    const session_id = await anna(rig);
    const cancel = async (id: string, headers: Record<string, string> = admin) => {
      const answer = await rig.ask(`/api/messages/${id}/cancel`, { method: "POST", headers });
      return { status: answer.status, body: (await answer.json()) as any };
    };
    const later = async () => {
      const not_before = new Date(Date.now() + clock.aheadMs + 60_000).toISOString();
      return (await send(rig, { to: { session_id }, not_before })).body.id as string;
    };
    const planned = await later();
    expect((await cancel(planned, { "x-api-key": "web-key" })).status).toBe(403);
    const gone = { state: "failed", failure: { code: "rejected", reason: "cancelled" } };
    expect(await cancel(planned)).toMatchObject({ status: 200, body: gone });
    expect(await cancel(planned)).toMatchObject({ status: 200, body: gone });
    const audited = await rig.sql`select actor from public.audit where action = 'message.cancel'`;
    expect(audited).toHaveLength(1);
    clock.aheadMs += 120_000;
    await hub.sweep();
    expect(await shown(rig)).toEqual([]);
    // At once with the sweep that places it, several times.
    for (let round = 0; round < 6; round++) {
      const id = await later();
      clock.aheadMs += 61_000;
      const before = (await shown(rig)).length;
      const [{ status, body }] = await Promise.all([
        pause(round * 4).then(() => cancel(id)),
        hub.sweep(),
        hub.sweep(),
      ]);
      await hub.sweep();
      const isCancelled = (await state(rig, id)).failure?.reason === "cancelled";
      expect([status, body.error?.code]).toEqual(
        isCancelled ? [200, undefined] : [409, "illegal_transition"],
      );
      await expect.poll(async () => (await shown(rig)).length - before, soon).toBe(isCancelled ? 0 : 1);
    }
    expect(await cancel(crypto.randomUUID())).toMatchObject({ status: 404 });
    // One that is in the outbox and waits for the customer to write.
    await rig.sql`update public.reply_windows set closes_at = now()`;
    const content = { ...hello, outside_window: "hold" };
    const held = (await send(rig, { to: { session_id }, channel: "whatsapp", content })).body.id;
    await expect
      .poll(() => rig.sql`select from public.deliveries where state = 'held'`, soon)
      .toHaveLength(1);
    const before = await shown(rig);
    expect(await cancel(held)).toMatchObject({ status: 200, body: gone });
    await rig.whatsapp.tell("/_customer/message", { from: PHONE, text: "I am here" });
    await hub.sweep();
    expect(await shown(rig)).toEqual(before);
    // One that an earlier attempt may have shown is not cancelled, whatever its attempts say.
    const fault = { kind: "status", method: "sendMessage", status: 429, retry_after: 60, times: 1 };
    await rig.telegram.tell("/_faults", fault);
    const throttled = (await send(rig, { to: { session_id }, channel: "telegram" })).body.id;
    const waiting = () => rig.sql`select from public.deliveries where state = 'pending'`;
    await expect.poll(async () => (await waiting()).length, soon).toBe(1);
    await rig.sql`update public.deliveries set attempt = 0, unsure = true where state = 'pending'`;
    expect((await cancel(throttled)).status).toBe(409);
    await rig.sql`update public.deliveries set unsure = false where state = 'pending'`;
    expect((await cancel(throttled)).status).toBe(200);
  });

  test("survives a hub that is killed before it could send, and is shown once", async () => {
    const rig = await createHubRig();
    const child = await rig.spawn({ paced: false, leaseMs: 2_000, botUrl: "http://127.0.0.1:9" });
    await rig.telegram.tell("/_customer/message", { chat: { id: CHAT }, text: "hi" });
    const [{ session_id }] = (await rig.sql`select session_id from public.sessions`) as any;
    await rig.telegram.tell("/_faults", { kind: "timeout", method: "sendMessage", times: 1 });
    const { body } = await send(rig, { to: { session_id }, idempotency_key: "k" });
    expect(body.state).toBe("placed");
    await pause(200);
    await kill(child);
    const hub = await rig.open({ bot: silent, paced: false });
    expect(await send(rig, { to: { session_id }, idempotency_key: "k" })).toMatchObject({
      body: { id: body.id },
    });
    await expect
      .poll(() => hub.sweep().then(() => shown(rig)), { timeout: 30_000, interval: 300 })
      .toHaveLength(1);
    await hub.sweep();
    expect(await shown(rig)).toHaveLength(1);
  });

  test("is refused for nobody, for callers without the key, and for content of no channel", async () => {
    const { rig } = await opened();
    const session_id = await anna(rig);
    const to = { session_id };
    expect((await send(rig, { to }, {})).status).toBe(401);
    expect((await send(rig, { to }, { "x-api-key": "web-key" })).status).toBe(403);
    expect((await send(rig, { to }, { "x-api-key": "kiosk-key-1" })).status).toBe(403);
    expect((await send(rig, { to }, { authorization: `Bearer hst_${"x".repeat(43)}` })).status).toBe(401);
    expect((await send(rig, { to: { session_id: crypto.randomUUID() } })).status).toBe(404);
    expect((await send(rig, { to: { customer_id: "nobody" } })).status).toBe(404);
    expect((await send(rig, { to: { ...to, phone: "+4915112345679" } })).status).toBe(400);
    expect((await send(rig, { to, channel: "fax" })).status).toBe(400);
    expect((await send(rig, { to, content: { kind: "typing" } })).status).toBe(400);
    const nowhere = { kind: "template", name: "a", language: "de" };
    expect((await send(rig, { to, channel: "telegram", content: nowhere })).status).toBe(400);
    expect((await rig.ask(`/api/messages/${crypto.randomUUID()}`, { headers: admin })).status).toBe(404);
    expect(await shown(rig)).toEqual([]);
    const file = { kind: "image", media: { upload: crypto.randomUUID() } };
    const stored = await send(rig, { to, content: file });
    expect([stored.status, stored.body.error.code]).toEqual([501, "needs_storage"]);
  });
});

describe("opt-outs", () => {
  test.for(["STOP", "stop!", " Abmelden ", "désabonner", "إيقاف", "berhenti", "baja", "रोकें", "pare"])(
    "%s ends what the shop sends first on that channel, tells so, wakes no bot, and START brings it back",
    async (word) => {
      const turns: string[] = [];
      const bot: Bot = {
        history: 0,
        async reply({ message }) {
          turns.push(message.text);
          return [];
        },
      };
      const { rig } = await opened({ bot });
      const session_id = await anna(rig);
      await rig.whatsapp.tell("/_customer/message", { from: PHONE, text: word });
      await expect.poll(() => shown(rig), soon).toHaveLength(1);
      expect((await shown(rig))[0]).toMatch(/^whatsapp .*START/);
      expect(await optOut(rig, "GET")).toMatchObject([
        { channel: "whatsapp", purpose: null, source: "customer" },
      ]);
      expect((await send(rig, { to: { session_id } })).body).toMatchObject({ channel: "telegram" });
      const only = await send(rig, { to: { session_id }, channel: "whatsapp" });
      expect(only.body).toMatchObject({
        state: "failed",
        failure: { code: "rejected", reason: "opted_out" },
      });
      await rig.whatsapp.tell("/_customer/message", { from: PHONE, text: "START" });
      expect(await optOut(rig, "GET")).toEqual([]);
      expect((await send(rig, { to: { session_id }, channel: "whatsapp" })).body.state).toBe("placed");
      await expect.poll(() => turns, soon).toContain("START");
      expect(turns).not.toContain(word);
      const audit = await rig.sql`select action, actor from public.audit order by audit_id`;
      expect(audit).toEqual([
        { action: "opt_out.add", actor: "customer" },
        { action: "opt_out.remove", actor: "customer" },
      ]);
    },
  );

  test("a message that only contains the word, or comes twice, changes nothing more", async () => {
    const { rig } = await opened();
    await anna(rig);
    await rig.whatsapp.tell("/_customer/message", { from: PHONE, text: "please stop the delivery" });
    expect(await optOut(rig, "GET")).toEqual([]);
    await rig.whatsapp.tell("/_customer/message", { from: PHONE, text: "start" });
    await rig.whatsapp.tell("/_customer/message", { from: PHONE, text: "STOP" });
    await rig.whatsapp.tell("/_customer/message", { from: PHONE, text: "STOP" });
    expect(await optOut(rig, "GET")).toHaveLength(1);
    expect(await rig.sql`select action from public.audit`).toHaveLength(1);
  });

  test("the shop sets them by channel and purpose", async () => {
    const { rig } = await opened();
    const session_id = await anna(rig);
    expect(await optOut(rig, "PUT", { purpose: "marketing", opted_out: true })).toMatchObject([
      { channel: null, purpose: "marketing", source: "api" },
    ]);
    const news = await send(rig, { to: { session_id }, purpose: "marketing" });
    expect(news.body.failure).toEqual({ code: "rejected", reason: "opted_out" });
    expect((await send(rig, { to: { session_id } })).body.state).toBe("placed");
    await optOut(rig, "PUT", { channel: "whatsapp", opted_out: true });
    expect((await send(rig, { to: { session_id } })).body.channel).toBe("telegram");
    await optOut(rig, "PUT", { purpose: "marketing", opted_out: false });
    expect((await send(rig, { to: { session_id }, purpose: "marketing" })).body.channel).toBe("telegram");
  });

  test("one that comes between the message and its sending still holds", async () => {
    const clock = { aheadMs: 0 };
    const { rig, hub } = await opened({ clock });
    const session_id = await anna(rig);
    const not_before = new Date(Date.now() + 60_000).toISOString();
    const planned = await send(rig, { to: { session_id }, not_before });
    await rig.telegram.tell("/_faults", {
      kind: "status",
      method: "sendMessage",
      status: 429,
      retry_after: 60,
      times: 1,
    });
    const throttled = await send(rig, { to: { session_id }, channel: "telegram" });
    await expect
      .poll(async () => (await rig.sql`select state from public.deliveries`)[0]?.state, soon)
      .toBe("pending");
    await optOut(rig, "PUT", { opted_out: true });
    clock.aheadMs = 120_000;
    await hub.sweep();
    expect(await state(rig, planned.body.id)).toMatchObject({
      state: "failed",
      failure: { reason: "opted_out" },
    });
    expect(await state(rig, throttled.body.id)).toMatchObject({
      status: "failed",
      failure: { reason: "opted_out" },
    });
    const listed = await rig.ask("/api/dead-letters", { headers: admin });
    const { dead_letters } = (await listed.json()) as any;
    expect(dead_letters).toMatchObject([{ reason: "opted_out" }]);
    const again = await rig.ask(`/api/dead-letters/${dead_letters[0].id}/retry`, {
      method: "POST",
      headers: admin,
    });
    expect(((await again.json()) as any).error).toMatchObject({
      code: "not_retryable",
      details: { why: "opted_out" },
    });
    expect(await shown(rig)).toEqual([]);
  });

  test("a customer who has blocked the shop gets nothing there", async () => {
    const { rig } = await opened();
    const session_id = await anna(rig);
    // Telegram dates a block in whole seconds, and a message of the same second counts more.
    await pause(1_100);
    await rig.telegram.tell("/_customer/block", { chat: { id: CHAT } });
    const { body } = await send(rig, { to: { session_id }, channel: "telegram" });
    expect(body).toMatchObject({ state: "failed", failure: { reason: "blocked" } });
    expect((await send(rig, { to: { session_id } })).body.channel).toBe("whatsapp");
  });

  test("are in the export, as is what waits; an erasure ends both", async () => {
    const { rig, hub } = await opened();
    const session_id = await anna(rig);
    await optOut(rig, "PUT", { purpose: "marketing", opted_out: true });
    const not_before = new Date(Date.now() + 600_000).toISOString();
    const { body } = await send(rig, { to: { session_id }, not_before });
    const exported = (await (
      await rig.ask(`/api/sessions/${session_id}/export`, { headers: admin })
    ).json()) as any;
    expect(exported.opt_outs).toMatchObject([{ purpose: "marketing" }]);
    expect(exported.sent_first).toMatchObject([
      { id: body.id, state: "waiting", texts: { telegram: hello.text } },
    ]);
    await rig.ask(`/api/sessions/${session_id}`, { method: "DELETE", headers: admin });
    expect(await state(rig, body.id)).toMatchObject({ state: "failed", failure: { reason: "erased" } });
    await hub.sweep();
    expect(await shown(rig)).toEqual([]);
    const left = await rig.sql`select renderings, customer_key from public.dispatches`;
    expect(left).toEqual([{ renderings: null, customer_key: null }]);
    expect(await rig.sql`select from public.opt_outs`).toHaveLength(0);
  });
});

test("while the store is gone every route answers 503 in time, and what is asked again is there once", async () => {
  const rig = await createHubRig();
  const network = await networkTo(Number(new URL(rig.options.databaseUrl).port));
  onTestFinished(() => network.stop());
  const hub = await rig.open({
    bot: silent,
    paced: false,
    leaseMs: 3_000,
    databaseUrl: via(rig.options.databaseUrl, network.port),
  });
  const session_id = await anna(rig);
  const [{ customer_key }] = (await rig.sql`select customer_key from public.customers`) as any;
  const once = crypto.randomUUID();
  const campaign = {
    name: "x",
    customers: [customer_key],
    content: { en: { kind: "text", text: "Our new menu." } },
    language: "en",
    idempotency_key: once,
  };
  const planned = (
    await send(rig, { to: { session_id }, not_before: new Date(Date.now() + 3_600_000).toISOString() })
  ).body.id;
  const calls: readonly (readonly [string, string, object?])[] = [
    ["POST", "/api/messages", { to: { session_id }, content: hello, idempotency_key: once }],
    ["GET", `/api/messages/${planned}`],
    ["POST", `/api/messages/${planned}/cancel`],
    ["POST", "/api/campaigns", campaign],
    ["GET", "/api/campaigns"],
    ["GET", `/api/campaigns/${crypto.randomUUID()}`],
    ["POST", `/api/campaigns/${crypto.randomUUID()}/pause`],
    ["PUT", `/api/customers/${customer_key}/opt-outs`, { purpose: "marketing", opted_out: false }],
    ["GET", `/api/customers/${customer_key}/opt-outs`],
    ["GET", "/api/templates"],
  ];
  const ask = async ([method, path, body]: (typeof calls)[number]) => {
    const began = Date.now();
    const answer = await rig.ask(path, {
      method,
      headers: { ...admin, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    const { error } = (await answer.json()) as any;
    return { path, status: answer.status, code: error?.code, inTime: Date.now() - began < 10_000 };
  };
  // Refused, silent, and cut off when the answer comes: then the call may have been done.
  for (const mode of ["slam", "swallow", "cut"] as const) {
    network.mode = mode;
    network.hangUp();
    for (const found of await Promise.all(calls.map(ask)))
      expect(found, mode).toMatchObject({ status: 503, code: "unavailable", inTime: true });
  }
  network.mode = "pass";
  network.hangUp();
  await expect.poll(async () => (await ask(calls[4]!)).status, soon).toBe(200);
  expect(await ask(calls[0]!)).toMatchObject({ status: 201 });
  expect(await ask(calls[3]!)).toMatchObject({ status: 201 });
  expect(await ask(calls[2]!)).toMatchObject({ status: 200 });
  await expect
    .poll(() => hub.sweep().then(() => shown(rig)), soon)
    .toEqual(expect.arrayContaining([`whatsapp ${hello.text}`, "whatsapp Our new menu."]));
  await hub.sweep();
  expect(await shown(rig)).toHaveLength(2);
  expect(await rig.sql`select from public.campaigns`).toHaveLength(1);
}, 60_000);
