import { expect, test } from "vitest";
import { anna, day, desk, type Make, minute, rejection, reply, said } from "./given.ts";

const { phone } = anna;

/** Customers who want nothing from us on a channel. */
export function blocked(make: Make): void {
  test("a customer who blocked us gets no more replies there until they write again", async () => {
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

  test("a reply to a customer who blocked us meanwhile is a dead letter", async () => {
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
