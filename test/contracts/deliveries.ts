import { expect, test } from "vitest";
import type { Delivery } from "../../src/core/answer/turn.ts";
import { anna, day, desk, failure, type Make, minute, rejection, reply, said } from "./given.ts";

const { phone, telegram_chat_id } = anna;

export function deliveries(make: Make): void {
  test("a reply is saved with its delivery, and the first of the lane is claimed", async () => {
    const store = await desk(make);
    const turn = await store.ask(said("telegram", { telegram_chat_id }, "1"), minute(0));
    const completed = await store.conversations.complete(turn, [reply("one"), reply("two")], minute(0.5));
    expect(completed.messages).toMatchObject([
      { text: "one", status: "pending", direction: "outbound", role: "assistant", created_at: minute(0.5) },
      { text: "two", status: "pending", reply_to: turn.message.message_id },
    ]);
    expect(completed.deliveries).toEqual([
      {
        delivery_id: expect.any(String),
        message_id: completed.messages[0]!.message_id,
        session_id: turn.session.session_id,
        attempt: 1,
        channel: "telegram",
        account: "bot-1",
        address: { to: "telegram address" },
        content: { kind: "text", text: "one" },
      },
    ]);
    expect(await store.history(turn.session.session_id)).toEqual([turn.message, ...completed.messages]);
    const { session } = await store.hear(said("telegram", { telegram_chat_id }, "1"), minute(0.6));
    expect(session).toMatchObject({ message_count: 3, updated_at: minute(0.5), last_activity: minute(0) });
  });

  test("settling a delivery claims the next of its lane, and the message is sent", async () => {
    const store = await desk(make);
    const message = said("telegram", { phone }, "1");
    const one = await store.answered(message, [reply("one"), reply("two")], minute(0));
    expect((await store.conversations.due(minute(0), 10)).deliveries).toEqual([]);
    const [two, ...more] = await store.settleAs(one, { external_id: "t1" }, minute(0.1));
    expect(more).toEqual([]);
    expect(two).toMatchObject({ content: { text: "two" }, attempt: 1, session_id: one.session_id });
    expect(await store.settleAs(two!, { external_id: "t2" }, minute(0.2))).toEqual([]);
    expect((await store.history(one.session_id)).map(({ status }) => status)).toEqual([
      undefined,
      "sent",
      "sent",
    ]);
    expect(await store.conversations.due(day(1), 10)).toEqual({ turns: [], deliveries: [] });
  });

  test("a reply saved by a fast clock is claimed by a slow one", async () => {
    const store = await desk(make);
    const one = await store.answered(said("telegram", { phone }, "1"), [reply("one")], minute(0));
    const turn = await store.ask(said("telegram", { phone }, "2"), minute(0.1));
    await store.conversations.complete(turn, [reply("two")], minute(0.5));
    expect(await store.settleAs(one, {}, minute(0.4))).toMatchObject([{ content: { text: "two" } }]);
  });

  test("the parts of a reply are sent one after another, and it is sent when the last one is", async () => {
    const store = await desk(make);
    const message = said("whatsapp", { phone }, "1");
    let part: Delivery | undefined = await store.answered(
      message,
      [reply("abc", ["a", "b", "c"])],
      minute(0),
    );
    const { session_id } = part;
    const parts: unknown[] = [];
    const statuses: unknown[] = [];
    while (part) {
      parts.push(part.content);
      [part] = await store.settleAs(part, { external_id: `w${parts.length}` }, minute(0));
      statuses.push((await store.history(session_id)).at(-1)?.status);
    }
    expect(parts).toEqual(["a", "b", "c"].map((text) => ({ kind: "text", text })));
    expect(statuses).toEqual(["pending", "pending", "sent"]);
    expect((await store.history(session_id)).at(-1)?.text).toBe("abc");
  });

  test("one dead part fails the reply, and the other parts are still sent", async () => {
    const store = await desk(make);
    const a = await store.answered(said("whatsapp", { phone }, "1"), [reply("ab", ["a", "b"])], minute(0));
    const [b] = await store.settleAs(a, { state: "dead", ...rejection("131026") }, minute(0));
    expect(b?.content).toEqual({ kind: "text", text: "b" });
    await store.settleAs(b!, { external_id: "w2" }, minute(0));
    expect((await store.history(a.session_id)).at(-1)?.status).toBe("failed");
  });

  test("a reply without parts is saved for its customer to fetch", async () => {
    const store = await desk(make);
    const turn = await store.ask(said("web", { phone }, "1"), minute(0));
    const { messages, deliveries } = await store.conversations.complete(turn, [reply("here", [])], minute(0));
    expect(deliveries).toEqual([]);
    expect(messages).toMatchObject([{ status: "sent", text: "here" }]);
  });

  test("lanes of different channels don't wait for each other", async () => {
    const store = await desk(make);
    const telegram = await store.answered(
      said("telegram", { phone }, "1"),
      [reply("t1"), reply("t2")],
      minute(0),
    );
    const whatsapp = await store.answered(said("whatsapp", { phone }, "2"), [reply("w1")], minute(0));
    expect(whatsapp.session_id).toBe(telegram.session_id);
    const both = [telegram, whatsapp].map(({ delivery_id, attempt }) => ({
      delivery_id,
      attempt,
      state: "sent" as const,
    }));
    const settled = await store.conversations.settle(both, minute(0));
    expect(settled.deliveries).toMatchObject([{ content: { text: "t2" } }]);
    expect(settled.changed).toEqual(
      [telegram, whatsapp].map(({ session_id, message_id }) => ({ session_id, message_id, status: "sent" })),
    );
  });

  test("a reply waits behind an earlier one that is to be tried again", async () => {
    const store = await desk(make);
    const one = await store.answered(said("telegram", { phone }, "1"), [reply("one")], minute(0));
    const outcome = { state: "pending", retry_at: minute(10), ...failure("429") } as const;
    expect(await store.settleAs(one, outcome, minute(0))).toEqual([]);
    const turn = await store.ask(said("telegram", { phone }, "2"), minute(1));
    expect((await store.conversations.complete(turn, [reply("two")], minute(1))).deliveries).toEqual([]);
    expect((await store.conversations.due(minute(9), 10)).deliveries).toEqual([]);
    const { deliveries } = await store.conversations.due(minute(10), 10);
    expect(deliveries).toMatchObject([
      { delivery_id: one.delivery_id, attempt: 2, content: { text: "one" } },
    ]);
    const [two] = await store.settleAs(deliveries[0]!, {}, minute(10));
    expect(two?.content).toEqual({ kind: "text", text: "two" });
  });

  test("a delivery to be retried at once is claimed at once", async () => {
    const store = await desk(make);
    const one = await store.answered(said("telegram", { phone }, "1"), [reply("one")], minute(0));
    const outcome = { state: "pending", retry_at: minute(0), ...failure("429") } as const;
    expect(await store.settleAs(one, outcome, minute(0))).toMatchObject([
      { delivery_id: one.delivery_id, attempt: 2 },
    ]);
  });

  test("completing a turn claims an earlier reply that is due", async () => {
    const store = await desk(make);
    const one = await store.answered(said("telegram", { phone }, "1"), [reply("one")], minute(0));
    const outcome = { state: "pending", retry_at: minute(1), ...failure("429") } as const;
    await store.settleAs(one, outcome, minute(0));
    const turn = await store.ask(said("telegram", { phone }, "2"), minute(2));
    const { deliveries } = await store.conversations.complete(turn, [reply("two")], minute(2));
    expect(deliveries).toMatchObject([{ content: { text: "one" }, attempt: 2 }]);
  });

  test("a delivery whose lease has ended is claimed again, and the first attempt's outcome is stale", async () => {
    const store = await desk(make);
    const first = await store.answered(
      said("telegram", { phone }, "1"),
      [reply("one"), reply("two")],
      minute(0),
    );
    const { deliveries } = await store.conversations.due(minute(1), 10);
    expect(deliveries).toMatchObject([{ delivery_id: first.delivery_id, attempt: 2 }]);
    expect(await store.settleAs(first, { external_id: "t1" }, minute(1))).toEqual([]);
    expect((await store.history(first.session_id))[1]?.status).toBe("pending");
    expect(await store.settleAs(deliveries[0]!, { external_id: "t1b" }, minute(1))).toHaveLength(1);
    expect(await store.settleAs(deliveries[0]!, { external_id: "t1b" }, minute(1))).toEqual([]);
  });

  test("an outcome of an unknown delivery changes nothing", async () => {
    const store = await desk(make);
    const unknown = { delivery_id: "00000000-0000-4000-8000-000000000000", attempt: 1 };
    const nothing = { deliveries: [], changed: [] };
    expect(await store.conversations.settle([{ ...unknown, state: "sent" }], minute(0))).toEqual(nothing);
    expect(await store.conversations.settle([], minute(0))).toEqual(nothing);
  });

  test("a platform that gives one id twice does not stop the lane", async () => {
    const store = await desk(make);
    const [one, two] = [reply("one"), reply("two")];
    const first = await store.answered(said("telegram", { phone }, "1"), [one, two], minute(0));
    const [second] = await store.settleAs(first, { external_id: "same" }, minute(0));
    expect(await store.settleAs(second!, { external_id: "same" }, minute(0))).toEqual([]);
    const receipt = { channel: "telegram", account: "bot-1", external_id: "same", status: "read" } as const;
    expect(await store.tell({ type: "receipt", receipt }, minute(1))).toBe(true);
    const kept = await store.history(first.session_id);
    expect(kept.map(({ status }) => status)).toEqual([undefined, "sent", "read"]);
  });

  test("a sweep claims at most its limit, oldest first, the first of each lane", async () => {
    const store = await desk(make);
    for (const [i, id] of ["b", "a", "c"].entries())
      await store.answered(said("telegram", { visitor_id: id }, id), [reply(id), reply("behind")], minute(i));
    const heads = async (limit: number) =>
      (await store.conversations.due(minute(10), limit)).deliveries.map(
        ({ content }) => (content as { text: string }).text,
      );
    expect(await heads(2)).toEqual(["b", "a"]);
    expect(await heads(2)).toEqual(["c"]);
    expect(await heads(2)).toEqual([]);
  });

  test("a sweep that claims a session's turn claims its deliveries first", async () => {
    const store = await desk(make);
    for (const [i, id] of ["a", "b"].entries())
      await store.answered(said("telegram", { visitor_id: id }, id), [reply(id)], minute(i));
    await store.hear(said("telegram", { visitor_id: "b" }, "b2"), minute(2));
    const { turns, deliveries } = await store.conversations.due(minute(10), 1);
    expect(turns).toMatchObject([{ session: { visitor_id: "b" } }]);
    expect(deliveries).toMatchObject([{ content: { text: "b" } }]);
  });

  test("deliveries claimed by several outcomes are sorted by channel and then by outcome", async () => {
    const store = await desk(make);
    const sent = [];
    for (const [channel, id] of [
      ["whatsapp", "b"],
      ["telegram", "c"],
      ["telegram", "a"],
    ] as const)
      sent.push(
        await store.answered(said(channel, { visitor_id: id }, id), [reply("one"), reply(id)], minute(0)),
      );
    const outcomes = sent.map(({ delivery_id, attempt }) => ({
      delivery_id,
      attempt,
      state: "sent" as const,
    }));
    const { deliveries } = await store.conversations.settle(outcomes, minute(1));
    expect(deliveries.map(({ content }) => (content as { text: string }).text)).toEqual(["c", "a", "b"]);
  });

  test("replies keep all fields of their content", async () => {
    const store = await desk(make);
    const content = { kind: "text", text: "whole", context: { forwarded: true } } as const;
    const turn = await store.ask(said("telegram", { phone }, "1"), minute(0));
    const parts = [content, { kind: "text", text: "tail", context: { album_id: "a" } } as const];
    const { messages, deliveries } = await store.conversations.complete(
      turn,
      [{ content, parts }],
      minute(0),
    );
    expect(messages[0]?.content).toEqual(content);
    expect(deliveries[0]?.content).toEqual(parts[0]);
    expect((await store.settleAs(deliveries[0]!, {}, minute(0)))[0]?.content).toEqual(parts[1]);
    const plain = { content, parts: [{ kind: "text", text: "whole" } as const] };
    const again = await store.answered(said("whatsapp", { phone }, "2"), [plain], minute(1));
    expect(again.content).toEqual({ kind: "text", text: "whole" });
  });
}
