import { beforeEach, describe, expect, test } from "vitest";
import type { Turn } from "../../src/core/answer/turn.ts";
import type { Store } from "../../src/core/store.ts";
import { textIn } from "../../src/core/texts/text-in.ts";
import type { Action } from "../../src/features/actions/action.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import {
  anna,
  ben,
  type Desk,
  desk,
  failure,
  hash,
  minute,
  reply,
  said,
  settings,
} from "../contracts/given.ts";
import { bothTransports } from "../support/transports.ts";

const { transports, empty, owner } = bothTransports({ max: 20 });
beforeEach(empty);

const tea = {
  type: "create_order",
  order_id: "A-1",
  amount: "12.50",
  currency: "EUR",
  items: [{ sku: "tea", quantity: 2 }],
} as const satisfies Action;
const table = {
  type: "create_reservation",
  name: "Anna Berg",
  datetime: "2026-12-01T18:00:00.000Z",
  timezone: "Europe/Berlin",
  guests: 4,
} as const satisfies Action;

describe.each(transports)("the actions of a bot's answer, in %s", (_name, call) => {
  let store: Desk;
  let seed = 0;
  beforeEach(async () => {
    const plain: Store = sqlStore(call(), settings);
    store = await desk(async () => plain);
  });

  const ask = (phone: string = anna.phone, at = 0) =>
    store.ask(said("whatsapp", { phone }, `m${++seed}`), minute(at));
  const answer = (turn: Turn, actions: readonly Action[], at = 1) =>
    store.conversations.complete(turn, [reply("Done")], minute(at), actions);
  const saved = async (session_id: string) =>
    (await store.history(session_id)).map(({ content }) =>
      content.kind === "system" ? content.event : content.kind === "text" ? content.text : "",
    );
  const ordersOf = async () => (await store.features!.orders.find({}, undefined, 50, minute(0))).items;

  test("make reservations and orders, in order, before the replies, on the channel of the turn", async () => {
    const turn = await ask();
    const { session_id } = turn.session;
    const { order_id: _, ...unnamed } = tea;
    const done = await answer(turn, [
      table,
      tea,
      { type: "update_order", order_id: "A-1", status: "paid" },
      unnamed,
    ]);
    expect(done).toMatchObject({ stale: false, messages: [{ text: "Done" }], deliveries: [{ attempt: 1 }] });
    expect(await saved(session_id)).toEqual([
      `text of m${seed}`,
      "reservation_created",
      "order_created",
      "order_paid",
      "order_created",
      "Done",
    ]);
    expect(done.done!.messages).toEqual((await store.history(session_id)).slice(1, 5));
    expect(done.done!.messages[0]).toMatchObject({
      channel: "whatsapp",
      role: "system",
      direction: "outbound",
    });
    const orders = await ordersOf();
    expect(orders).toHaveLength(2);
    expect(orders.find(({ order_id }) => order_id === "A-1")).toMatchObject({
      status: "paid",
      session_id,
      amount: "12.50",
    });
    const [reservation] = (await store.features!.reservations.find({}, undefined, 5, minute(0))).items;
    expect(reservation).toMatchObject({ name: "Anna Berg", session_id, status: "booked" });
    const [after] = await store.sessions.find({ session_id }, minute(2));
    expect(after).toMatchObject({ message_count: 6, version: turn.session.version });
  });

  test("reach the bot as events in its next turn's history, with their ids", async () => {
    const turn = await ask();
    await answer(turn, [table, tea]);
    const next = await ask(anna.phone, 2);
    const [, booked] = next.history.map(({ content }) => content);
    expect(next.history.map(({ text }) => text)).toEqual(["reservation_created", "order_created", "Done"]);
    expect(booked).toEqual({ kind: "system", event: "order_created", order_id: "A-1", status: "pending" });
    const { reservation_id } = next.history[0]!.content as { reservation_id: string };
    await answer(next, [{ type: "update_reservation", reservation_id, status: "cancelled" }], 3);
    expect((await store.features!.reservations.get(reservation_id, {}, minute(3))).status).toBe("cancelled");
  });

  test("are all saved with the replies, or nothing is, and the error names the refused one", async () => {
    const first = await ask();
    await answer(first, [tea]);
    const turn = await ask(anna.phone, 2);
    const { session_id } = turn.session;
    const before = await saved(session_id);
    const refusals: [Action, string][] = [
      [{ ...tea, amount: "99.00" }, "order_conflict"],
      [{ type: "update_order", order_id: "A-9", status: "paid" }, "not_found"],
      [{ type: "update_order", order_id: "A-1", amount: "1.00", currency: "USD" }, "order_conflict"],
      [{ type: "update_reservation", reservation_id: crypto.randomUUID(), guests: 1 }, "not_found"],
      [{ type: "set_data", data: { text: "x".repeat(300_000) } }, "payload_too_large"],
      [{ type: "update_customer", attributes: { text: "x".repeat(300_000) } }, "payload_too_large"],
    ];
    for (const [action, code] of refusals)
      await expect(
        answer(turn, [table, { type: "set_language", language: "hi" }, action], 3),
      ).rejects.toMatchObject({
        code,
        details: { action: 2 },
      });
    expect(await saved(session_id)).toEqual(before);
    expect((await store.features!.reservations.find({}, undefined, 5, minute(0))).items).toEqual([]);
    const [session] = await store.sessions.find({ session_id }, minute(3));
    expect(session!.language).toBe("en");
    expect((await answer(turn, [table], 4)).stale).toBe(false);
  });

  test("illegal transitions are refused, of orders and of reservations", async () => {
    const turn = await ask();
    await answer(turn, [{ ...tea, status: "paid" }]);
    const next = await ask(anna.phone, 2);
    const back: Action = { type: "update_order", order_id: "A-1", status: "pending" };
    await expect(answer(next, [back], 3)).rejects.toMatchObject({
      code: "illegal_transition",
      details: { action: 0, from: "paid", to: "pending" },
    });
  });

  test("are saved once, however often the turn is answered", async () => {
    const turn = await ask();
    const { order_id: _, ...unnamed } = tea;
    expect((await answer(turn, [unnamed])).stale).toBe(false);
    // The answer to the first call was lost: the hub calls again, and the platform delivers the message again.
    for (let i = 0; i < 3; i++)
      expect(await answer(turn, [unnamed])).toEqual({ stale: true, messages: [], deliveries: [] });
    expect((await store.conversations.due(minute(500), 10)).turns).toEqual([]);
    expect(await ordersOf()).toHaveLength(1);
  });

  test("are saved once by many answers at the same time", async () => {
    const turn = await ask();
    const { order_id: _, ...unnamed } = tea;
    const all = await Promise.all(Array.from({ length: 10 }, () => answer(turn, [table, unnamed])));
    expect(all.filter(({ stale }) => !stale)).toHaveLength(1);
    expect(await ordersOf()).toHaveLength(1);
  });

  test("of a bot that was too slow are not saved: another claim has the turn", async () => {
    const turn = await ask();
    const [again] = (await store.conversations.due(minute(10), 10)).turns;
    expect((await answer(turn, [tea], 11)).stale).toBe(true);
    expect((await answer(again!, [tea], 11)).stale).toBe(false);
    expect(await ordersOf()).toHaveLength(1);
  });

  test("touch no other customer's orders and reservations", async () => {
    await answer(await ask(ben.phone), [tea, table]);
    const [theirs] = (await store.features!.reservations.find({}, undefined, 5, minute(0))).items;
    const turn = await ask(anna.phone, 2);
    const attacks: [Action, string][] = [
      [{ type: "update_order", order_id: "A-1", status: "cancelled" }, "not_found"],
      [
        { type: "update_reservation", reservation_id: theirs!.reservation_id, status: "cancelled" },
        "not_found",
      ],
      [tea, "order_conflict"],
    ];
    for (const [action, code] of attacks)
      await expect(answer(turn, [action], 3)).rejects.toMatchObject({ code, details: { action: 0 } });
    expect((await ordersOf())[0]!.status).toBe("pending");
  });

  test("touch only their own session's before a proof: another person may have used the browser before", async () => {
    const visitor = { visitor_id: "shared browser" };
    const first = await store.ask(said("web", visitor, "v1"), minute(0));
    await answer(first, [tea]);
    const token_hash = hash(1);
    await store.sessions.start({ identities: visitor, channel: "web", token_hash }, minute(1));
    await store.sessions.end(token_hash, minute(2));
    const next = await store.ask(said("web", visitor, "v2"), minute(3));
    expect(next.session.previous_session_id).toBe(first.session.session_id);
    const cancel: Action = { type: "update_order", order_id: "A-1", status: "cancelled" };
    await expect(answer(next, [cancel], 4)).rejects.toMatchObject({
      code: "not_found",
      details: { action: 0 },
    });
  });

  test("set the language, the data and the summary of the session, each once", async () => {
    const turn = await ask();
    const { session_id, version } = turn.session;
    await store.sessions.update({ session_id }, { data: { cart: [1], step: 1 } }, minute(0));
    const { done } = await answer(turn, [
      { type: "set_language", language: "hi" },
      { type: "set_data", data: { step: null, last_recommended_skus: ["tea"] } },
      { type: "set_summary", summary: "Tea" },
    ]);
    const said = { role: "system", text: textIn("hi", "language_set"), channel: "whatsapp" };
    expect(done).toMatchObject({ messages: [said], closed: [] });
    expect(await store.history(session_id)).toMatchObject([{}, said, { text: "Done" }]);
    const [session] = await store.sessions.find({ session_id }, minute(2));
    expect(session).toEqual(done!.session);
    expect(session).toMatchObject({
      language: "hi",
      data: { cart: [1], last_recommended_skus: ["tea"] },
      summary: "Tea",
      version: version + 3,
    });
  });

  test("end the session with a summary: its tokens end, and its replies are still sent", async () => {
    const turn = await ask();
    const { session_id } = turn.session;
    const token_hash = hash(1);
    await store.sessions.start({ identities: { phone: anna.phone }, channel: "web", token_hash }, minute(0));
    const { done, deliveries } = await answer(turn, [
      { type: "end_session", summary: "A table for four" },
      table,
    ]);
    expect(done).toMatchObject({
      closed: [token_hash],
      session: { status: "logged_out", summary: "A table for four", ended_at: minute(1) },
    });
    await store.settleAs(deliveries[0]!, { external_id: "out" }, minute(2));
    expect((await store.history(session_id)).at(-1)).toMatchObject({ text: "Done", status: "sent" });
    await expect(store.sessions.restore({ token_hash }, "web", minute(2))).rejects.toMatchObject({
      code: "session_not_found",
    });
    const page = (at: number) => store.sessions.messages({ token_hash }, 0, 50, minute(at));
    expect((await page(2.9)).messages.at(-1)).toMatchObject({ text: "Done" });
    await expect(page(3)).rejects.toMatchObject({ code: "session_not_found" });
    const next = await ask(anna.phone, 3);
    expect(next.session).toMatchObject({ previous_session_id: session_id });
  });

  test("describe the customer; contacts are claims, which join nobody", async () => {
    const turn = await ask();
    const { customer } = await store.features!.customers.upsert(
      { email: "ben@example.com" },
      { actor: "a", now: minute(0) },
    );
    await answer(turn, [
      {
        type: "update_customer",
        name: "Anna",
        preferred_language: "hi-IN",
        tags: ["vip"],
        attributes: { allergies: ["nuts"] },
        email: "ben@example.com",
        phone: ben.phone,
      },
    ]);
    const [row] =
      await owner()`select customer_key from public.sessions where session_id = ${turn.session.session_id}`;
    const described = await store.features!.customers.get(row!.customer_key);
    expect(described).toMatchObject({
      name: "Anna",
      preferred_language: "hi-IN",
      tags: ["vip"],
      attributes: { allergies: ["nuts"] },
      identities: { phone: anna.phone },
      claimed: { email: "ben@example.com" },
      version: 2,
    });
    expect(described.claimed).not.toHaveProperty("phone");
    expect(described.customer_key).not.toBe(customer.customer_key);
  });

  test("a turn that is tried again tells the bot why its last attempt failed", async () => {
    const turn = await ask();
    expect(turn).not.toHaveProperty("failure");
    const why = { code: "order_conflict", reason: "actions[1]" } as const;
    const { next: again } = await store.conversations.fail(turn, why, minute(1), minute(1));
    expect(again).toMatchObject({ attempt: 2, failure: { code: "order_conflict", reason: "actions[1]" } });
  });

  test("after an erasure nothing is saved", async () => {
    const turn = await ask();
    await store.privacy.erase({ session_id: turn.session.session_id }, "admin", minute(1));
    expect((await answer(turn, [tea], 2)).stale).toBe(true);
    expect(await ordersOf()).toEqual([]);
  });
});

describe("the actions of a bot's answer, in memory", () => {
  const make = () => desk(async () => memoryStore(settings));

  test("set the session's language, data and summary, and end it", async () => {
    const store = await make();
    const turn = await store.ask(said("whatsapp", { phone: anna.phone }, "1"), minute(0));
    const token_hash = hash(1);
    await store.sessions.start({ identities: { phone: anna.phone }, channel: "web", token_hash }, minute(0));
    const { done } = await store.conversations.complete(turn, [reply("Bye")], minute(1), [
      { type: "set_language", language: "hi" },
      { type: "set_data", data: { step: 2 } },
      { type: "end_session", summary: "Tea" },
    ]);
    expect(done).toMatchObject({
      messages: [{ role: "system", text: textIn("hi", "language_set") }],
      closed: [token_hash],
      session: {
        status: "logged_out",
        language: "hi",
        data: { step: 2 },
        summary: "Tea",
        ended_at: minute(1),
      },
    });
    expect(await store.sessions.find({ session_id: turn.session.session_id }, minute(1))).toEqual([
      done!.session,
    ]);
    const page = (at: number) => store.sessions.messages({ token_hash }, 0, 50, minute(at));
    expect((await page(2.9)).messages.at(-1)).toMatchObject({ text: "Bye" });
    await expect(page(3)).rejects.toMatchObject({ code: "session_not_found" });
  });

  test.for([tea, table, { type: "update_customer", name: "Anna" }] as const satisfies Action[])(
    "%o needs a database, and nothing of the answer is saved",
    async (action) => {
      const store = await make();
      const turn = await store.ask(said("whatsapp", { phone: anna.phone }, "1"), minute(0));
      const { session_id } = turn.session;
      await expect(
        store.conversations.complete(turn, [reply("x")], minute(1), [
          { type: "set_language", language: "hi" },
          action,
        ]),
      ).rejects.toMatchObject({ code: "needs_database", details: { action: 1 } });
      expect(await store.texts(session_id)).toEqual(["text of 1"]);
      expect((await store.sessions.find({ session_id }, minute(1)))[0]!.language).toBe("en");
      await store.conversations.fail(turn, failure("x"), minute(1), minute(1));
    },
  );
});

describe.each([
  ...transports.map(([name, call]): [string, () => Store] => [name, () => sqlStore(call(), settings)]),
  ["memory", () => memoryStore(settings)] as [string, () => Store],
])("a handoff, in %s", (_name, make) => {
  test("marks the session with the replies, once, and is counted", async () => {
    const plain = make();
    const store = await desk(async () => plain);
    const turn = await store.ask(said("whatsapp", { phone: anna.phone }, "h1"), minute(0));
    const { session_id, version } = turn.session;
    const handoff = { reason: "a refund", to: "billing" };
    const actions: Action[] = [{ type: "set_data", data: { step: 1 } }];
    const complete = () => store.conversations.complete(turn, [reply("Wait")], minute(1), actions, handoff);
    const { done } = await complete();
    const marked = { handoff: { ...handoff, at: minute(1).toISOString() } };
    expect(done!.session).toMatchObject({ metadata: marked, data: { step: 1 }, version: version + 2 });
    expect(await store.sessions.find({ session_id }, minute(1))).toEqual([done!.session]);
    expect((await complete()).stale).toBe(true);
    expect((await store.operations.metrics(minute(3))).counters["handoffs|whatsapp"]).toBe(1);
    const next = await store.hear(said("whatsapp", { phone: anna.phone }, "h2"), minute(2));
    expect(await store.texts(session_id)).toEqual(["text of h1", "Wait", "text of h2"]);
    // Only a database knows who has a conversation.
    if (plain.features) expect([next.turn, next.session.holder]).toEqual([undefined, "waiting"]);
    else expect(next.turn).toBeDefined();
  });
});
