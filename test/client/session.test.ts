import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { device, type Shop, startShop } from "./shop.ts";

let shop: Shop;
let phones = 0;

beforeAll(async () => {
  shop = await startShop();
}, 120_000);
afterAll(() => shop?.stop());

const newPhone = () => `+49151123${String(++phones).padStart(5, "0")}`;
const KEY = { key: "web-key" };

describe.each([
  ["a WebSocket", {}],
  ["the long poll", { WebSocket: false, waitSeconds: 2 }],
])("over %s", (_name, transport) => {
  test("a message and its answer come once, in order, and then what comes later", async () => {
    const page = device(shop.url, transport);
    await page.hub.session.start({ data: { cart: ["tea"] } });
    page.listen();
    await page.until((it) => it.of("ready").length === 1);
    const { message } = await page.hub.send("Hello");
    await page.until((it) => it.texts().length === 2);
    await page.hub.send({ kind: "location", latitude: 52.5, longitude: 13.4 });
    await page.until((it) => it.texts().length >= 4);
    const [first, answer, place] = page.of("message").map((event) => event.message);
    expect(first).toEqual({ ...message, turn: first!.turn });
    expect([answer!.role, answer!.text]).toEqual(["assistant", expect.stringContaining("Hello")]);
    expect(place!.content).toMatchObject({ kind: "location" });
    expect(page.of("ready")[0]!.live).toBe(!("WebSocket" in transport));
    page.hub.close();
  });

  test("a later subscription goes on after the cursor of the one before", async () => {
    const page = device(shop.url, transport);
    await page.hub.session.start();
    await page.hub.send("one");
    const { messages, cursor, more } = await page.hub.history({ limit: 1 });
    expect([messages.map(({ text }) => text), more]).toEqual([["one"], expect.any(Boolean)]);
    page.listen(cursor);
    await page.hub.send("two");
    await page.until((it) => it.texts().includes("two"));
    expect(page.texts()).not.toContain("one");
    page.hub.close();
  });

  test("the stream goes on when the session merges, also with messages that lie before its cursor", async () => {
    const customer_id = `shop-${newPhone()}`;
    const before = device(shop.url, { ...KEY, ...transport });
    await before.hub.session.start({ customer_id });
    await before.hub.send("bought last week");
    const page = device(shop.url, { ...KEY, ...transport });
    const { session_id } = await page.hub.session.start();
    page.listen();
    await page.hub.send("who am I?");
    await page.until((it) => it.texts().length === 2);
    await before.hub.send("bought today");
    await page.hub.session.update({ customer_id });
    await page.until((it) => it.texts().includes("bought last week") && it.texts().includes("bought today"));
    await page.hub.send("still here");
    await page.until((it) => it.texts().includes("still here"));
    await page.until((it) => it.texts().length === 8);
    expect(page.of("merged").length).toBeGreaterThan(0);
    const history = (await page.hub.history({ limit: 200 })).messages;
    const seen = page.of("message").map((event) => event.message);
    const bySeq = seen.toSorted((a, b) => a.seq - b.seq).map(({ message_id }) => message_id);
    expect(bySeq).toEqual(history.map(({ message_id }) => message_id));
    expect(history[0]!.session_id).not.toBe(session_id);
    page.hub.close();
    before.hub.close();
  });

  test("a device that was away while its session merged gets the messages before its cursor", async () => {
    const customer_id = `shop-${newPhone()}`;
    const page = device(shop.url, { ...KEY, ...transport });
    await page.hub.session.start();
    const other = device(shop.url, { ...KEY, ...transport });
    await other.hub.session.start({ customer_id });
    await other.hub.send("first");
    await page.hub.send("second");
    await new Promise((answered) => setTimeout(answered, 300));
    const { cursor } = await page.hub.history({ limit: 200 });
    await page.hub.session.update({ customer_id });
    page.listen(cursor);
    await page.until((it) => it.texts().includes("first"));
    expect(page.of("merged")).toHaveLength(1);
    page.hub.close();
    other.hub.close();
  });

  test("the end of the session ends the stream, on every device", async () => {
    const phone = newPhone();
    const [one, other] = [
      device(shop.url, { ...KEY, ...transport }),
      device(shop.url, { ...KEY, ...transport }),
    ];
    for (const { hub, listen } of [one, other]) {
      await hub.session.start({ phone });
      listen();
    }
    await other.until((it) => it.of("ready").length === 1);
    await one.hub.session.end({ rating: 4 });
    await other.until((it) => it.of("ended").length === 1);
    expect(other.of("ended")[0]!.code).toBe("session_not_found");
    expect(one.of("ended")[0]!.code).toBe("session_not_found");
    expect([other.hub.session.current, one.hub.session.current]).toEqual([undefined, undefined]);
    await expect(other.hub.send("too late")).rejects.toMatchObject({ code: "no_session" });
    await one.hub.session.rate({ rating: 5, feedback: "Quick" });
  });

  test("a token that expires in mid-stream ends it with session_expired", async () => {
    const page = device(shop.url, transport);
    const { session_id } = await page.hub.session.start();
    page.listen();
    await page.until((it) => it.of("ready").length === 1);
    const sql = postgres(shop.databaseUrl, { max: 1 });
    await sql`update sessions set expires_at = now() - interval '1 hour' where session_id = ${session_id}`;
    await sql.end();
    await expect(page.hub.send("late")).rejects.toMatchObject({ code: "session_expired" });
    await page.until((it) => it.of("ended").length === 1);
    expect(page.of("ended")[0]!.code).toBe("session_expired");
  });
});
