import { Webhook } from "standardwebhooks";
import { beforeEach, describe, expect, test } from "vitest";
import echo from "../../src/bots/echo/index.ts";
import { DEFAULT_POLICY, type Hub } from "../../src/core/hub.ts";
import { drainEvents } from "../../src/features/endpoints/drain.ts";
import type { EndpointFields } from "../../src/features/endpoints/endpoints.ts";
import { EVENT_TYPES, type EventType } from "../../src/features/endpoints/event.ts";
import { newSecret } from "../../src/features/endpoints/secret.ts";
import { type SqlCall, sqlStore } from "../../src/stores/sql.ts";
import {
  anna,
  ben,
  DAY,
  type Desk,
  desk,
  hash,
  MINUTE,
  rejection,
  reply,
  said,
  settings,
} from "../contracts/given.ts";
import { actorOf, begin } from "../contracts/proving.ts";
import { type Line, recordingCache } from "../support/http.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { bothTransports } from "../support/transports.ts";

const { transports, empty, owner } = bothTransports({ max: 20 });
beforeEach(empty);

const HOUR = 60 * MINUTE;
const SECOND = 1_000;

let store: Desk;
let hub: Hub;
let lines: Line[];
/** The hub's clock. The database's own clock stamps the events, so the test begins at its time. */
let clock: number;

const now = (ms = 0) => new Date(clock + ms);
const by = () => ({ actor: actorOf(), now: now() });
const endpoints = () => store.features!.endpoints;
const endpoint = (fields: Partial<EndpointFields> & { url: string }, secret = newSecret()) =>
  endpoints().create({ types: EVENT_TYPES, ...fields }, secret, by());
const drain = () => drainEvents(hub, { ms: 60_000, events: 10_000 });
const say = (n: string, from: object = { telegram_chat_id: anna.telegram_chat_id }) =>
  store.hear(said("telegram", from as typeof anna, n), now());
const written = async () =>
  (await owner()`select type from events order by seq`).map(({ type }) => type as EventType);
const waiting = async () =>
  (await owner()`select count(*)::int as n from event_deliveries where state <> 'dead'`)[0]!.n as number;
const typesOf = ({ got }: Receiver) => got.map(({ event }) => event.type);

async function given(call: () => SqlCall): Promise<void> {
  store = await desk(async () => sqlStore(call(), settings));
  lines = [];
  clock = Date.now();
  hub = {
    channels: {},
    store,
    cache: recordingCache(),
    bot: echo(),
    live: { publish: () => {} },
    log: (level, event, fields) => lines.push({ level, event, fields }),
    now: () => new Date(clock),
    sleep: async () => {},
    policy: { ...DEFAULT_POLICY, sendMs: 500 },
    openTargets: true,
  };
}

describe.each(transports)("events, in %s", (_name, call) => {
  beforeEach(() => given(call));

  test("a message and its reply are posted in order, signed, each with an id of its own", async () => {
    const receiver = await startReceiver();
    const secret = newSecret();
    await endpoint({ url: receiver.url }, secret);
    const delivery = await store.answered(said("telegram", anna, "1"), [reply("Hello")], now());
    await store.settleAs(delivery, { external_id: "x1" }, now());
    await drain();
    expect(lines).toEqual([]);
    expect(typesOf(receiver).filter((type) => type !== "customer.created")).toEqual([
      "session.opened",
      "message.received",
      "message.sent",
    ]);
    for (const { body, headers, id, event } of receiver.got) {
      expect(new Webhook(secret).verify(body, headers)).toEqual(event);
      expect(id).toMatch(/^[0-9a-f-]{36}$/);
      expect(Math.abs(Date.parse(event.timestamp) - clock)).toBeLessThan(MINUTE);
    }
    expect(new Set(receiver.got.map(({ id }) => id)).size).toBe(receiver.got.length);
    expect(await waiting()).toBe(0);
  });

  test("each type is announced by what makes it, with ids and without words", async () => {
    const receiver = await startReceiver();
    await endpoint({ url: receiver.url });
    const { telegram_chat_id, phone } = anna;
    /** Each step a second later than the one before. */
    const later = () => {
      clock += SECOND;
      return now();
    };
    const { session } = await store.hear(
      said("telegram", { telegram_chat_id }, "1", { wakes: false }),
      later(),
    );
    const { session_id } = session;
    const answered = (n: string) =>
      store.answered(said("telegram", { telegram_chat_id }, n), [reply(`words ${n}`)], later());
    const receipt = (status: "delivered" | "read" | "played") =>
      store.tell(
        { type: "receipt", receipt: { channel: "telegram", account: "bot-1", external_id: "x1", status } },
        later(),
      );
    await store.settleAs(await answered("2"), { external_id: "x1" }, later());
    for (const status of ["delivered", "read", "played"] as const) await receipt(status);
    await store.settleAs(await answered("3"), { state: "dead", ...rejection("refused") }, later());
    await begin(store, 2, { phone }, later(), { data: { cart: ["words"] } });
    await store.hear(said("telegram", { telegram_chat_id, phone }, "4", { wakes: false }), later());

    const { orders, reservations, customers } = store.features!;
    const making = () => ({ actor: actorOf(), now: later() });
    const items = [{ name: "words", quantity: 1 }];
    await orders.create({ order_id: "A-1", amount: "12.50", currency: "EUR", items, session_id }, making());
    for (const change of [{ amount: "13.50" }, { status: "paid" }, { status: "cancelled" }] as const)
      await orders.update("A-1", change, making());
    const when = { datetime: "2026-12-01T18:00:00.000Z", timezone: "Europe/Berlin" };
    const table = { name: "words", guests: 4, ...when, session_id };
    const reserve = async () => (await reservations.create(table, making())).reservation.reservation_id;
    const first = await reserve();
    await reservations.update(first, { guests: 5 }, making());
    await reservations.update(first, { status: "seated" }, making());
    await reservations.update(await reserve(), { status: "cancelled" }, making());
    const [{ customer_key }] = await owner()<
      [{ customer_key: string }]
    >`select customer_key from identities where kind = 'phone'`;
    await customers.patch(customer_key, { name: "words", tags: ["words"] }, making());
    await store.sessions.rate(session_id, undefined, { rating: 5, feedback: "words" }, later());
    await begin(store, 3, { phone }, later());
    await store.sessions.end(hash(3), later());
    await begin(store, 4, { visitor_id: "v" }, later());
    await store.housekeeping.expire(now(8 * DAY), 100);
    await drain();
    await begin(store, 5, { visitor_id: "w" }, later());
    await store.privacy.erase({ session_id }, actorOf(), later());
    await drain();

    expect(lines).toEqual([]);
    // Those of handoffs have their tests with the conversations.
    const others = EVENT_TYPES.filter((type) => !type.startsWith("handoff."));
    expect([...new Set(typesOf(receiver))].sort()).toEqual(others.sort());
    expect(receiver.got.filter(({ body }) => /words|text of|12345601|"7001"/.test(body))).toEqual([]);
    const dataOf = (type: EventType) =>
      receiver.got.filter(({ event }) => event.type === type).map(({ event }) => event.data);
    expect(dataOf("session.merged")).toMatchObject([{ merged_into: session_id, customer_key }]);
    expect(dataOf("message.read")).toMatchObject([
      { session_id, channel: "telegram", direction: "outbound" },
    ]);
    expect(dataOf("delivery.dead")).toMatchObject([{ session_id, code: "rejected", reason: "refused" }]);
    expect(dataOf("order.paid")).toMatchObject([
      { order_id: "A-1", amount: "13.50", currency: "EUR", status: "paid" },
    ]);
    expect(dataOf("rating.given")).toMatchObject([{ session_id, rating: 5 }]);
    const changed = dataOf("customer.updated").map((data) => data.changed);
    expect(changed).toContainEqual(["name", "tags"]);
    expect(dataOf("customer.updated").flatMap(({ merged }) => merged)).toHaveLength(1);
    expect(dataOf("customer.erased")).toMatchObject([
      { customer_key, session_ids: expect.arrayContaining([session_id]) },
    ]);
  });

  test("without an endpoint that wants it nothing is written", async () => {
    await say("1");
    expect(await written()).toEqual([]);
    const { endpoint_id } = await endpoint({ url: "http://127.0.0.1:9/", types: ["rating.given"] });
    await say("2");
    expect(await written()).toEqual([]);
    await endpoints().update(endpoint_id, { types: ["message.received"] }, by());
    await say("3");
    expect(await written()).toEqual(["message.received"]);
    await endpoints().update(endpoint_id, { enabled: false }, by());
    await say("4");
    expect(await written()).toEqual(["message.received"]);
    await endpoints().update(endpoint_id, { enabled: true, channels: ["whatsapp"] }, by());
    await say("5");
    expect(await written()).toEqual(["message.received"]);
    await store.hear(said("whatsapp", ben, "6"), now());
    expect(await written()).toEqual(["message.received", "message.received"]);
    await endpoints().delete(endpoint_id, by());
    expect(await waiting()).toBe(0);
    await say("7");
    expect(await written()).toHaveLength(2);
  });

  test("what is rolled back is not announced", async () => {
    await endpoint({ url: "http://127.0.0.1:9/", types: ["message.received", "session.opened"] });
    const both = [said("telegram", anna, "1"), said("web", { session_id: crypto.randomUUID() }, "2")];
    const events = both.map((message) => ({ type: "message" as const, message }));
    await expect(store.conversations.receive(events, now())).rejects.toMatchObject({
      code: "session_not_found",
    });
    expect(await written()).toEqual([]);
    expect(await owner()`select from messages`).toEqual([]);
  });

  test("each is written in the transaction of its change, and is gone with it", async () => {
    await endpoint({ url: "http://127.0.0.1:9/" });
    const { session } = await store.hear(said("telegram", anna, "1", { wakes: false }), now());
    const { session_id } = session;
    const sent = await store.answered(said("telegram", anna, "2"), [reply("words")], now());
    const before = await written();
    let types: EventType[] = [];
    const changes = owner().begin(async (tx) => {
      const call: SqlCall = async (name, argument) => {
        const text = JSON.stringify(argument);
        const [row] = await tx.unsafe(`select public.${name}($1::text::jsonb) as answer`, [text]);
        return row!.answer;
      };
      const inside = await desk(async () => sqlStore(call, settings));
      const { orders, reservations } = inside.features!;
      const items = [{ name: "tea", quantity: 1 }];
      await orders.create({ order_id: "A-1", amount: "12.50", currency: "EUR", items, session_id }, by());
      for (const change of [{ amount: "13.50" }, { status: "paid" }, { status: "cancelled" }] as const)
        await orders.update("A-1", change, by());
      const when = { datetime: "2026-12-01T18:00:00.000Z", timezone: "Europe/Berlin" };
      const table = { name: "Anna", guests: 4, ...when, session_id };
      const reserve = async () => (await reservations.create(table, by())).reservation.reservation_id;
      const first = await reserve();
      await reservations.update(first, { guests: 5 }, by());
      await reservations.update(first, { status: "seated" }, by());
      await reservations.update(await reserve(), { status: "cancelled" }, by());
      await inside.sessions.rate(session_id, undefined, { rating: 5 }, now());
      await inside.settleAs(sent, { state: "dead", ...rejection("refused") }, now());
      const turn = await inside.ask(said("telegram", anna, "3"), now(SECOND));
      await inside.conversations.complete(turn, [reply("words")], now(SECOND), undefined, {
        reason: "asked",
      });
      await tx`update handoffs set accepted_at = now()`;
      await tx`update handoffs set overdue_at = now()`;
      await tx`update handoffs set ended_at = now(), outcome = 'closed'`;
      await inside.housekeeping.expire(now(8 * DAY), 100);
      const rows = await tx`select distinct type from events where xmin = pg_current_xact_id()::xid`;
      types = rows.map(({ type }) => type as EventType);
      throw new Error("rolled back");
    });
    await expect(changes).rejects.toThrow("rolled back");
    const ours = /^(order|reservation|handoff)\.|^(rating\.given|delivery\.dead|session\.expired)$/;
    expect(types.filter((type) => ours.test(type)).sort()).toEqual(
      EVENT_TYPES.filter((type) => ours.test(type)).sort(),
    );
    expect(await written()).toEqual(before);
  });

  test("events of one session wait for the one that fails, and those of others go on", async () => {
    let broken = true;
    const { session } = await say("0");
    const receiver = await startReceiver(({ event }) =>
      broken && event.data.session_id === session.session_id ? 500 : 204,
    );
    await endpoint({ url: receiver.url, types: ["message.received"] });
    const ids: string[] = [];
    for (const n of ["1", "2", "3"]) {
      ids.push((await say(n)).message.message_id);
      await say(`ben ${n}`, { telegram_chat_id: ben.telegram_chat_id });
      await drain();
    }
    const got = () => receiver.got.filter(({ event }) => event.data.session_id === session.session_id);
    expect(got().map(({ event }) => event.data.message_id)).toEqual([ids[0]]);
    expect(receiver.types()).toHaveLength(3);
    expect(await waiting()).toBe(3);
    clock += 6 * SECOND;
    await drain();
    expect(got()).toHaveLength(2);
    broken = false;
    clock += 31 * SECOND;
    await drain();
    expect(got().map(({ event }) => event.data.message_id)).toEqual([ids[0], ids[0], ...ids]);
    expect(
      new Set(
        got()
          .slice(0, 3)
          .map(({ id }) => id),
      ).size,
    ).toBe(1);
    expect(await waiting()).toBe(0);
  });

  test("a failing event is tried for three days, then it is a dead letter and its session goes on", async () => {
    const { message } = await say("0");
    let poison: string | undefined;
    const receiver = await startReceiver(({ event }) => (event.data.message_id === poison ? 500 : 204));
    const { endpoint_id } = await endpoint({ url: receiver.url, types: ["message.received"] });
    poison = (await say("1")).message.message_id;
    await say("2");
    const began = clock;
    const tries: number[] = [];
    while ((await waiting()) > 0) {
      const { next_at } = await endpoints().due(now());
      clock = Math.max(clock, next_at!.getTime());
      const before = receiver.got.length;
      await drain();
      if (receiver.got.length > before) tries.push(clock - began);
      // Others go on all the time, so the endpoint as a whole does not fail.
      await store.hear(
        said("telegram", { telegram_chat_id: ben.telegram_chat_id }, `ben ${tries.length}`),
        now(),
      );
      await drain();
    }
    const waits = tries.slice(1).map((at, i) => at - tries[i]!);
    const table = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 72_000, 86_400].map(
      (s) => s * SECOND,
    );
    expect(waits).toHaveLength(table.length);
    for (const [i, wait] of waits.entries()) {
      expect(wait).toBeLessThanOrEqual(table[i]!);
      expect(wait).toBeGreaterThanOrEqual(0.79 * table[i]!);
    }
    const [dead] = await endpoints().deadLetters(endpoint_id, undefined, 10);
    expect(dead).toMatchObject({
      type: "message.received",
      attempt: 13,
      code: "unavailable",
      reason: "http_500",
    });
    expect(receiver.got.at(-1)!.event.data.message_id).not.toBe(poison);
    expect(await endpoints().get(endpoint_id)).toMatchObject({ dead: true, waiting: false });
    expect((await endpoints().state()).dead).toBe(1);
    expect(lines.filter(({ fields }) => fields.dead)).toHaveLength(1);
    expect(message.message_id).not.toBe(poison);

    poison = undefined;
    const replay = { from: new Date(began - MINUTE), to: now(HOUR), dead: true, limit: 10 };
    expect(await endpoints().replay(endpoint_id, replay, by())).toEqual({ events: 1 });
    await drain();
    expect(receiver.got.at(-1)!.id).toBe(dead!.event_id);
    expect(await endpoints().deadLetters(endpoint_id, undefined, 10)).toEqual([]);
  }, 60_000);

  test("410 disables an endpoint; what waits is posted once it is enabled", async () => {
    let gone = true;
    const receiver = await startReceiver(() => (gone ? 410 : 204));
    const { endpoint_id } = await endpoint({ url: receiver.url, types: ["message.received"] });
    await say("1");
    await say("2");
    await drain();
    expect(receiver.got).toHaveLength(1);
    expect(await endpoints().get(endpoint_id)).toMatchObject({
      state: "disabled",
      disabled_reason: "gone",
      last_failure: { reason: "http_410" },
      waiting: true,
    });
    expect(lines.at(-1)).toMatchObject({
      level: "error",
      event: "endpoint.disabled",
      fields: { endpoint_id, reason: "gone" },
    });
    await say("3");
    clock += DAY;
    await drain();
    expect(receiver.got).toHaveLength(1);
    gone = false;
    await endpoints().update(endpoint_id, { enabled: true }, by());
    await drain();
    expect(receiver.types()).toEqual(["message.received", "message.received"]);
    expect(await endpoints().get(endpoint_id)).toMatchObject({ state: "enabled", waiting: false });
  });

  test("an endpoint that fails for three days is disabled, and rests between its failures", async () => {
    const receiver = await startReceiver(() => 500);
    const { endpoint_id } = await endpoint({ url: receiver.url, types: ["message.received"] });
    for (let n = 0; n < 30; n++)
      await store.hear(said("telegram", { telegram_chat_id: `${n}` }, `m${n}`), now());
    await drain();
    // Ten failures in a row, and those that were on their way then.
    expect(receiver.got.length).toBeLessThan(20);
    const first = receiver.got.length;
    await drain();
    expect(receiver.got).toHaveLength(first);
    clock += MINUTE;
    await drain();
    expect(receiver.got).toHaveLength(first + 1);
    expect(await endpoints().get(endpoint_id)).toMatchObject({
      state: "failing",
      last_failure: { reason: "http_500" },
    });
    expect(await endpoints().state()).toMatchObject({ failing: 1, disabled: 0, waiting: 30 });
    clock += 3 * DAY;
    await drain();
    expect(await endpoints().get(endpoint_id)).toMatchObject({
      state: "disabled",
      disabled_reason: "failing",
    });
    expect(await endpoints().state()).toMatchObject({ enabled: 0, failing: 0, disabled: 1, waiting: 0 });
    expect(lines.at(-1)).toMatchObject({
      level: "error",
      event: "endpoint.disabled",
      fields: { reason: "failing" },
    });
  });

  test("one success ends the failing of an endpoint", async () => {
    let status = 500;
    const receiver = await startReceiver(() => status);
    const { endpoint_id } = await endpoint({ url: receiver.url, types: ["message.received"] });
    await say("1");
    await drain();
    expect((await endpoints().get(endpoint_id)).state).toBe("failing");
    status = 204;
    clock += 10 * SECOND;
    await drain();
    expect(await endpoints().get(endpoint_id)).toMatchObject({ state: "enabled", waiting: false });
    expect((await endpoints().get(endpoint_id)).failing_since).toBeUndefined();
  });

  test("a new secret signs beside the former one until that one's time is over", async () => {
    const receiver = await startReceiver();
    const [one, two, three] = [newSecret(), newSecret(), newSecret()];
    const { endpoint_id } = await endpoint({ url: receiver.url, types: ["message.received"] }, one);
    const signers = async () => {
      await say(String(receiver.got.length));
      await drain();
      const { body, headers } = receiver.got.at(-1)!;
      return [one, two, three].map((secret) => {
        try {
          return Boolean(new Webhook(secret).verify(body, headers));
        } catch {
          return false;
        }
      });
    };
    expect(await signers()).toEqual([true, false, false]);
    const rotated = await endpoints().rotate(endpoint_id, two, now(MINUTE), by());
    expect(rotated.former_secret_until).toEqual(now(MINUTE));
    expect(await signers()).toEqual([true, true, false]);
    clock += MINUTE;
    expect(await signers()).toEqual([false, true, false]);
    await endpoints().rotate(endpoint_id, three, now(), by());
    expect(await signers()).toEqual([false, false, true]);
    const shown = JSON.stringify([await endpoints().list(), lines]);
    for (const secret of [one, two, three]) expect(shown).not.toContain(secret.slice(6));
  });

  test("events of a range are posted again, with their ids and in order", async () => {
    const receiver = await startReceiver();
    const { endpoint_id } = await endpoint({ url: receiver.url, types: ["message.received"] });
    for (const n of ["1", "2", "3", "4"]) await say(n);
    await drain();
    const ids = receiver.got.map(({ id }) => id);
    const range = { from: now(-MINUTE), to: now(MINUTE), dead: false };
    const first = await endpoints().replay(endpoint_id, { ...range, limit: 3 }, by());
    expect(first).toEqual({ events: 3, after: ids[2] });
    expect(await endpoints().replay(endpoint_id, { ...range, limit: 3, after: first.after! }, by())).toEqual({
      events: 1,
    });
    // Those that wait already stay as they are.
    expect(await endpoints().replay(endpoint_id, { ...range, limit: 10 }, by())).toEqual({ events: 0 });
    await drain();
    expect(receiver.got.map(({ id }) => id)).toEqual([...ids, ...ids]);
    expect(await endpoints().replay(endpoint_id, { ...range, from: now(MINUTE), limit: 10 }, by())).toEqual({
      events: 0,
    });
    const later = await endpoint({ url: receiver.url, types: ["message.received"] });
    expect(await endpoints().replay(later.endpoint_id, { ...range, limit: 10 }, by())).toEqual({ events: 4 });
  });

  test("two drainers at once post each event once, those of a session in order", async () => {
    const receiver = await startReceiver(
      () => new Promise((done) => setTimeout(() => done(204), Math.random() * 5)),
    );
    await endpoint({ url: receiver.url, types: ["message.received"] });
    for (let n = 0; n < 60; n++) await say(`m${n}`, { telegram_chat_id: String(n % 7) });
    hub = { ...hub, now: () => new Date(), sleep: (ms) => new Promise((done) => setTimeout(done, ms)) };
    await Promise.all([1, 2, 3].map(() => drainEvents(hub, { ms: 20_000, events: 1_000 })));
    expect(lines).toEqual([]);
    expect(await waiting()).toBe(0);
    expect(receiver.got).toHaveLength(60);
    const seqs = await owner()`select event_id, seq, lane from events order by seq`;
    for (const lane of new Set(seqs.map((row) => row.lane)))
      expect(receiver.got.filter(({ event }) => event.data.session_id === lane).map(({ id }) => id)).toEqual(
        seqs.filter((row) => row.lane === lane).map((row) => row.event_id),
      );
  }, 60_000);

  test("what a drainer that died had claimed is posted after its lease, and nothing of that session before", async () => {
    const receiver = await startReceiver();
    const { endpoint_id } = await endpoint({ url: receiver.url, types: ["message.received"] });
    await say("1");
    const claim = { limit: 10, leaseMs: MINUTE, failsMs: DAY };
    const claimed = await endpoints().next(endpoint_id, { outcomes: [] }, claim, now());
    expect(claimed.events).toHaveLength(1);
    await say("2");
    await drain();
    expect(receiver.got).toEqual([]);
    clock += MINUTE;
    await drain();
    expect(receiver.got).toHaveLength(2);
    expect(receiver.got[0]!.id).toBe(claimed.events[0]!.event_id);
    // What the dead one says afterwards counts no more.
    const [{ lane, seq, attempt }] = claimed.events as [(typeof claimed.events)[0]];
    const late = { outcomes: [{ lane, seq, attempt, state: "waiting" as const, retry_at: now() }] };
    await endpoints().next(endpoint_id, late, claim, now());
    expect(await waiting()).toBe(0);
  });

  test("a message goes out only to endpoints with content, as it is then, and never once it is erased", async () => {
    const [bare, full] = [await startReceiver(), await startReceiver()];
    const types: EventType[] = ["message.received"];
    await endpoint({ url: bare.url, types });
    await endpoint({ url: full.url, types, content: true });
    const { session, message } = await say("1");
    await drain();
    expect(bare.got[0]!.event.data).not.toHaveProperty("message");
    expect(full.got[0]!.event.data).toMatchObject({
      message_id: message.message_id,
      message: { message_id: message.message_id, text: "text of 1" },
    });
    await say("2");
    await owner()`delete from messages where text = 'text of 2'`;
    await drain();
    expect(full.got[1]!.event.data.message).toBeNull();
    await say("3");
    await store.privacy.erase({ session_id: session.session_id }, actorOf(), now());
    expect(await waiting()).toBe(0);
    expect(await owner()`select from events`).toEqual([]);
    await drain();
    expect(full.got).toHaveLength(2);
    // An erasure is announced once, and one of nobody never.
    await endpoint({ url: bare.url, types: ["customer.erased"] });
    await store.privacy.erase({ session_id: session.session_id }, actorOf(), now());
    await store.privacy.erase({ customer_id: "nobody" }, actorOf(), now());
    expect(await written()).toEqual([]);
  });

  test("events are kept for their time, then deleted with what still waits", async () => {
    const receiver = await startReceiver();
    const { endpoint_id } = await endpoint({ url: receiver.url, types: ["message.received"] });
    await say("1");
    await endpoints().update(endpoint_id, { enabled: false }, by());
    const purge = (events_before: Date) =>
      store.housekeeping.purge(new Date(0), 100, { now: now(), events_before });
    await purge(now(-MINUTE));
    expect(await written()).toHaveLength(1);
    await purge(now(MINUTE));
    expect(await written()).toEqual([]);
    expect(await waiting()).toBe(0);
  });

  test("a slow endpoint delays only its own events", async () => {
    const slow = await startReceiver(() => new Promise(() => {}));
    const fast = await startReceiver();
    await endpoint({ url: slow.url, types: ["message.received"] });
    await endpoint({ url: fast.url, types: ["message.received"] });
    for (let n = 0; n < 3; n++) await say(`m${n}`, { telegram_chat_id: String(n) });
    hub = {
      ...hub,
      now: () => new Date(),
      sleep: (ms) => new Promise((go) => setTimeout(go, ms)),
      policy: { ...DEFAULT_POLICY, sendMs: 8_000 },
    };
    const drained = drainEvents(hub, { ms: 7_000, events: 100 });
    await expect.poll(() => [fast.got.length, slow.got.length], { timeout: 20_000 }).toEqual([3, 3]);
    // Nothing has come of the slow one's first posts yet.
    expect(lines).toEqual([]);
    await drained;
    expect(lines.filter(({ event }) => event === "event.failed")[0]!.fields).toMatchObject({
      reason: "timeout",
    });
  }, 30_000);
});
