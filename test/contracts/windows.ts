import { describe, expect, test } from "vitest";
import type { Delivery, OutboundReply, Outcome, Part } from "../../src/core/answer/turn.ts";
import type { InboundMessage } from "../../src/core/messages/message.ts";
import {
  anna,
  ben,
  DAY,
  type Desk,
  day,
  desk,
  type Heard,
  type Make,
  minute,
  reply,
  said,
  text,
} from "./given.ts";

const { phone } = anna;

/** A reply whose parts wait for the customer when the window is closed. */
const waiting = (...parts: string[]): OutboundReply => ({
  content: text(parts.join(" ")),
  parts: parts.map((part) => ({ ...text(part), outside: "hold" as const })),
});

/** A customer's message that opens the window for a day. */
function opening(external_id: string, at: Date, over: Partial<InboundMessage> = {}): InboundMessage {
  return said("whatsapp", { phone }, external_id, {
    window_closes_at: new Date(at.getTime() + DAY),
    ...over,
  });
}

const held = (over: Partial<Outcome> = {}) => ({ state: "held", until: day(9), ...over }) as Partial<Outcome>;

/** A delivery that waits for Anna since two days after her first message. */
async function hold(store: Desk, replies = [waiting("one")]): Promise<Delivery> {
  const delivery = await store.answered(opening("1", minute(0)), replies, minute(0));
  expect(await store.settleAs(delivery, held(), day(2))).toEqual([]);
  return delivery;
}

const later = (ms: number) => new Date(day(2).getTime() + ms);

export function windows(make: Make): void {
  test("a turn and a delivery have the end of the window at their address", async () => {
    const store = await desk(make);
    const turn = await store.ask(opening("1", minute(0)), minute(0));
    expect(turn.window_closes_at).toEqual(day(1));
    const { deliveries } = await store.conversations.complete(turn, [reply("a", ["a", "b"])], minute(1));
    expect(deliveries[0]).toMatchObject({ window_closes_at: day(1) });
    const next = await store.settleAs(deliveries[0]!, {}, minute(2));
    expect(next[0]).toMatchObject({ content: { text: "b" }, window_closes_at: day(1) });
    const other = await store.ask(said("telegram", { telegram_chat_id: "7001" }, "t"), minute(2));
    expect(other).not.toHaveProperty("window_closes_at");
  });

  test("a window is of one address at one account, and no late message shortens it", async () => {
    const store = await desk(make);
    const first = await store.ask(opening("1", minute(0)), minute(0));
    await store.hear(opening("2", minute(-60)), minute(0.1));
    await store.hear(opening("3", minute(-600), { account: "number-2" }), minute(0.2));
    const { next: second } = await store.conversations.complete(first, [], minute(0.3));
    expect(second).toMatchObject({ message: { external_id: "2" }, window_closes_at: day(1) });
    const { next: third } = await store.conversations.complete(second!, [], minute(0.4));
    const closes_at = new Date(minute(-600).getTime() + DAY);
    expect(third).toMatchObject({ message: { external_id: "3" }, window_closes_at: closes_at });
  });

  test("what waits goes out in its order when the customer writes, before the answer to that", async () => {
    const store = await desk(make);
    const one = await store.answered(opening("1", minute(0)), [waiting("one"), waiting("two")], minute(0));
    const [two] = await store.settleAs(one, held(), day(2));
    expect(two).toMatchObject({ content: { text: "two" } });
    expect(await store.settleAs(two!, held(), day(2))).toEqual([]);
    expect(await store.conversations.due(day(4), 10)).toEqual({ turns: [], deliveries: [] });
    const { deliveries, turn } = await store.hear(opening("2", day(4)), day(4));
    expect(deliveries).toMatchObject([{ content: { text: "one" }, attempt: 2, window_closes_at: day(5) }]);
    const answer = await store.conversations.complete(turn!, [reply("three")], day(4));
    expect(answer.deliveries).toEqual([]);
    const next = await store.settleAs(deliveries![0]!, { external_id: "s1" }, day(4));
    expect(next).toMatchObject([{ content: { text: "two" } }]);
    const last = await store.settleAs(next[0]!, { external_id: "s2" }, day(4));
    expect(last).toMatchObject([{ content: { text: "three" } }]);
  });

  test("the later parts of a held message wait with it", async () => {
    const store = await desk(make);
    await hold(store, [waiting("one", "two", "three")]);
    expect((await store.conversations.due(day(3), 10)).deliveries).toEqual([]);
    const { deliveries } = await store.hear(opening("2", day(4), { wakes: false }), day(4));
    expect(deliveries).toMatchObject([{ content: { text: "one" } }]);
    expect(await store.settleAs(deliveries![0]!, {}, day(4))).toMatchObject([{ content: { text: "two" } }]);
  });

  test("a message that comes between the claim and the hold is not missed", async () => {
    const store = await desk(make);
    const delivery = await store.answered(opening("1", minute(0)), [waiting("one")], minute(0));
    await store.hear(opening("2", day(2), { wakes: false }), day(2));
    expect(await store.settleAs(delivery, held({ seen: day(1) }), later(1_000))).toMatchObject([
      { content: { text: "one" }, attempt: 2, window_closes_at: day(3) },
    ]);
  });

  test("two messages at once hand out what waits once, and a worker's death only delays it", async () => {
    const store = await desk(make);
    await hold(store);
    const heard = await Promise.all([
      store.hear(opening("2", day(4), { wakes: false }), day(4)),
      store.hear(opening("3", day(4), { wakes: false }), day(4)),
    ]);
    expect(heard.flatMap(({ deliveries = [] }) => deliveries)).toMatchObject([{ content: { text: "one" } }]);
    // The worker that got it dies: it comes back after its lease, and once.
    expect((await store.conversations.due(day(4), 10)).deliveries).toEqual([]);
    const [again, ...more] = (await store.conversations.due(new Date(day(4).getTime() + 61_000), 10))
      .deliveries;
    expect([again?.content.text, again?.attempt, more]).toEqual(["one", 3, []]);
    await store.settleAs(again!, { external_id: "s1" }, day(4));
    await store.hear(opening("4", day(6), { wakes: false }), day(6));
    expect((await store.conversations.due(day(7), 10)).deliveries).toEqual([]);
  });

  test("an attempt that is held twice, or after it was sent, changes nothing the second time", async () => {
    const store = await desk(make);
    const delivery = await hold(store);
    expect(await store.settleAs(delivery, { external_id: "s1" }, day(2))).toEqual([]);
    expect(await store.settleAs(delivery, held(), day(2))).toEqual([]);
    const { deliveries } = await store.hear(opening("2", day(4), { wakes: false }), day(4));
    expect(await store.settleAs(delivery, held(), day(4))).toEqual([]);
    expect(await store.settleAs(deliveries![0]!, { external_id: "s2" }, day(4))).toEqual([]);
    expect((await store.history(delivery.session_id))[1]).toMatchObject({ status: "sent" });
  });

  test("an export has the end of the window, and an erasure forgets it", async () => {
    const store = await desk(make);
    const { session } = await store.hear(opening("1", minute(0)), minute(0));
    const { session_id } = session;
    const { sessions } = await store.privacy.export({ session_id }, undefined, 10, "test", minute(1));
    expect(sessions[0]?.windows).toEqual([
      { channel: "whatsapp", account: "number-1", window_closes_at: day(1) },
    ]);
    await store.privacy.erase({ session_id }, "test", minute(2));
    expect(await store.sessions.windows(session_id, minute(3))).toEqual([]);
  });

  describe("a delivery that the platform refuses after it took it, because the window was closed", () => {
    const refusal = {
      type: "receipt",
      receipt: { channel: "whatsapp", account: "number-1", external_id: "s1" },
    };
    const refuse = (store: Desk, now: Date) =>
      store.conversations.receive(
        [
          {
            ...refusal,
            receipt: { ...refusal.receipt, status: "failed", reason: "131047", window_ms: DAY },
          } as never,
        ],
        now,
      );
    /** A delivery that was sent a minute after the customer's message. */
    async function sent(store: Desk, outside: Part["outside"]) {
      const parts = [{ ...text("one"), billed: "service", ...(outside && { outside }) }];
      const delivery = await store.answered(
        opening("1", minute(0)),
        [{ content: text("one"), parts }],
        minute(0),
      );
      await store.settleAs(delivery, { external_id: "s1" }, minute(1));
      return delivery;
    }

    test("waits for the customer's next message, once", async () => {
      const store = await desk(make);
      const { session_id } = await sent(store, "hold");
      const [result] = await refuse(store, minute(2));
      expect(result).toMatchObject({ applied: true, message: { status: "pending" } });
      expect(result).not.toHaveProperty("deliveries");
      expect(await refuse(store, minute(3))).toEqual([{ type: "receipt", applied: false }]);
      expect((await store.conversations.due(minute(60), 10)).deliveries).toEqual([]);
      const { deliveries } = await store.hear(opening("2", minute(61), { wakes: false }), minute(61));
      expect(deliveries).toMatchObject([{ content: { text: "one" }, attempt: 2 }]);
      await store.settleAs(deliveries![0]!, { external_id: "s2" }, minute(61));
      expect((await store.history(session_id))[1]).toMatchObject({ status: "sent" });
    });

    test("goes out at once where the customer has written since", async () => {
      const store = await desk(make);
      await sent(store, "hold");
      await store.hear(opening("2", minute(2), { wakes: false }), minute(2));
      const [result] = await refuse(store, minute(3));
      expect(result).toMatchObject({ deliveries: [{ content: { text: "one" }, attempt: 2 }] });
    });

    test("goes out as the call in its place, which is not replaced again", async () => {
      const store = await desk(make);
      await sent(store, { call: { type: "template" }, billed: "utility" });
      const [result] = (await refuse(store, minute(2))) as [Heard];
      const [again] = result.deliveries!;
      expect(again!.content).toEqual({ ...text("one"), call: { type: "template" }, billed: "utility" });
      await store.settleAs(again!, { external_id: "s1" }, minute(3));
      await refuse(store, minute(4));
      expect((await store.operations.deadLetters(undefined, 10)).map(({ reason }) => reason)).toEqual([
        "131047",
      ]);
    });

    test("is a dead letter where its sender wants nothing else", async () => {
      const store = await desk(make);
      await sent(store, undefined);
      expect(await refuse(store, minute(2))).toMatchObject([{ message: { status: "failed" } }]);
      expect((await store.operations.deadLetters(undefined, 10)).map(({ reason }) => reason)).toEqual([
        "131047",
      ]);
    });

    test("is found though the refusal comes before the answer to the call", async () => {
      const store = await desk(make);
      const parts = [{ ...text("one"), outside: "hold" as const }];
      const delivery = await store.answered(
        opening("1", minute(0)),
        [{ content: text("one"), parts }],
        minute(0),
      );
      await refuse(store, minute(1));
      expect(await store.settleAs(delivery, { external_id: "s1" }, minute(1))).toEqual([]);
      const { deliveries } = await store.hear(opening("2", minute(61), { wakes: false }), minute(61));
      expect(deliveries).toMatchObject([{ content: { text: "one" } }]);
    });
  });

  test("a platform that calls an open window closed is right, until the customer writes", async () => {
    const store = await desk(make);
    const delivery = await store.answered(opening("1", minute(0)), [waiting("one")], minute(0));
    const refused = held({ seen: day(1), refused: true });
    expect(await store.settleAs(delivery, refused, minute(1))).toEqual([]);
    expect((await store.conversations.due(minute(60), 10)).deliveries).toEqual([]);
    const { deliveries } = await store.hear(opening("2", minute(61), { wakes: false }), minute(61));
    expect(deliveries).toMatchObject([{ window_closes_at: new Date(minute(61).getTime() + DAY) }]);
  });

  test("a refusal of a window that was opened anew meanwhile counts no more", async () => {
    const store = await desk(make);
    const delivery = await store.answered(opening("1", minute(0)), [waiting("one")], minute(0));
    await store.hear(opening("2", minute(60), { wakes: false }), minute(60));
    const refused = held({ seen: day(1), refused: true });
    expect(await store.settleAs(delivery, refused, minute(61))).toMatchObject([{ attempt: 2 }]);
  });

  test("what waits longer than its time is a dead letter, and an operator can try it again", async () => {
    const store = await desk(make);
    const { session_id, delivery_id } = await hold(store);
    await store.housekeeping.expire(day(8), 10);
    expect(await store.operations.deadLetters(undefined, 10, session_id)).toEqual([]);
    await store.housekeeping.expire(day(9), 10);
    expect(await store.operations.deadLetters(undefined, 10, session_id)).toMatchObject([
      { id: delivery_id, code: "rejected", reason: "window_closed" },
    ]);
    expect((await store.history(session_id))[1]).toMatchObject({ status: "failed" });
    expect((await store.hear(opening("2", day(10), { wakes: false }), day(10))).deliveries).toBeUndefined();
    expect(await store.operations.retry(delivery_id, { actor: "admin:test" }, day(10))).toMatchObject({
      deliveries: [{ content: { text: "one" }, window_closes_at: day(11) }],
    });
  });

  test("what waits in an ended session goes out when the customer writes in the next one", async () => {
    const store = await desk(make);
    const { session_id } = await hold(store);
    await store.housekeeping.expire(day(8), 10);
    const heard = await store.hear(opening("2", day(8), { wakes: false }), day(8));
    expect(heard.session.session_id).not.toBe(session_id);
    const { deliveries } = await store.conversations.due(day(8), 10);
    expect(deliveries).toMatchObject([{ session_id, content: { text: "one" } }]);
  });

  test("what waits for one address does not go out for another", async () => {
    const store = await desk(make);
    await hold(store);
    const other = said("whatsapp", { phone: ben.phone }, "b", {
      address: { to: "another" },
      window_closes_at: day(5),
      wakes: false,
    });
    expect(await store.hear(other, day(4))).not.toHaveProperty("deliveries");
    const elsewhere = opening("3", day(4), { account: "number-2", wakes: false });
    expect(await store.hear(elsewhere, day(4))).not.toHaveProperty("deliveries");
    expect((await store.conversations.due(day(5), 10)).deliveries).toEqual([]);
  });

  test("an erasure ends what waits, and forgets the window", async () => {
    const store = await desk(make);
    const { session_id } = await hold(store);
    await store.privacy.erase({ session_id }, "key:admin:00000000", day(3));
    expect(await store.operations.deadLetters(undefined, 10, session_id)).toMatchObject([
      { reason: "erased" },
    ]);
    const { deliveries, session } = await store.hear(opening("2", day(4), { wakes: false }), day(4));
    expect(deliveries).toBeUndefined();
    expect(session.session_id).not.toBe(session_id);
  });

  test("a window that is over for a day is forgotten", async () => {
    const store = await desk(make);
    await store.hear(opening("1", minute(0)), minute(0));
    await store.hear(opening("2", minute(600), { wakes: false }), minute(600));
    await store.housekeeping.expire(new Date(day(2).getTime() + 60_000), 10);
    const [before] = (await store.conversations.due(new Date(day(2).getTime() + 60_000), 10)).turns;
    expect(before?.window_closes_at).toEqual(new Date(minute(600).getTime() + DAY));
    await store.housekeeping.expire(day(3), 10);
    const [after] = (await store.conversations.due(day(3), 10)).turns;
    expect(after).toMatchObject({ attempt: 3 });
    expect(after).not.toHaveProperty("window_closes_at");
  });
}
