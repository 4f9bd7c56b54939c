import ICAL from "ical.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer, Bot } from "../../src/core/answer/bot.ts";
import type { Turn } from "../../src/core/answer/turn.ts";
import type { LiveEvent } from "../../src/core/live.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { settings } from "../contracts/given.ts";
import { begin, post, testHub } from "../support/http.ts";
import { operationsOf } from "../support/openapi.ts";
import { call, keys, onWhatsApp, type StrictHub, strictHub } from "../support/people.ts";
import { createDatabase } from "../support/stack.ts";

let direct: PostgresCalls;
beforeAll(async () => {
  direct = postgresCalls((await createDatabase()).url, { max: 8, timeoutMs: 30_000 });
});
afterAll(() => direct.close());

let people = 0;
/** Tests share a database: each has a number and names of its own. */
const somebody = () => {
  const n = String(++people).padStart(4, "0");
  return { phone: `+491511666${n}`, email: `b${n}@example.com`, id: `shop-${n}`, order_id: `A-${n}` };
};
const shop = (parts: Parameters<typeof strictHub>[1] = {}) =>
  strictHub({}, { store: sqlStore(direct.call, { ...settings, history: 20 }), ...parts });
const send = (
  hub: StrictHub,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = keys.web,
) => call(hub, path, { ...post(body, headers), method });
const read = (hub: StrictHub, path: string, headers: Record<string, string> = keys.admin) =>
  call(hub, path, { headers });

const table = {
  name: "Anna Berg",
  datetime: "2026-12-01T19:00:00+01:00",
  timezone: "Europe/Berlin",
  guests: 4,
};
const tea = {
  amount: "49.90",
  currency: "EUR",
  items: [{ sku: "tea-103", name: "Green tea", quantity: 2, unit_amount: 24.95 }],
};

describe("reservations and orders", () => {
  test("are made, read, changed at their version, and listed", async () => {
    const hub = shop();
    const { phone, order_id } = somebody();
    const { bearer, id } = await begin(hub, { phone, channel: "web" }, keys.web);
    const booked = await send(hub, "POST", "/api/reservations", {
      ...table,
      session_id: id,
      phone: phone.replace("+49", "0"),
    });
    expect([booked.status, booked.headers.get("etag")]).toEqual([201, '"1"']);
    expect(booked.body).toEqual({
      reservation_id: expect.any(String),
      customer_key: expect.any(String),
      customer_id: null,
      session_id: id,
      ...table,
      email: null,
      phone,
      notes: null,
      google_calendar_event_id: null,
      status: "booked",
      version: 1,
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    const path = `/api/reservations/${booked.body.reservation_id}`;
    expect((await read(hub, path, keys.web)).body).toEqual(booked.body);
    const stale = await send(hub, "PATCH", path, { status: "seated" }, { ...keys.web, "if-match": '"9"' });
    expect([stale.status, stale.code]).toEqual([409, "version_conflict"]);
    const seated = await send(hub, "PATCH", path, { status: "seated" }, { ...keys.web, "if-match": '"1"' });
    expect([seated.status, seated.headers.get("etag"), seated.body.status]).toEqual([200, '"2"', "seated"]);
    const back = await send(hub, "PATCH", path, { status: "booked" });
    expect([back.status, back.code, back.body.error.details]).toEqual([
      409,
      "illegal_transition",
      { from: "seated", to: "booked" },
    ]);

    const ordered = await send(hub, "POST", "/api/orders", { ...tea, order_id, session_id: id });
    expect([ordered.status, ordered.body.items[0].unit_amount, ordered.body.amount]).toEqual([
      201,
      "24.95",
      "49.90",
    ]);
    expect((await send(hub, "POST", "/api/orders", { ...tea, order_id, session_id: id })).status).toBe(200);
    const other = await send(hub, "POST", "/api/orders", { ...tea, order_id, session_id: id, amount: "1" });
    expect([other.status, other.code]).toEqual([409, "order_conflict"]);
    expect((await send(hub, "PATCH", `/api/orders/${order_id}`, { status: "paid" })).body.status).toBe(
      "paid",
    );
    expect((await read(hub, `/api/orders/${order_id}`, bearer)).body.status).toBe("paid");
    expect((await read(hub, "/api/orders", bearer)).body).toMatchObject({
      orders: [{ order_id }],
      cursor: null,
    });
    expect((await read(hub, "/api/reservations", bearer)).body.reservations).toHaveLength(1);
    const query = `customer_id=${booked.body.customer_key}&status=paid&from=2026-01-01&to=2027-01-01T00:00:00Z&limit=1`;
    expect((await read(hub, `/api/orders?${query}`)).body.orders).toMatchObject([{ order_id }]);
    const page = await read(hub, "/api/session/none".replace("/session/none", "/orders?after=x"));
    expect([page.status, page.code]).toEqual([400, "malformed"]);
  });

  test("are published to the session's devices, and stand in its history", async () => {
    const events: [string, LiveEvent][] = [];
    const hub = shop({ live: { publish: (id, event) => void events.push([id, event]) } });
    const { phone, order_id } = somebody();
    const { bearer, id } = await begin(hub, { phone, channel: "web" }, keys.web);
    events.length = 0;
    await send(hub, "POST", "/api/orders", { ...tea, order_id, session_id: id });
    await send(hub, "PATCH", `/api/orders/${order_id}`, { status: "paid" });
    await send(hub, "PATCH", `/api/orders/${order_id}`, { status: "paid" });
    expect(events).toEqual([
      [id, { type: "messages" }],
      [id, { type: "messages" }],
    ]);
    const { messages } = (await read(hub, "/session/messages", bearer)).body;
    expect(messages.map(({ role, content }: any) => [role, content])).toEqual([
      ["system", { kind: "system", event: "order_created", order_id, status: "pending" }],
      ["system", { kind: "system", event: "order_paid", order_id, status: "paid" }],
    ]);
  });

  test.for<[string, string, object, string]>([
    ["POST", "/api/reservations", { ...table, guests: 0 }, "guests"],
    ["POST", "/api/reservations", { ...table, guests: 2.5 }, "guests"],
    [
      "POST",
      "/api/reservations",
      { ...table, datetime: "2026-12-01T19:00:00", timezone: undefined },
      "datetime",
    ],
    ["POST", "/api/reservations", { ...table, datetime: "2026-12-01T19:00:00+05:30" }, "datetime"],
    ["POST", "/api/reservations", { ...table, status: "seated" }, "status"],
    ["POST", "/api/reservations", { ...table, customer_key: "x" }, "customer_key"],
    ["POST", "/api/reservations", { ...table, email: "no address" }, "email"],
    ["PATCH", "/api/reservations/00000000-0000-4000-8000-000000000000", { timezone: "UTC" }, "datetime"],
    ["POST", "/api/orders", { ...tea, amount: "49.905" }, "amount"],
    ["POST", "/api/orders", { ...tea, currency: "eur" }, "currency"],
    ["POST", "/api/orders", { ...tea, amount: -1 }, "amount"],
    ["POST", "/api/orders", { ...tea, status: "cancelled" }, "status"],
    ["POST", "/api/orders", { ...tea, items: [{ quantity: 1 }] }, "items.0"],
    ["POST", "/api/orders", { ...tea, items: [{ sku: "a", quantity: 0 }] }, "items.0.quantity"],
    ["POST", "/api/orders", { ...tea, order_id: "a b" }, "order_id"],
    ["PATCH", "/api/orders/A", { amount: "1.00" }, "currency"],
    ["PATCH", "/api/orders/A", { order_id: "B" }, "order_id"],
  ])("%s %s refuses %j, naming the field", async ([method, path, body, field]) => {
    const refused = await send(shop(), method, path, body);
    expect([refused.status, refused.code]).toEqual([400, "malformed"]);
    expect(refused.body.error.message).toContain(field);
  });

  test("have examples in the API description that work", async () => {
    const hub = shop();
    const document = (await read(hub, "/openapi.json")).body;
    for (const path of ["/api/reservations", "/api/orders", "/api/calendar-feeds"]) {
      const { example } = document.paths[path].post.requestBody.content["application/json"].schema;
      const made = await send(hub, "POST", path, example, keys.admin);
      expect([path, made.status]).toEqual([path, 201]);
      const id = made.body.reservation_id ?? made.body.order_id;
      const patch = document.paths[`${path}/{id}`].patch;
      if (!patch) continue;
      const changed = await send(
        hub,
        "PATCH",
        `${path}/${id}`,
        patch.requestBody.content["application/json"].schema.example,
      );
      expect([path, changed.status]).toEqual([path, 200]);
    }
  });

  test("are in the export, and go with the customer", async () => {
    const hub = shop();
    const { id, email, order_id } = somebody();
    await send(hub, "POST", "/api/orders", { ...tea, order_id, customer_id: id, payment_intent_id: "pi_1" });
    for (let i = 0; i < 3; i++)
      await send(hub, "POST", "/api/reservations", { ...table, customer_id: id, email, guests: 1 + i });
    const { body } = await read(hub, `/api/customers/${id}/export`);
    expect(body.orders).toMatchObject([{ order_id, payment_intent_id: "pi_1", customer_id: id }]);
    expect(body.reservations.map(({ guests, email: given }: any) => [guests, given]).sort()).toEqual([
      [1, email],
      [2, email],
      [3, email],
    ]);
    expect((await call(hub, `/api/customers/${id}`, { method: "DELETE", headers: keys.admin })).status).toBe(
      200,
    );
    const after = (await read(hub, `/api/customers/${id}/export`)).body;
    expect([after.orders, after.reservations]).toEqual([[], []]);
    expect((await read(hub, `/api/orders/${order_id}`)).code).toBe("not_found");
  });
});

describe("an Idempotency-Key", () => {
  const key = () => ({ ...keys.web, "idempotency-key": `k-${++people}` });

  test("gets the same answer for the same body, and 409 for another one", async () => {
    const hub = shop();
    const headers = key();
    const first = await send(hub, "POST", "/api/reservations", table, headers);
    const again = await send(hub, "POST", "/api/reservations", { ...table }, headers);
    expect([again.status, again.body, again.headers.get("idempotent-replayed")]).toEqual([
      201,
      first.body,
      "true",
    ]);
    expect(first.headers.get("idempotent-replayed")).toBeNull();
    const other = await send(hub, "POST", "/api/reservations", { ...table, guests: 5 }, headers);
    expect([other.status, other.code]).toEqual([409, "idempotency_conflict"]);
    expect((await send(hub, "POST", "/api/orders", tea, headers)).status).toBe(201);
    const elsewhere = await send(hub, "POST", "/api/reservations", table, { ...headers, ...keys.admin });
    expect(elsewhere.body.reservation_id).not.toBe(first.body.reservation_id);
    const odd = await send(hub, "POST", "/api/orders", tea, { ...keys.web, "idempotency-key": "a b" });
    expect([odd.status, odd.code]).toEqual([400, "malformed"]);
  });

  test("makes one order of fifty calls at once, and all get it", async () => {
    const hub = shop();
    const headers = key();
    const { email } = somebody();
    const all = await Promise.all(
      Array.from({ length: 50 }, () => send(hub, "POST", "/api/orders", { ...tea, email }, headers)),
    );
    expect(all.map(({ status }) => status)).toEqual(Array(50).fill(201));
    expect(new Set(all.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(all.filter(({ headers: got }) => got.get("idempotent-replayed") === null)).toHaveLength(1);
    const { customer_key } = all[0]!.body;
    expect((await read(hub, `/api/orders?customer_id=${customer_key}`)).body.orders).toHaveLength(1);
  });

  test("answers the retry of a call whose answer was lost with the Worker", async () => {
    const hub = shop();
    const headers = key();
    const killed = shop({
      store: {
        ...hub.hub.store,
        features: {
          ...hub.hub.store.features!,
          orders: {
            ...hub.hub.store.features!.orders,
            // The transaction commits, and the Worker dies before it answers.
            create: async (...given) => {
              await hub.hub.store.features!.orders.create(...given);
              throw new Error("killed");
            },
          },
        },
      },
    });
    const { email } = somebody();
    expect((await send(killed, "POST", "/api/orders", { ...tea, email }, headers)).status).toBe(500);
    const retried = await send(hub, "POST", "/api/orders", { ...tea, email }, headers);
    expect([retried.status, retried.headers.get("idempotent-replayed")]).toEqual([201, "true"]);
    const { customer_key } = retried.body;
    expect((await read(hub, `/api/orders?customer_id=${customer_key}`)).body.orders).toHaveLength(1);
  });
});

test("fifty bookings at once by the same contact have one customer", async () => {
  const hub = shop();
  const { email, phone } = somebody();
  const all = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      send(hub, "POST", "/api/reservations", { ...table, ...(i % 2 ? { email } : { email, phone }) }),
    ),
  );
  expect(new Set(all.map(({ status, body }) => `${status} ${body.customer_key}`)).size).toBe(1);
});

test("of two transitions at once one wins, and the other one is refused", async () => {
  const hub = shop();
  for (let round = 0; round < 5; round++) {
    const { body } = await send(hub, "POST", "/api/reservations", table);
    const path = `/api/reservations/${body.reservation_id}`;
    const both = await Promise.all(
      ["seated", "cancelled"].map((status) => send(hub, "PATCH", path, { status })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    const winner = both.find(({ status }) => status === 200)!;
    expect((await read(hub, path)).body).toEqual(winner.body);
    expect(winner.body.version).toBe(2);
  }
});

describe("who may", () => {
  const ROUTES: [method: string, path: string, body?: object][] = [
    ["GET", "/api/orders"],
    ["GET", "/api/orders/A-1"],
    ["POST", "/api/orders", tea],
    ["PATCH", "/api/orders/A-1", { status: "paid" }],
    ["GET", "/api/reservations"],
    ["GET", "/api/reservations/00000000-0000-4000-8000-000000000000"],
    ["POST", "/api/reservations", table],
    ["PATCH", "/api/reservations/00000000-0000-4000-8000-000000000000", { status: "seated" }],
    ["GET", "/api/reservations.ics"],
    ["POST", "/api/calendar-feeds", { name: "x" }],
    ["GET", "/api/calendar-feeds"],
    ["DELETE", "/api/calendar-feeds/00000000-0000-4000-8000-000000000000"],
  ];
  const ask = (
    hub: StrictHub,
    [method, path, body]: (typeof ROUTES)[number],
    headers: Record<string, string>,
  ) => call(hub, path, body ? { ...post(body, headers), method } : { method, headers });

  test.for(ROUTES)("%s %s: nobody without credentials, and no kiosk", async (route) => {
    const hub = shop();
    expect((await ask(hub, route, {})).status).toBe(401);
    expect((await ask(hub, route, { "x-api-key": "guess" })).status).toBe(401);
    expect((await ask(hub, route, keys.kiosk)).status).toBe(403);
  });

  test.for(
    ROUTES.filter(([method, path]) => method !== "GET" || path.includes("calendar") || path.endsWith(".ics")),
  )("%s %s: no holder of a session's token", async (route) => {
    const hub = shop();
    const { bearer } = await begin(hub);
    expect((await ask(hub, route, bearer)).status).toBe(401);
  });

  test.for(ROUTES)("%s %s: on the memory store nobody", async (route) => {
    const hub = strictHub();
    const { status, code } = await ask(hub, route, keys.admin);
    expect([status, code]).toEqual([501, "needs_database"]);
  });

  test("a web key lists no bookings and opens no calendar", async () => {
    const hub = shop();
    for (const path of ["/api/orders", "/api/reservations", "/api/reservations.ics", "/api/calendar-feeds"])
      expect([path, (await read(hub, path, keys.web)).status]).toEqual([path, 403]);
  });

  test("a customer reads none of another customer's, and does not learn that they exist", async () => {
    const hub = shop();
    const victim = somebody();
    const { body: order } = await send(hub, "POST", "/api/orders", {
      ...tea,
      order_id: victim.order_id,
      phone: victim.phone,
      customer_id: victim.id,
    });
    const { body: booked } = await send(hub, "POST", "/api/reservations", {
      ...table,
      customer_id: victim.id,
      notes: "CANARY",
    });
    const mallory = somebody();
    const signedIn = (await begin(hub, { phone: mallory.phone, channel: "web" }, keys.web)).bearer;
    const visitor = (await begin(hub)).bearer;
    // A claimed contact opens nothing.
    await call(
      hub,
      "/session/update",
      post({ metadata: { phone: victim.phone, email: victim.email } }, visitor),
    );
    for (const bearer of [signedIn, visitor]) {
      for (const path of [`/api/orders/${order.order_id}`, `/api/reservations/${booked.reservation_id}`]) {
        const missing = path.replace(
          /[^/]+$/,
          path.includes("orders") ? "no-such-order" : "00000000-0000-4000-8000-000000000000",
        );
        const { body: theirs } = await read(hub, path, bearer);
        const { body: none } = await read(hub, missing, bearer);
        expect(theirs.error).toEqual({ ...none.error, request_id: theirs.error.request_id });
        expect(theirs.error.code).toBe("not_found");
      }
      expect((await read(hub, "/api/orders", bearer)).body.orders).toEqual([]);
      expect((await read(hub, "/api/reservations", bearer)).body.reservations).toEqual([]);
      const named = await read(hub, `/api/orders?customer_id=${victim.id}`, bearer);
      expect([named.status, named.code]).toEqual([403, "forbidden"]);
    }
    expect((await read(hub, `/api/orders/${order.order_id}`)).body.status).toBe("pending");
  });
});

describe("the calendar", () => {
  async function calendarIn(hub: StrictHub, path: string, headers: Record<string, string> = {}) {
    const response = await hub.request(path, { headers });
    const text = await response.text();
    return { status: response.status, type: response.headers.get("content-type"), text };
  }

  test("is one that another program's parser reads", async () => {
    const hub = shop();
    const notes = "Window; 2 kids,\nback\\slash, Ünïcode 🙂 ".repeat(6);
    const { body } = await send(hub, "POST", "/api/reservations", {
      ...table,
      name: 'Zoë, "Z"; Berg',
      notes,
      email: "z@example.com",
    });
    const cancelled = (await send(hub, "POST", "/api/reservations", { ...table, name: "Gone" })).body;
    await send(hub, "PATCH", `/api/reservations/${cancelled.reservation_id}`, { status: "cancelled" });
    await send(hub, "POST", "/api/reservations", {
      ...table,
      name: "Long ago",
      datetime: "2020-01-01T19:00:00Z",
      timezone: undefined,
    });
    const { status, type, text } = await calendarIn(hub, "/api/reservations.ics", keys.admin);
    expect([status, type]).toEqual([200, "text/calendar; charset=utf-8"]);
    expect(text.split("\r\n").every((line) => new TextEncoder().encode(line).length <= 75)).toBe(true);
    const calendar = new ICAL.Component(ICAL.parse(text));
    expect(calendar.getFirstPropertyValue("version")).toBe("2.0");
    const events = calendar.getAllSubcomponents("vevent").map((one) => new ICAL.Event(one));
    const event = events.find(({ uid }) => uid === `${body.reservation_id}@session-hub`)!;
    expect([event.summary, event.startDate.toJSDate().toISOString(), event.duration.toSeconds()]).toEqual([
      'Zoë, "Z"; Berg (4)',
      "2026-12-01T18:00:00.000Z",
      7_200,
    ]);
    expect(event.startDate.zone.tzid).toBe("UTC");
    expect(event.description).toContain("2026-12-01T19:00:00+01:00 (Europe/Berlin)");
    expect(event.description).toContain(notes.trim());
    const gone = events.find(({ uid }) => uid.startsWith(cancelled.reservation_id))!;
    expect([gone.component.getFirstPropertyValue("status"), gone.sequence]).toEqual(["CANCELLED", 1]);
    expect(text).not.toContain("Long ago");
  });

  test("opens by the address of a feed without headers, until the feed is deleted", async () => {
    const hub = shop();
    const made = await send(hub, "POST", "/api/calendar-feeds", { name: "Front desk" }, keys.admin);
    const { feed, path } = made.body;
    expect(feed).toEqual({
      feed_id: expect.any(String),
      name: "Front desk",
      created_by: expect.stringMatching(/^admin:[0-9a-f]{8}$/),
      created_at: expect.any(String),
    });
    expect((await calendarIn(hub, path)).status).toBe(200);
    expect((await read(hub, "/api/calendar-feeds")).body.feeds).toContainEqual(feed);
    const guessed = path.replace(/.$/, path.endsWith("A") ? "B" : "A");
    for (const [wrong, status] of [
      [guessed, 401],
      ["/api/reservations.ics?token=hcf_short", 400],
      ["/api/reservations.ics?token=", 400],
      ["/api/reservations.ics", 401],
    ] as const)
      expect([wrong, (await calendarIn(hub, wrong)).status]).toEqual([wrong, status]);
    const token = new URL(path, "http://hub").searchParams.get("token")!;
    for (const other of ["/api/reservations", "/api/orders", "/api/customers", "/session/restore"])
      expect((await read(hub, other, { authorization: `Bearer ${token}` })).status).toBe(401);
    const remove = () =>
      call(hub, `/api/calendar-feeds/${feed.feed_id}`, { method: "DELETE", headers: keys.admin });
    expect((await remove()).body).toEqual({ deleted: true });
    expect((await remove()).body).toEqual({ deleted: false });
    expect((await calendarIn(hub, path)).status).toBe(401);
    const lines = JSON.stringify(hub.lines);
    expect(lines).not.toContain(token);
  });
});

describe("a bot's actions", () => {
  /** A bot that answers each turn with the next of these answers, and the last one again. */
  function scripted(...answers: readonly (Answer | readonly [])[]) {
    const turns: Turn[] = [];
    const bot: Bot = {
      history: 20,
      reply: async (turn) => answers[Math.min(turns.push(turn), answers.length) - 1]!,
    };
    return { bot, turns };
  }
  const say = (text: string) => ({ kind: "text" as const, text });

  test("book a table and an order in one turn, and the next turn shows both", async () => {
    const { phone, order_id } = somebody();
    const { bot, turns } = scripted(
      {
        replies: [say("Booked")],
        actions: [
          { type: "create_reservation", ...table, datetime: "2026-12-01T18:00:00.000Z" },
          { type: "create_order", order_id, amount: "10.00", currency: "EUR" },
          { type: "set_data", data: { step: "paid" } },
        ],
      },
      [],
    );
    const events: LiveEvent[] = [];
    const hub = shop({ bot, live: { publish: (_id, event) => void events.push(event) } });
    await onWhatsApp(hub, phone, "A table for four, and tea");
    expect(hub.sent).toMatchObject([{ text: "Booked" }]);
    expect(events.filter(({ type }) => type === "session").at(-1)).toMatchObject({
      session: { data: { step: "paid" } },
    });
    const line = hub.lines.findLast(({ event }) => event === "turn");
    expect(line?.fields).toMatchObject({ outcome: "done", replies: 1, actions: 3 });
    await onWhatsApp(hub, phone, "Thanks");
    expect(turns[1]!.history.map(({ text }) => text)).toEqual([
      "A table for four, and tea",
      "reservation_created",
      "order_created",
      "Booked",
    ]);
    expect(turns).toHaveLength(2);
  });

  test("that are refused fail the turn: nothing is said, the bot is asked again with the reason, and answers otherwise", async () => {
    const { phone, order_id } = somebody();
    const { bot, turns } = scripted(
      { replies: [say("Your order is paid")], actions: [{ type: "update_order", order_id, status: "paid" }] },
      { replies: [say("There is no such order")], actions: [] },
    );
    const hub = shop({ bot });
    await onWhatsApp(hub, phone, "Is my order paid?");
    expect(hub.sent).toEqual([]);
    const line = hub.lines.findLast(({ event }) => event === "turn");
    expect(line?.fields).toMatchObject({
      outcome: "failed",
      code: "not_found",
      reason: "actions[0]",
      detail: "actions[0]: there is no such thing",
    });
    hub.clock.now = new Date(hub.clock.now.getTime() + 60_000);
    // A message of the customer asks for the turn that is due.
    await onWhatsApp(hub, phone, "Hello?");
    expect(turns[1]).toMatchObject({ attempt: 2, failure: { code: "not_found", reason: "actions[0]" } });
    expect(hub.sent[0]).toMatchObject({ text: "There is no such order" });
  });

  test("that are always refused end as a dead letter that names the action", async () => {
    const { phone, order_id } = somebody();
    const { bot } = scripted({
      replies: [say("x")],
      actions: [{ type: "update_order", order_id, status: "paid" }],
    });
    const hub = shop({ bot, policy: { ...testHub().hub.policy, turnAttempts: 1 } });
    await onWhatsApp(hub, phone, "Is my order paid?");
    const { dead_letters } = (await read(hub, "/api/dead-letters?limit=200")).body;
    expect(dead_letters.at(-1)).toMatchObject({ type: "turn", code: "not_found", reason: "actions[0]" });
  });

  test("end the session: the reply is sent, devices are told, and the next message opens a new one", async () => {
    const { phone } = somebody();
    const { bot, turns } = scripted(
      { replies: [say("Goodbye")], actions: [{ type: "end_session", summary: "Tea" }] },
      [],
    );
    const events: LiveEvent[] = [];
    const hub = shop({ bot, live: { publish: (_id, event) => void events.push(event) } });
    const { id, bearer, token } = await begin(hub, { phone, channel: "web" }, keys.web);
    await onWhatsApp(hub, phone, "That is all");
    expect(hub.sent).toMatchObject([{ text: "Goodbye" }]);
    const types = events.map(({ type }) => type);
    expect(types.indexOf("closed")).toBeGreaterThan(types.lastIndexOf("messages"));
    const { messages } = (await read(hub, "/session/messages", bearer)).body;
    expect(messages.at(-1).text).toBe("Goodbye");
    expect((await read(hub, "/session/restore", bearer)).code).toBe("session_not_found");
    expect((await read(hub, `/api/sessions/${id}`)).body.session).toMatchObject({
      status: "logged_out",
      summary: "Tea",
    });
    expect(hub.cache.calls.filter(([name]) => name === "drop").at(-1)?.[1]).toHaveLength(1);
    expect(token).toMatch(/^hst_/);
    await onWhatsApp(hub, phone, "One more thing");
    expect(turns[1]!.session.previous_session_id).toBe(id);
  });

  test("of a business need a database: on the memory store the turn fails and says so", async () => {
    const { bot } = scripted({
      replies: [say("x")],
      actions: [{ type: "create_order", amount: "1.00", currency: "EUR" }],
    });
    const hub = strictHub({}, { bot });
    await onWhatsApp(hub, somebody().phone, "Tea, please");
    const line = hub.lines.findLast(({ event }) => event === "turn");
    expect(line?.fields).toMatchObject({ outcome: "failed", code: "needs_database", reason: "actions[0]" });
    expect(hub.sent).toEqual([]);
  });
});

test("the routes are in the API description with their credentials", async () => {
  const operations = await operationsOf(strictHub());
  const security = (path: string, method = "GET") =>
    operations.find((one) => one.path === path && one.method === method)!.security;
  expect(security("/api/orders")).toContain("sessionToken");
  expect(security("/api/orders", "POST")).not.toContain("sessionToken");
});
