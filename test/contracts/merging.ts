import { expect, test } from "vitest";
import type { Identities } from "../../src/core/identity/identity.ts";
import { anna, ben, day, desk, hash, type Make, minute, reply, said } from "./given.ts";
import { begin, expectToken } from "./proving.ts";

const { phone, telegram_chat_id, whatsapp_user_id, visitor_id } = anna;

export function merging(make: Make): void {
  test("a message that proves two identities merges their sessions into the older one", async () => {
    const store = await desk(make);
    const old = await store.sessions.start(
      {
        identities: { telegram_chat_id },
        channel: "telegram",
        data: { cart: [1], seen: "old" },
        token_hash: hash(1),
      },
      minute(0),
    );
    await store.hear(said("telegram", { telegram_chat_id }, "t1"), minute(1));
    const young = await store.sessions.start(
      {
        identities: { phone },
        channel: "kiosk",
        customer_id: "103",
        data: { seen: "young", deep: { a: 1 } },
        token_hash: hash(2),
      },
      minute(2),
    );
    await store.hear(said("web", { phone }, "w1"), minute(3));
    await store.hear(said("web", { telegram_chat_id }, "w2"), minute(4));

    const { session, closed } = await store.hear(
      said("telegram", { telegram_chat_id, phone }, "t2"),
      minute(5),
    );
    expect(closed).toEqual([hash(1), hash(2)]);
    expect(session).toMatchObject({
      session_id: old.session_id,
      telegram_chat_id,
      phone,
      customer_id: "103",
      data: { cart: [1], seen: "young", deep: { a: 1 } },
      channel: "telegram",
      channels: ["telegram", "kiosk", "web"],
      metadata: {
        merge_conflicts: [{ path: "data.seen", value: "old", session_id: old.session_id }],
      },
      message_count: 4,
      version: 2,
      status: "active",
      created_at: minute(0),
    });
    expect(await store.texts(young.session_id)).toEqual(
      ["t1", "w1", "w2", "t2"].map((id) => `text of ${id}`),
    );
    for (const dead of [hash(1), hash(2)]) await expectToken(store, dead, undefined, minute(6));
    expect(
      (await store.sessions.messages({ session_id: young.session_id }, 0, 9, minute(6))).session_id,
    ).toBe(old.session_id);
    const named = await store.hear(said("web", { session_id: young.session_id }, "w3"), minute(7));
    expect(named.session.session_id).toBe(old.session_id);
  });

  test("a call that merges sessions returns the merged ids once", async () => {
    const store = await desk(make);
    const started = [{ telegram_chat_id }, { phone }, { whatsapp_user_id }].map((identities, i) =>
      store.sessions.start({ identities, channel: "kiosk", token_hash: hash(i) }, minute(i)),
    );
    const [, second, third] = await Promise.all(started);
    const joint = said("telegram", { telegram_chat_id, phone, whatsapp_user_id }, "1");
    const items = [joint, said("telegram", { telegram_chat_id }, "2")];
    const results = await store.conversations.receive(
      items.map((message) => ({ type: "message", message })),
      minute(4),
    );
    expect(results.map(({ merged }) => merged)).toEqual([[second!.session_id, third!.session_id], undefined]);
    expect(await store.hear(joint, minute(5))).not.toHaveProperty("merged");
  });

  test("turns move to the surviving session and are answered one at a time, oldest first", async () => {
    const store = await desk(make);
    const one = await store.ask(said("kiosk", { phone }, "k1"), minute(0));
    const two = await store.ask(said("telegram", { telegram_chat_id }, "t1"), minute(0.1));
    await store.hear(said("telegram", { telegram_chat_id }, "t2"), minute(0.2));
    const { turn: third } = await store.hear(
      said("telegram", { telegram_chat_id, phone }, "t3"),
      minute(0.3),
    );
    expect(third).toBeUndefined();
    const done = await store.conversations.complete(two, [reply("to t1", [])], minute(0.4));
    expect(done).toMatchObject({ stale: false, messages: [{ session_id: one.session.session_id }] });
    expect(done.next).toBeUndefined();
    const { next } = await store.conversations.complete(one, [], minute(0.5));
    expect(next).toMatchObject({
      message: { external_id: "t2" },
      session: { session_id: one.session.session_id },
    });
    const last = await store.conversations.complete(next!, [], minute(0.6));
    expect(last.next).toMatchObject({ message: { external_id: "t3" } });
  });

  test("a turn whose lease has ended waits while a turn of the other session runs", async () => {
    const store = await desk(make);
    const one = await store.ask(said("kiosk", { phone }, "k1"), minute(0));
    const two = await store.ask(said("telegram", { telegram_chat_id }, "t1"), minute(0.9));
    await store.hear(said("web", { telegram_chat_id, phone }, "w1", { wakes: false }), minute(0.95));
    expect((await store.conversations.due(minute(1.2), 10)).turns).toEqual([]);
    expect((await store.hear(said("kiosk", { phone }, "k1"), minute(1.2))).turn).toBeUndefined();
    const { next } = await store.conversations.complete(two, [], minute(1.3));
    expect(next).toMatchObject({ turn_id: one.turn_id, attempt: 2 });
  });

  test("deliveries move into one lane with those of the survivor", async () => {
    const store = await desk(make);
    const one = await store.answered(
      said("telegram", { telegram_chat_id }, "t1"),
      [reply("1"), reply("2")],
      minute(0),
    );
    const other = await store.answered(
      said("telegram", { phone }, "t2", { account: "bot-2" }),
      [reply("3"), reply("4")],
      minute(0.1),
    );
    await store.hear(said("web", { telegram_chat_id, phone }, "w1", { wakes: false }), minute(0.2));
    expect(await store.settleAs(other, {}, minute(0.3))).toEqual([]);
    const sent: string[] = [];
    for (let [next] = await store.settleAs(one, {}, minute(0.4)); next; ) {
      expect(next).toMatchObject({ session_id: one.session_id });
      sent.push((next.content as { text: string }).text);
      [next] = await store.settleAs(next, {}, minute(0.5));
    }
    expect(sent).toEqual(["2", "4"]);
  });

  test("two messages with the same id of a caller stay two after a merge", async () => {
    const store = await desk(make);
    const old = await store.hear(said("web", { visitor_id }, "1"), minute(0));
    const young = await store.hear(said("web", { phone }, "1"), minute(1));
    const both = await store.hear(said("kiosk", { visitor_id, phone }, "k"), minute(2));
    expect(both.session.message_count).toBe(3);
    expect((await store.history(old.session.session_id)).map(({ external_id }) => external_id)).toEqual([
      "1",
      "1",
      "k",
    ]);
    const again = await store.hear(said("web", { phone }, "1"), minute(3));
    expect(again).toMatchObject({ duplicate: true, message: { message_id: old.message.message_id } });
    expect(young.message.message_id).not.toBe(old.message.message_id);
  });

  test("a message that a caller repeats after the merge is still the same message", async () => {
    const store = await desk(make);
    await store.hear(said("web", { visitor_id }, "1"), minute(0));
    const young = await store.hear(said("web", { phone }, "2"), minute(1));
    await store.hear(said("web", { visitor_id, phone }, "3"), minute(2));
    const again = await store.hear(said("web", { phone }, "2"), minute(3));
    expect(again).toMatchObject({ duplicate: true, message: { message_id: young.message.message_id } });
  });

  test("three sessions of one person become one", async () => {
    const store = await desk(make);
    const people: Identities[] = [{ whatsapp_user_id }, { phone }, { telegram_chat_id }];
    for (const [i, who] of people.entries()) await store.hear(said("web", who, `${i}`), minute(i));
    const { session } = await store.hear(said("web", { ...anna }, "all"), minute(5));
    expect(session).toMatchObject({ ...anna, message_count: 4, created_at: minute(0), version: 3 });
  });

  test("the merged session has the later expiry of the two", async () => {
    const store = await desk(make);
    const old = await store.hear(said("whatsapp", { whatsapp_user_id }, "1"), day(0));
    await store.hear(said("whatsapp", { whatsapp_user_id: "DE.new" }, "2"), day(5));
    const change = { channel: "whatsapp", from: { whatsapp_user_id }, to: { whatsapp_user_id: "DE.new" } };
    await store.tell({ type: "identity_change", change }, day(6));
    const { session } = await store.hear(said("whatsapp", { whatsapp_user_id: "DE.new" }, "3"), day(11));
    expect(session.session_id).toBe(old.session.session_id);
    expect(await store.housekeeping.expire(day(17), 10)).toBe(0);
  });

  test("a recycled phone moves from its old owner's session to the new one's", async () => {
    const store = await desk(make);
    const first = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "1"), minute(0));
    const second = await store.hear(
      said("whatsapp", { whatsapp_user_id: ben.whatsapp_user_id, phone }, "2"),
      minute(1),
    );
    expect(second.session.session_id).not.toBe(first.session.session_id);
    expect(second.session).toMatchObject({ whatsapp_user_id: ben.whatsapp_user_id, phone, message_count: 1 });
    const again = await store.hear(said("whatsapp", { whatsapp_user_id }, "3"), minute(2));
    expect(again.session).toMatchObject({ session_id: first.session.session_id, version: 2 });
    expect(again.session.phone).toBeUndefined();
    const kiosk = await store.hear(said("kiosk", { phone }, "4"), minute(3));
    expect(kiosk.session.session_id).toBe(second.session.session_id);
  });

  test("a new phone replaces the old one of the same person", async () => {
    const store = await desk(make);
    const { session } = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "1"), minute(0));
    const moved = await store.hear(
      said("whatsapp", { whatsapp_user_id, phone: "+4915112345699" }, "2"),
      minute(1),
    );
    expect(moved.session).toMatchObject({ session_id: session.session_id, phone: "+4915112345699" });
    const other = await store.hear(said("kiosk", { phone }, "3"), minute(2));
    expect(other.session.session_id).not.toBe(session.session_id);
  });

  test("two browsers of one customer are one person", async () => {
    const store = await desk(make);
    const one = await store.hear(said("web", { visitor_id, phone }, "1"), minute(0));
    const two = await store.hear(said("web", { visitor_id: "visit-2" }, "2"), minute(1));
    const { session } = await store.hear(said("web", { visitor_id: "visit-2", phone }, "3"), minute(2));
    expect(session).toMatchObject({
      session_id: one.session.session_id,
      visitor_id: "visit-2",
      message_count: 3,
    });
    expect(await store.texts(two.session.session_id)).toHaveLength(3);
  });

  test("tokens of ended sessions are deleted too when two customers are joined", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone }, day(0));
    expect(await store.housekeeping.expire(day(8), 10)).toBe(1);
    await begin(store, 2, { telegram_chat_id }, day(8));
    const { closed } = await begin(store, 3, { phone, telegram_chat_id }, day(9));
    expect(closed).toEqual([hash(1), hash(2)]);
    const of = { token_hash: hash(1) };
    await expect(store.sessions.messages(of, 0, 10, day(9))).rejects.toMatchObject({
      code: "session_not_found",
    });
  });

  test("an ended session is not merged", async () => {
    const store = await desk(make);
    const token_hash = hash(1);
    const ended = await store.sessions.start(
      { identities: { phone }, channel: "web", token_hash },
      minute(0),
    );
    await store.sessions.end(token_hash, minute(1));
    await store.hear(said("telegram", { telegram_chat_id }, "1"), minute(2));
    const { session } = await store.hear(said("telegram", { telegram_chat_id, phone }, "2"), minute(3));
    expect(session).toMatchObject({ phone, message_count: 2 });
    expect(session.session_id).not.toBe(ended.session_id);
  });
}
