import { beforeEach, describe, expect, test } from "vitest";
import type { Store } from "../../src/core/store.ts";
import type { OrderFields } from "../../src/features/orders/order.ts";
import type { BookingOwner, Orders } from "../../src/features/orders/orders.ts";
import type { ReservationFields } from "../../src/features/reservations/reservation.ts";
import type { Reservations } from "../../src/features/reservations/reservations.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { anna, ben, type Desk, day, desk, hash, minute, said, settings } from "../contracts/given.ts";
import { actorOf, auditOf } from "../contracts/proving.ts";
import { bothTransports } from "../support/transports.ts";

const { transports, empty, owner } = bothTransports({ max: 20 });
beforeEach(empty);

const email = "anna@example.com";
let actor: string;
const by = (at = 0, more: object = {}) => ({ actor, now: minute(at), ...more });

describe.each(transports)("reservations and orders, in %s", (_name, call) => {
  let store: Desk;
  let orders: Orders;
  let reservations: Reservations;
  beforeEach(async () => {
    actor = actorOf();
    const plain: Store = sqlStore(call(), settings);
    store = await desk(async () => plain);
    ({ orders, reservations } = plain.features!);
  });

  const tea: OrderFields = {
    order_id: "A-1",
    amount: "12.50",
    currency: "EUR",
    items: [{ sku: "tea", quantity: 2, unit_amount: "6.25" }],
  };
  const table: ReservationFields = {
    name: "Anna Berg",
    datetime: "2026-12-01T18:00:00.000Z",
    timezone: "Europe/Berlin",
    guests: 4,
  };
  const order = (more: Partial<OrderFields> & BookingOwner = {}, at = 0, over: object = {}) =>
    orders.create({ ...tea, ...more }, by(at, over));
  const reserve = (more: Partial<ReservationFields> & BookingOwner = {}, at = 0, over: object = {}) =>
    reservations.create({ ...table, ...more }, by(at, over));
  const events = async (session_id: string) =>
    (await store.history(session_id)).filter(({ kind }) => kind === "system").map(({ content }) => content);
  const customerOf = async (session_id: string) => {
    const [row] = await owner()`select customer_key from public.sessions where session_id = ${session_id}`;
    return row!.customer_key as string;
  };

  test("an order is what was recorded, with its exact amount, and is found by its id", async () => {
    const { session } = await store.ask(said("telegram", { phone: anna.phone }, "1"), minute(0));
    const made = await order({ session_id: session.session_id, payment_intent_id: "pi_1" }, 1);
    expect(made).toEqual({
      created: true,
      replayed: false,
      event_in: session.session_id,
      order: {
        ...tea,
        payment_intent_id: "pi_1",
        customer_key: await customerOf(session.session_id),
        session_id: session.session_id,
        status: "pending",
        version: 1,
        created_at: minute(1),
        updated_at: minute(1),
      },
    });
    expect(await orders.get("A-1", {}, minute(1))).toEqual(made.order);
    await expect(orders.get("A-2", {}, minute(1))).rejects.toMatchObject({ code: "not_found" });
    const large = await order({ order_id: "A-2", amount: "999999999999999.999", currency: "KWD", items: [] });
    expect(large.order).toMatchObject({ amount: "999999999999999.999", items: [] });
    expect((await order({ order_id: "A-3", amount: "500", currency: "JPY" })).order.amount).toBe("500");
    const { order_id: _, ...unnamed } = tea;
    expect((await orders.create(unnamed, by())).order.order_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("a reservation is what was made, with its instant and its zone", async () => {
    const { session } = await store.ask(said("telegram", { phone: anna.phone }, "1"), minute(0));
    const made = await reserve({ session_id: session.session_id, email, notes: "window" }, 1);
    expect(made).toEqual({
      replayed: false,
      event_in: session.session_id,
      reservation: {
        ...table,
        reservation_id: expect.any(String),
        datetime: new Date(table.datetime),
        email,
        notes: "window",
        customer_key: await customerOf(session.session_id),
        session_id: session.session_id,
        status: "booked",
        version: 1,
        created_at: minute(1),
        updated_at: minute(1),
      },
    });
    const { reservation_id } = made.reservation;
    expect(await reservations.get(reservation_id, {}, minute(1))).toEqual(made.reservation);
    await expect(reservations.get(crypto.randomUUID(), {}, minute(1))).rejects.toMatchObject({
      code: "not_found",
    });
  });

  test("both stand in their session's history as events, which wake no bot and count as messages", async () => {
    const { session } = await store.ask(said("telegram", { phone: anna.phone }, "1"), minute(0));
    const { session_id } = session;
    const { reservation } = await reserve({ session_id }, 1);
    const { reservation_id } = reservation;
    await order({ session_id }, 2);
    await orders.update("A-1", { status: "paid" }, by(3));
    await orders.update("A-1", { status: "paid" }, by(3));
    await reservations.update(reservation_id, { guests: 5 }, by(4));
    await reservations.update(reservation_id, { status: "seated" }, by(5));
    expect(await events(session_id)).toEqual([
      { kind: "system", event: "reservation_created", reservation_id, status: "booked" },
      { kind: "system", event: "order_created", order_id: "A-1", status: "pending" },
      { kind: "system", event: "order_paid", order_id: "A-1", status: "paid" },
      { kind: "system", event: "reservation_updated", reservation_id, status: "booked" },
      { kind: "system", event: "reservation_seated", reservation_id, status: "seated" },
    ]);
    const [, first] = await store.history(session_id);
    expect(first).toMatchObject({
      role: "system",
      direction: "outbound",
      status: "sent",
      text: "reservation_created",
    });
    const [after] = await store.sessions.find({ session_id }, minute(6));
    expect(after).toMatchObject({ message_count: 6, version: session.version });
    expect((await store.conversations.due(minute(90), 10)).turns).toHaveLength(1);
    const lines = await auditOf(store, actor);
    expect(lines.map(({ action }) => action)).toEqual([
      "reservation.create",
      "order.create",
      "order.update",
      "reservation.update",
      "reservation.update",
    ]);
  });

  test("the event of a later change stands where the customer is now", async () => {
    const token_hash = hash(1);
    const start = { identities: { phone: anna.phone }, channel: "web", token_hash };
    const { session_id } = await store.sessions.start(start, minute(0));
    await order({ session_id });
    await store.sessions.end(token_hash, minute(1));
    expect((await orders.update("A-1", { payment_intent_id: "pi_1" }, by(2))).event_in).toBe(session_id);
    const next = await store.sessions.start({ ...start, token_hash: hash(2) }, minute(3));
    expect((await orders.update("A-1", { status: "paid" }, by(4))).event_in).toBe(next.session_id);
    expect((await events(next.session_id)).map((one) => "event" in one && one.event)).toEqual(["order_paid"]);
  });

  test("an order moves from pending to paid or cancelled, from paid to cancelled, and no other way", async () => {
    const moves = async (...path: ("pending" | "paid" | "cancelled")[]) => {
      const order_id = path.join("-");
      await order({ order_id });
      for (const status of path) await orders.update(order_id, { status }, by(1));
      return (await orders.get(order_id, {}, minute(1))).status;
    };
    expect(await moves("paid", "cancelled")).toBe("cancelled");
    expect(await moves("cancelled")).toBe("cancelled");
    expect(await moves("pending", "paid", "paid")).toBe("paid");
    const illegal = (from: string, to: string) => ({ code: "illegal_transition", details: { from, to } });
    await expect(moves("paid", "pending")).rejects.toMatchObject(illegal("paid", "pending"));
    await expect(moves("cancelled", "paid")).rejects.toMatchObject(illegal("cancelled", "paid"));
    await expect(moves("cancelled", "pending")).rejects.toMatchObject(illegal("cancelled", "pending"));
    expect((await order({ order_id: "paid already", status: "paid" })).order.status).toBe("paid");
  });

  test("an order's amount and items may change while it is pending, its currency never", async () => {
    await order();
    const changed = await orders.update("A-1", { amount: "13.00", currency: "EUR", items: [] }, by(1));
    expect(changed.order).toMatchObject({ amount: "13.00", items: [], version: 2, updated_at: minute(1) });
    await expect(orders.update("A-1", { amount: "13.00", currency: "USD" }, by(1))).rejects.toMatchObject({
      code: "order_conflict",
    });
    await expect(
      orders.update("A-1", { amount: "1.00", currency: "EUR" }, by(1, { if_version: 1 })),
    ).rejects.toMatchObject({
      code: "version_conflict",
    });
    await orders.update("A-1", { status: "paid", payment_intent_id: "pi_1" }, by(2, { if_version: 2 }));
    await expect(orders.update("A-1", { amount: "1.00", currency: "EUR" }, by(3))).rejects.toMatchObject({
      code: "illegal_transition",
    });
    expect((await orders.update("A-1", { payment_intent_id: null }, by(3))).order).not.toHaveProperty(
      "payment_intent_id",
    );
    await expect(orders.update("nothing", { status: "paid" }, by())).rejects.toMatchObject({
      code: "not_found",
    });
  });

  test("a reservation that is seated or cancelled does not change, except its id in a calendar", async () => {
    for (const status of ["seated", "cancelled"] as const) {
      const { reservation_id } = (await reserve({ email, notes: "x" })).reservation;
      const moved = {
        datetime: "2026-12-02T18:00:00.000Z",
        timezone: "+05:30",
        guests: 1000,
        notes: null,
        name: "B",
      };
      expect((await reservations.update(reservation_id, moved, by(1))).reservation).toMatchObject({
        datetime: new Date(moved.datetime),
        timezone: "+05:30",
        guests: 1000,
        name: "B",
        email,
        version: 2,
      });
      await reservations.update(reservation_id, { status }, by(2));
      for (const change of [{ status: "booked" }, { guests: 2 }, { status, notes: "y" }] as const)
        await expect(reservations.update(reservation_id, change, by(3))).rejects.toMatchObject({
          code: "illegal_transition",
        });
      const google_calendar_event_id = "g1";
      expect(
        (await reservations.update(reservation_id, { google_calendar_event_id }, by(3))).reservation,
      ).toMatchObject({
        google_calendar_event_id,
        status,
        version: 4,
      });
    }
  });

  test("the same order_id with the same content is the same order, with another one a conflict", async () => {
    const first = await order({ email });
    await orders.update("A-1", { status: "paid" }, by(1));
    expect(await order({ email }, 2)).toEqual({
      order: { ...first.order, status: "paid", version: 2, updated_at: minute(1) },
      created: false,
      replayed: false,
    });
    for (const other of [{ amount: "12.51" }, { items: [] }, { currency: "USD" }, { email: "b@example.com" }])
      await expect(order({ email, ...other })).rejects.toMatchObject({ code: "order_conflict" });
  });

  test("the same Idempotency-Key gives the first answer, with another body a conflict, and ends after a day", async () => {
    const key = { idempotency_key: "k1" };
    const first = await reserve({ email }, 0, key);
    await reservations.update(first.reservation.reservation_id, { status: "cancelled" }, by(1));
    expect(await reserve({ email }, 60, key)).toEqual({ reservation: first.reservation, replayed: true });
    await expect(reserve({ email, guests: 5 }, 60, key)).rejects.toMatchObject({
      code: "idempotency_conflict",
    });
    const { order_id: _, ...unnamed } = tea;
    const one = await orders.create(unnamed, by(0, key));
    expect((await orders.create(unnamed, by(1, key))).order).toEqual(one.order);
    expect((await orders.create(unnamed, { ...by(1, key), actor: "web:other" })).order.order_id).not.toBe(
      one.order.order_id,
    );
    const tomorrow = 24 * 60;
    expect((await reserve({ email, guests: 5 }, tomorrow, key)).replayed).toBe(false);
    await store.housekeeping.expire(day(3), 10);
    expect((await owner()`select count(*)::int as rows from public.idempotency_keys`)[0]!.rows).toBe(0);
  });

  describe("the customer", () => {
    const keyOf = async (more: BookingOwner) => (await reserve(more)).reservation.customer_key;

    test("is the one who holds the contacts, and gets no identity by them", async () => {
      const { customers } = store.features!;
      const { customer } = await customers.upsert({ email }, by());
      expect(await keyOf({ email, phone: ben.phone })).toBe(customer.customer_key);
      expect(await customers.get(customer.customer_key)).toMatchObject({
        identities: { email },
        claimed: { phone: ben.phone },
      });
      const found = await store.sessions.find({ identities: { phone: ben.phone } }, minute(0));
      expect(found).toEqual([]);
    });

    test("is refused when two customers hold the contacts, who are not merged", async () => {
      const { customers } = store.features!;
      const one = (await customers.upsert({ email }, by())).customer.customer_key;
      const other = (await customers.upsert({ phone: ben.phone }, by())).customer.customer_key;
      await expect(keyOf({ email, phone: ben.phone })).rejects.toMatchObject({
        code: "customer_conflict",
        details: {
          customers: [one, other].sort().map((customer_key) => ({ customer_key, customer_id: null })),
        },
      });
      expect((await reservations.find({}, undefined, 10, minute(0))).items).toEqual([]);
    });

    test("is made for contacts that nobody holds, and found again by them, until somebody holds them", async () => {
      const { customers } = store.features!;
      const guest = await keyOf({ email });
      expect(await customers.get(guest!)).toMatchObject({
        name: "Anna Berg",
        claimed: { email },
        identities: {},
      });
      expect(await keyOf({ email, phone: anna.phone })).toBe(guest);
      expect(await keyOf({ phone: anna.phone })).toBe(guest);
      const { customer } = await customers.upsert({ email }, by());
      expect(customer.customer_key).not.toBe(guest);
      expect(await keyOf({ email })).toBe(customer.customer_key);
      const { items } = await customers.duplicates(undefined, 10);
      expect(items.map(({ reasons }) => reasons)).toEqual([expect.arrayContaining(["email"])]);
    });

    test("is never one who only claims the contact in a session", async () => {
      const { session_id } = await store.sessions.start(
        { identities: { visitor_id: "mallory" }, channel: "web", token_hash: hash(1) },
        minute(0),
      );
      await store.sessions.update({ session_id }, { metadata: { email } }, minute(0));
      expect(await keyOf({ email })).not.toBe(await customerOf(session_id));
    });

    test("is the one named, by the shop's id or the session, and both must agree", async () => {
      const { session_id } = await store.sessions.start(
        { identities: { phone: anna.phone }, channel: "web", token_hash: hash(1), customer_id: "103" },
        minute(0),
      );
      const anna_key = await customerOf(session_id);
      expect(await keyOf({ session_id })).toBe(anna_key);
      expect(await keyOf({ customer_id: "103" })).toBe(anna_key);
      expect(await keyOf({ customer_id: anna_key, email: "other@example.com" })).toBe(anna_key);
      expect(await keyOf({ session_id, customer_id: "103" })).toBe(anna_key);
      const made = await reserve({ customer_id: "104" });
      expect(made.reservation.customer_id).toBe("104");
      await expect(keyOf({ session_id, customer_id: "104" })).rejects.toMatchObject({
        code: "customer_conflict",
      });
      await expect(keyOf({ session_id: crypto.randomUUID() })).rejects.toMatchObject({
        code: "session_not_found",
      });
      expect(await keyOf({})).toBeUndefined();
    });

    test("keeps all bookings when two customers become one", async () => {
      const { customers } = store.features!;
      const one = (await customers.upsert({ email }, by())).customer.customer_key;
      const other = (await customers.upsert({ phone: ben.phone }, by())).customer.customer_key;
      await order({ email });
      await reserve({ phone: ben.phone });
      await customers.merge(other, one, [], by());
      const query = { of: { customer_id: one } };
      expect((await orders.find(query, undefined, 10, minute(0))).items).toHaveLength(1);
      expect((await reservations.find(query, undefined, 10, minute(0))).items).toMatchObject([
        { customer_key: one },
      ]);
    });
  });

  test("lists are filtered, and paged without gaps and repeats", async () => {
    const { customers } = store.features!;
    await customers.put("103", { email }, by());
    for (let i = 0; i < 7; i++) {
      const mine = i % 2 === 0 ? { email } : {};
      const datetime = new Date(Date.UTC(2026, 11, 1 + (i >> 1), 18)).toISOString();
      await reserve({ ...mine, datetime, guests: 1 + i }, i);
      await order({ ...mine, order_id: `o${i}` }, i);
    }
    await orders.update("o2", { status: "paid" }, by(8));
    const ids: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await orders.find({}, after, 3, minute(9));
      ids.push(...page.items.map(({ order_id }) => order_id));
      after = page.after;
      if (after === undefined) break;
    }
    expect(ids).toEqual(["o6", "o5", "o4", "o3", "o2", "o1", "o0"]);
    const guests: number[] = [];
    for (let after: string | undefined; ; ) {
      const page = await reservations.find({}, after, 2, minute(9));
      guests.push(...page.items.map((one) => one.guests));
      after = page.after;
      if (after === undefined) break;
    }
    expect(guests.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(guests.at(-1)).toBe(7);
    const named = async (query: object) =>
      (await orders.find(query, undefined, 50, minute(9))).items.map(({ order_id }) => order_id);
    expect(await named({ status: "paid" })).toEqual(["o2"]);
    expect(await named({ of: { customer_id: "103" } })).toEqual(["o6", "o4", "o2", "o0"]);
    expect(await named({ of: { customer_id: "nobody" } })).toEqual([]);
    expect(await named({ from: minute(2), to: minute(4) })).toEqual(["o3", "o2"]);
    const between = { from: new Date("2026-12-02"), to: new Date("2026-12-03") };
    expect(
      (await reservations.find(between, undefined, 50, minute(9))).items.map((one) => one.guests),
    ).toEqual([3, 4]);
    expect((await reservations.find({ status: "seated" }, undefined, 50, minute(9))).items).toEqual([]);
  });

  test("a session's token reads its customer's, and before a proof only its own session's", async () => {
    const visit = { identities: { visitor_id: "shared browser" }, channel: "web" };
    const { session_id } = await store.sessions.start({ ...visit, token_hash: hash(1) }, minute(0));
    await order({ session_id });
    await store.sessions.end(hash(1), minute(1));
    const next = await store.sessions.start({ ...visit, token_hash: hash(2) }, minute(2));
    await order({ session_id: next.session_id, order_id: "A-2" }, 2);
    const reader = { token_hash: hash(2) };
    const mine = async (who = reader) =>
      (await orders.find({ of: who }, undefined, 10, minute(3))).items.map(({ order_id }) => order_id);
    expect(await mine()).toEqual(["A-2"]);
    expect((await orders.get("A-2", reader, minute(3))).order_id).toBe("A-2");
    await expect(orders.get("A-1", reader, minute(3))).rejects.toMatchObject({ code: "not_found" });

    const signedIn = { identities: { phone: anna.phone }, channel: "web" };
    const first = await store.sessions.start({ ...signedIn, token_hash: hash(3) }, minute(3));
    await order({ session_id: first.session_id, order_id: "B-1" });
    const { reservation } = await reserve({ session_id: first.session_id });
    await store.sessions.end(hash(3), minute(4));
    await store.sessions.start({ ...signedIn, token_hash: hash(4) }, minute(5));
    expect(await mine({ token_hash: hash(4) })).toEqual(["B-1"]);
    const anna_ = { token_hash: hash(4) };
    expect((await reservations.get(reservation.reservation_id, anna_, minute(5))).name).toBe("Anna Berg");
    await expect(reservations.get(reservation.reservation_id, reader, minute(5))).rejects.toMatchObject({
      code: "not_found",
    });
    for (const [of, code] of [
      [{ token_hash: hash(3) }, "session_not_found"],
      [{ token_hash: hash(99) }, "session_not_found"],
    ] as const) {
      await expect(orders.find({ of }, undefined, 10, minute(5))).rejects.toMatchObject({ code });
      await expect(reservations.find({ of }, undefined, 10, minute(5))).rejects.toMatchObject({ code });
      await expect(orders.get("B-1", of, minute(5))).rejects.toMatchObject({ code });
    }
    await expect(orders.find({ of: anna_ }, undefined, 10, day(30))).rejects.toMatchObject({
      code: "session_expired",
    });
  });

  test("an erasure deletes reservations, and leaves of orders an amount without a name", async () => {
    const { session_id } = await store.sessions.start(
      { identities: { phone: anna.phone }, channel: "web", token_hash: hash(1), customer_id: "103" },
      minute(0),
    );
    await order({ session_id, payment_intent_id: "pi_secret" }, 0, { idempotency_key: "k1" });
    await reserve({ session_id, email, notes: "secret" }, 0, { idempotency_key: "k1" });
    await order({ order_id: "of nobody" }, 1);
    await store.privacy.erase({ customer_id: "103" }, "admin", minute(1));
    const kept = JSON.stringify(
      await owner()`select (select json_agg(r) from public.reservations r) as r, (select json_agg(o) from public.orders o) as o,
        (select json_agg(k) from public.idempotency_keys k) as k`,
    );
    for (const word of ["A-1", "pi_secret", email, "secret", session_id]) expect(kept).not.toContain(word);
    expect(
      await owner()`select amount::text, currency, status, items, order_id from public.orders order by order_key`,
    ).toMatchObject([
      { amount: "12.50", currency: "EUR", status: "pending", items: [], order_id: null },
      { order_id: "of nobody" },
    ]);
    expect((await orders.find({}, undefined, 10, minute(1))).items).toHaveLength(1);
    await expect(orders.update("A-1", { status: "paid" }, by(2))).rejects.toMatchObject({
      code: "not_found",
    });
    await expect(order({ session_id, order_id: "A-9" })).rejects.toMatchObject({ code: "session_not_found" });
  });

  test("retention deletes reservations after their day and empties orders, and then their customers", async () => {
    await reserve({ email });
    await order({ email });
    const purge = (bookings_before: Date) =>
      store.housekeeping.purge(day(0), 10, { now: day(400), bookings_before });
    const rows = async () =>
      (
        await owner()`select (select count(*)::int from public.reservations) as reservations,
          (select count(*)::int from public.orders where order_id is not null) as orders,
          (select count(*)::int from public.customers) as customers`
      )[0];
    await purge(new Date("2026-11-01"));
    expect(await rows()).toEqual({ reservations: 1, orders: 1, customers: 1 });
    await purge(new Date("2026-11-20"));
    expect(await rows()).toEqual({ reservations: 1, orders: 0, customers: 1 });
    await purge(new Date("2026-12-20"));
    expect(await rows()).toEqual({ reservations: 0, orders: 0, customers: 0 });
    expect((await owner()`select amount::text from public.orders`)[0]).toMatchObject({ amount: "12.50" });
  });

  test("a customer with a booking stays when their session is purged", async () => {
    const { session_id } = await store.sessions.start(
      { identities: { visitor_id: "v1" }, channel: "web", token_hash: hash(1) },
      minute(0),
    );
    await order({ session_id });
    await store.sessions.end(hash(1), minute(1));
    expect(await store.housekeeping.purge(day(1), 10, { now: day(1) })).toBe(1);
    expect((await owner()`select count(*)::int as rows from public.customers`)[0]!.rows).toBe(1);
    expect((await orders.update("A-1", { status: "paid" }, by(9_000))).event_in).toBeUndefined();
  });
});
