import { expect, test } from "vitest";
import { anna, day, desk, type Make, minute, rejection, reply, said } from "./given.ts";
import { begin } from "./proving.ts";

const { phone, telegram_chat_id } = anna;
const change = (reachable: boolean, at: Date) =>
  ({
    type: "reachability",
    reachability: { channel: "telegram", who: { telegram_chat_id }, reachable, at },
  }) as const;

/** Customers who have blocked the shop on a channel. */
export function blocked(make: Make): void {
  test("a customer who blocked the shop gets no more replies there until they write again", async () => {
    const store = await desk(make);
    const one = await store.answered(said("telegram", { phone }, "1"), [reply("one")], minute(0));
    await store.settleAs(one, { state: "dead", ...rejection("blocked") }, minute(0));
    const { turn } = await store.hear(said("web", { phone }, "2"), minute(1));
    await store.hear(said("telegram", { phone }, "3", { wakes: false }), minute(2));
    await store.tell(
      { type: "reachability", reachability: { channel: "telegram", who: { phone }, reachable: false } },
      minute(3),
    );
    await store.conversations.complete(turn!, [reply("fetched", [])], minute(3));
    const elsewhere = await store.answered(
      said("whatsapp", { phone }, "4"),
      [reply("other channel")],
      minute(3),
    );
    expect(elsewhere.channel).toBe("whatsapp");
    const back = await store.answered(said("telegram", { phone }, "5"), [reply("welcome back")], minute(4));
    expect(back.content).toEqual({ kind: "text", text: "welcome back" });
  });

  test("a reply to a customer who blocked the shop meanwhile is a dead letter", async () => {
    const store = await desk(make);
    const turn = await store.ask(said("telegram", { phone }, "1"), minute(0));
    const reachability = { channel: "telegram", who: { phone }, reachable: false };
    expect(await store.tell({ type: "reachability", reachability }, minute(0.1))).toBe(true);
    const { messages, deliveries } = await store.conversations.complete(
      turn,
      [reply("ab", ["a", "b"]), reply("fetched", [])],
      minute(0.2),
    );
    expect(deliveries).toEqual([]);
    expect(messages.map(({ status }) => status)).toEqual(["failed", "sent"]);
    expect(await store.conversations.due(day(1), 10)).toEqual({ turns: [], deliveries: [] });
    const { counters } = await store.operations.metrics(minute(1));
    expect(counters["deliveries|telegram|dead"]).toBe(2);
  });
  /** Each step happens at a minute of the platform's clock. All reach the hub an hour later, in this order. */
  type Step = readonly [is: "blocks" | "unblocks" | "writes" | "writes elsewhere", at: number];
  test.for<[string, Step[], boolean[], "gets replies" | "gets none"]>([
    [
      "a block that is newer than their message counts",
      [
        ["writes", 1],
        ["blocks", 2],
      ],
      [true],
      "gets none",
    ],
    [
      "a block that comes behind a newer message changes nothing",
      [
        ["writes", 2],
        ["blocks", 1],
      ],
      [false],
      "gets replies",
    ],
    [
      "a block that comes again behind a newer message changes nothing",
      [
        ["blocks", 1],
        ["writes", 2],
        ["blocks", 1],
      ],
      [true, false],
      "gets replies",
    ],
    [
      "a newer message on another channel does not say that a block is over",
      [
        ["writes elsewhere", 2],
        ["blocks", 1],
      ],
      [true],
      "gets none",
    ],
    [
      "a block that comes again behind its end changes nothing",
      [
        ["blocks", 1],
        ["unblocks", 2],
        ["blocks", 1],
      ],
      [true, true, false],
      "gets replies",
    ],
    [
      "a block that comes behind its end changes nothing",
      [
        ["unblocks", 2],
        ["blocks", 1],
      ],
      [false, false],
      "gets replies",
    ],
    [
      "the end of an older block changes nothing",
      [
        ["blocks", 1],
        ["blocks", 3],
        ["unblocks", 2],
      ],
      [true, false, false],
      "gets none",
    ],
    [
      "a block and its end at one instant are over",
      [
        ["blocks", 1],
        ["unblocks", 1],
        ["blocks", 1],
      ],
      [true, true, false],
      "gets replies",
    ],
    [
      "a block at the instant of a message is over",
      [
        ["writes", 1],
        ["blocks", 1],
      ],
      [false],
      "gets replies",
    ],
  ])("%s", async ([, steps, changed, then]) => {
    const store = await desk(make);
    const turn = await store.ask(said("telegram", { phone, telegram_chat_id }, "asked"), minute(0));
    const applied: boolean[] = [];
    for (const [i, [is, at]] of steps.entries()) {
      const [channel, from] =
        is === "writes elsewhere" ? ["whatsapp", { phone }] : ["telegram", { telegram_chat_id }];
      if (is.startsWith("writes")) {
        const over = { wakes: false, came_at: minute(at) };
        await store.hear(said(channel as string, from as object, `${i}`, over), minute(60));
      } else applied.push(await store.tell(change(is === "unblocks", minute(at)), minute(60)));
    }
    const { deliveries } = await store.conversations.complete(turn, [reply("reply")], minute(60));
    expect([applied, deliveries.length > 0]).toEqual([changed, then === "gets replies"]);
  });

  test("joined customers keep the newest event of each channel", async () => {
    const store = await desk(make);
    await store.hear(said("whatsapp", { phone }, "older"), minute(0));
    await store.hear(said("telegram", { telegram_chat_id }, "younger"), minute(1));
    expect(await store.tell(change(false, minute(2)), minute(60))).toBe(true);
    expect(await store.tell(change(true, minute(4)), minute(60))).toBe(true);
    await begin(store, 1, { phone, telegram_chat_id }, minute(60));
    expect(await store.tell(change(false, minute(3)), minute(60))).toBe(false);
    expect(await store.tell(change(false, minute(6)), minute(60))).toBe(true);
  });

  test("an unblock counts at any time when the block was known only from a refused reply", async () => {
    const store = await desk(make);
    const one = await store.answered(said("telegram", { telegram_chat_id }, "1"), [reply("one")], minute(2));
    await store.settleAs(one, { state: "dead", ...rejection("blocked") }, minute(2));
    expect(await store.tell(change(true, minute(1)), minute(3))).toBe(true);
  });

  test("a message that comes again does not say that they can be reached", async () => {
    const store = await desk(make);
    const { visitor_id } = anna;
    await store.hear(said("web", { phone }, "1"), minute(0));
    const reachability = { channel: "web", who: { phone }, reachable: false };
    await store.tell({ type: "reachability", reachability }, minute(1));
    for (const who of [{ phone }, { phone, visitor_id }])
      expect((await store.hear(said("web", who, "1"), minute(2))).duplicate).toBe(true);
    expect(await store.tell({ type: "reachability", reachability }, minute(3))).toBe(false);
  });
}
