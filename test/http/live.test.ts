import postgres from "postgres";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import { post } from "../support/http.ts";
import { browse, isReady, refusal, textsOf } from "../support/live.ts";
import { begin, history, type LiveHub, play, say, startHub, startLiveHub } from "../support/live-hub.ts";

const DIGITS = "4915112345678";

let hub: LiveHub;

beforeAll(async () => {
  hub = await startLiveHub();
}, 120_000);

afterEach(() => {
  hub.bot.delayMs = 0;
});
afterAll(() => hub?.stop());

/** The receipt may arrive before the delivery is settled: then its status comes first, or alone. */
const isProgress = ({ type }: { type: string }) => type === "status" || type === "changed";

describe("events for devices", () => {
  test("a WhatsApp message, typing, the reply and its statuses reach every device", async () => {
    hub.bot.delayMs = 300;
    const customer = { phone: `+${DIGITS}`, channel: "web" };
    const [web, kiosk] = [
      await begin(hub.url, customer),
      await begin(hub.url, { ...customer, channel: "kiosk" }),
    ];
    const devices = [await browse(hub.url, web.token), await browse(hub.url, kiosk.token)];
    await Promise.all(devices.map((device) => device.until(isReady)));
    await play(hub.whatsapp, "/_customer/message", { from: DIGITS, text: "From my phone" });
    for (const device of devices) {
      await device.until((it) => it.frames.some(isProgress));
      expect(textsOf(device)).toEqual(["From my phone", "Re: From my phone"]);
      expect(device.of("typing")).toEqual([{ type: "typing", channel: "whatsapp" }]);
      const [, reply] = device.of("message");
      expect(reply).toMatchObject({ cursor: String(reply.message.seq), message: { direction: "outbound" } });
      const first = device.frames.find(isProgress);
      expect(first.message_id ?? first.message.message_id).toBe(reply.message.message_id);
      expect(["sent", "delivered"]).toContain(first.status ?? first.message.status);
      expect(device.of("session").at(-1).session).toMatchObject({ channels: ["web", "kiosk", "whatsapp"] });
      const order = device.frames.map(({ type }) => type).filter((type) => type !== "session");
      expect(order.indexOf("typing")).toBeLessThan(order.lastIndexOf("message"));
      expect(order.lastIndexOf("message")).toBeLessThan(order.indexOf(first.type));
    }
    await play(hub.whatsapp, "/_customer/read", { from: DIGITS });
    for (const device of devices) {
      await device.until((it) => it.of("changed").some(({ message }) => message.status === "read"));
      await device.close();
    }
  });

  test("an edit, and what another device changes in the session", async () => {
    const chat = { id: 7001, type: "private" };
    const kiosk = await begin(hub.url, { channel: "kiosk", telegram_chat_id: "7001" });
    const device = await browse(hub.url, kiosk.token);
    const { message_id } = await play(hub.telegram, "/_customer/message", { chat, text: "Hte coffee" });
    await device.until((it) => textsOf(it).length === 2);
    await play(hub.telegram, "/_customer/edit", { chat, message_id, text: "The coffee" });
    await device.until((it) => it.of("changed").some(({ message }) => message.text === "The coffee"));
    const change = { data: { cart: ["coffee"] }, message: "Put it into the cart" };
    await fetch(`${hub.url}/session/update`, post(change, kiosk.bearer));
    await device.until((it) => textsOf(it).includes("Put it into the cart"));
    await device.until((it) => it.of("session").some(({ session }) => session.data.cart));
    await device.close();
  });

  test("a ping is answered, anything else ignored, and too much of it ends the connection", async () => {
    const device = await browse(hub.url, (await begin(hub.url)).token);
    device.send('{"type":"messages"}');
    device.send("ping");
    await device.until((it) => isReady(it) && it.pongs === 2);
    expect(device.frames).toHaveLength(1);
    device.send("x".repeat(1025));
    expect((await device.closed).code).toBe(1009);
  });
});

describe("no event is missed", () => {
  test("a device that comes back with its cursor gets what came meanwhile, once and in order", async () => {
    const mine = await begin(hub.url);
    const first = await browse(hub.url, mine.token);
    await say(mine, "one");
    await first.until((it) => textsOf(it).length === 2);
    const { cursor } = first.of("message").at(-1);
    await first.close();
    await say(mine, "two");
    await say(mine, "three");
    const second = await browse(hub.url, mine.token, `?after=${cursor}`);
    await say(mine, "four");
    await second.until((it) => textsOf(it).length === 6);
    const sent = (await history(mine)).map(({ text }) => text);
    expect([...textsOf(first), ...textsOf(second)]).toEqual(sent);
    await second.close();
  });

  test("a long history comes in pages and is then ready", async () => {
    const mine = await begin(hub.url);
    const sql = postgres(hub.databaseUrl, { max: 1 });
    await sql`
      insert into messages (message_id, session_id, seq, channel, direction, role, kind, text, created_at)
      select gen_random_uuid(), ${mine.id}, i, 'web', 'inbound', 'user', 'text', i::text, now()
      from generate_series(1, 450) i`;
    await sql.end();
    const device = await browse(hub.url, mine.token);
    await device.until(isReady);
    expect(textsOf(device)).toEqual(Array.from({ length: 450 }, (_, i) => String(i + 1)));
    expect(device.frames.at(-1)).toEqual({
      type: "ready",
      cursor: device.frames.at(-2).cursor,
      epoch: expect.any(String),
    });
    await device.close();
  });

  test("two hundred messages at once arrive on every device in order, each once", async () => {
    const mine = await begin(hub.url);
    const devices = [await browse(hub.url, mine.token), await browse(hub.url, mine.token)];
    const texts = Array.from({ length: 200 }, (_, i) => `message ${i}`);
    const saying = Array.from({ length: 8 }, async (_, lane) => {
      for (let i = lane; i < texts.length; i += 8) await say(mine, texts[i]!);
    });
    await Promise.all(saying);
    const late = await browse(hub.url, mine.token);
    for (const device of [...devices, late]) await device.until((it) => textsOf(it).length >= 400, 60_000);
    const sent = (await history(mine)).map(({ message_id }) => message_id);
    for (const device of [...devices, late]) {
      expect(device.of("message").map(({ message }) => message.message_id)).toEqual(sent);
      await device.close();
    }
  }, 120_000);

  // workerd hibernates a room after ten seconds without events.
  test("a hibernated room wakes up for a message", async () => {
    const mine = await begin(hub.url);
    const device = await browse(hub.url, mine.token);
    await say(mine, "before");
    await device.until((it) => textsOf(it).length === 2);
    await new Promise((asleep) => setTimeout(asleep, 12_000));
    await say(mine, "after");
    await device.until((it) => textsOf(it).length === 4);
    expect(textsOf(device)).toEqual(["before", "Re: before", "after", "Re: after"]);
    await device.close();
  });

  test("a long poll answers within a second of a message", async () => {
    const mine = await begin(hub.url);
    const waiting = fetch(`${hub.url}/session/messages?wait=20`, { headers: mine.bearer });
    await new Promise((later) => setTimeout(later, 6_000));
    await say(mine, "at last");
    const said = Date.now();
    expect(((await (await waiting).json()) as any).messages[0]).toMatchObject({ text: "at last" });
    expect(Date.now() - said).toBeLessThan(1_500);
  });
});

describe("when a connection must end", () => {
  test("signing out closes that device only, ending the session closes all", async () => {
    const phone = "+4915112345699";
    const [web, kiosk] = [
      await begin(hub.url, { channel: "web", phone }),
      await begin(hub.url, { channel: "kiosk", phone }),
    ];
    const [first, second] = [await browse(hub.url, web.token), await browse(hub.url, kiosk.token)];
    await fetch(`${hub.url}/session/signout`, { method: "POST", headers: web.bearer });
    expect(await first.closed).toEqual({ code: 4003, reason: "closed" });
    await say(kiosk, "Still here");
    await second.until((it) => textsOf(it).length === 2);
    expect(textsOf(first)).toEqual([]);
    const third = await browse(hub.url, kiosk.token);
    await fetch(`${hub.url}/session/end`, { method: "POST", headers: kiosk.bearer });
    expect((await second.closed).code).toBe(4003);
    expect((await third.closed).code).toBe(4003);
    const token = { "sec-websocket-protocol": `hub.v1, ${kiosk.token}` };
    expect(await refusal(hub.url, token)).toMatchObject({ status: 404, code: "session_not_found" });
  });

  test("a scan closes the old token's connections, and the page goes on with the new one", async () => {
    const page = await begin(hub.url);
    const devices = [await browse(hub.url, page.token), await browse(hub.url, page.token)];
    await Promise.all(devices.map((device) => device.until(isReady)));
    const asked = await fetch(`${hub.url}/session/link`, { method: "POST", headers: page.bearer });
    const { links, session_token } = (await asked.json()) as any;
    const next = { "sec-websocket-protocol": `hub.v1, ${session_token}` };
    expect(await refusal(hub.url, next)).toMatchObject({ status: 404, code: "session_not_found" });
    const waiting = fetch(`${hub.url}/session/messages?wait=10`, { headers: page.bearer });
    const chat = { id: 7003, type: "private" };
    await play(hub.telegram, "/_customer/message", {
      chat,
      text: `/start ${links.telegram.split("start=")[1]}`,
    });
    for (const device of devices) expect(await device.closed).toEqual({ code: 4003, reason: "closed" });
    expect((await waiting).status).toBe(404);
    for (const device of devices) expect(textsOf(device)).toEqual([]);
    const mine = await browse(hub.url, session_token);
    await mine.until(isReady);
    expect(textsOf(mine)).toContain("linked");
    await mine.close();
  });

  test("devices of merged sessions are closed, and a new proof gives the whole history", async () => {
    const chat = { id: 7002, type: "private" };
    const phone = "+4915112345602";
    const older = await begin(hub.url, { channel: "web", telegram_chat_id: String(chat.id) });
    await say(older, "in the older one");
    const younger = await begin(hub.url, { channel: "kiosk", phone });
    expect(younger.id).not.toBe(older.id);
    const devices = [await browse(hub.url, older.token), await browse(hub.url, younger.token)];
    await Promise.all(devices.map((device) => device.until(isReady)));
    await play(hub.telegram, "/_customer/contact", { chat, phone_number: phone });
    for (const device of devices) expect(await device.closed).toEqual({ code: 4003, reason: "closed" });
    const proven = await begin(hub.url, { channel: "kiosk", phone });
    const again = await browse(hub.url, proven.token);
    await again.until(isReady);
    expect(textsOf(again)).toContain("in the older one");
    expect(again.of("message")[0].message.session_id).toBe(older.id);
    await say(proven, "and together from here");
    await again.until((it) => textsOf(it).includes("and together from here"));
    await again.close();
  });
});

describe.each(["memory", "postgres"])("over the %s store", (CONVERSATION_STORAGE_BACKEND) => {
  test("a room reads what the Worker wrote", async () => {
    const other = await startHub(hub.databaseUrl, await freePort(), { CONVERSATION_STORAGE_BACKEND });
    const mine = await begin(other.url);
    const device = await browse(other.url, mine.token);
    await say(mine, "Hello");
    await device.until((it) => textsOf(it).length === 2);
    await say(mine, "Again");
    await device.until((it) => textsOf(it).length === 4);
    expect(textsOf(device)).toEqual((await history(mine)).map(({ text }) => text));
    await fetch(`${other.url}/session/end`, { method: "POST", headers: mine.bearer });
    expect((await device.closed).code).toBe(4003);
    await other.stop();
  });
});
