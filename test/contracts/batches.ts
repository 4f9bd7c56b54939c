import { expect, test } from "vitest";
import type { Turn } from "../../src/core/answer/turn.ts";
import { anna, day, desk, failure, type Make, minute, rejection, reply, said, text } from "./given.ts";

const { phone } = anna;
const ids = (turn: Turn | undefined) => turn?.messages.map(({ external_id }) => external_id);

/** Turns of a bot with `batch`, and of a bot that hears edits. */
export function batches(make: Make): void {
  test("waiting messages from the same address are answered in one turn", async () => {
    const store = await desk(make, { batch: true });
    const one = await store.ask(said("whatsapp", { phone }, "1"), minute(0));
    expect(ids(one)).toEqual(["1"]);
    for (const id of ["2", "3"]) await store.hear(said("whatsapp", { phone }, id), minute(Number(id) / 20));
    await store.hear(said("web", { phone }, "4"), minute(0.2));
    await store.hear(said("whatsapp", { phone }, "5"), minute(0.3));
    const { next: two } = await store.conversations.complete(one, [], minute(0.4));
    expect(ids(two)).toEqual(["2", "3"]);
    expect(two).toMatchObject({ message: { external_id: "3" }, channel: "whatsapp", attempt: 1 });
    expect(two?.history.map(({ external_id }) => external_id)).toEqual(["1"]);
    await store.hear(said("whatsapp", { phone }, "6"), minute(0.5));
    const done = await store.conversations.complete(two!, [reply("to both")], minute(0.6));
    expect(done.messages).toMatchObject([{ reply_to: two!.message.message_id }]);
    expect(ids(done.next)).toEqual(["4"]);
    const { next: last } = await store.conversations.complete(done.next!, [], minute(0.7));
    expect(ids(last)).toEqual(["5", "6"]);
    expect((await store.conversations.complete(last!, [], minute(0.8))).next).toBeUndefined();
    expect((await store.operations.metrics(minute(1))).open_turns).toBe(0);
  });

  test("a message from another address of the channel is not in the batch", async () => {
    const store = await desk(make, { batch: true });
    const one = await store.ask(said("telegram", { phone }, "1"), minute(0));
    await store.hear(said("telegram", { phone }, "2"), minute(0.1));
    await store.hear(said("telegram", { phone }, "3", { address: { to: "topic 7" } }), minute(0.1));
    await store.hear(said("telegram", { phone }, "4", { account: "bot-2" }), minute(0.1));
    const batches: unknown[] = [];
    for (let { next } = await store.conversations.complete(one, [], minute(0.2)); next; ) {
      batches.push(ids(next));
      ({ next } = await store.conversations.complete(next, [], minute(0.3)));
    }
    expect(batches).toEqual([["2"], ["3"], ["4"]]);
  });

  test("a failed batch is tried again with newer messages, and becomes a dead letter as a whole", async () => {
    const store = await desk(make, { batch: true });
    const one = await store.ask(said("whatsapp", { phone }, "1"), minute(0));
    for (const id of ["2", "3"]) await store.hear(said("whatsapp", { phone }, id), minute(Number(id) / 20));
    const { next } = await store.conversations.complete(one, [], minute(0.2));
    await store.conversations.fail(next!, failure("bot_timeout"), minute(5), minute(0.3));
    const { turn } = await store.hear(said("whatsapp", { phone }, "4"), minute(1));
    expect(turn).toBeUndefined();
    const { turns } = await store.conversations.due(minute(5), 10);
    expect(turns.map(ids)).toEqual([["2", "3", "4"]]);
    expect(turns[0]).toMatchObject({ turn_id: next!.turn_id, attempt: 2 });
    await store.conversations.fail(turns[0]!, rejection("bot_400"), undefined, minute(5));
    expect(await store.operations.deadLetters(undefined, 10)).toMatchObject([
      { reason: "bot_400", attempt: 2 },
      { reason: "bot_400" },
      { reason: "bot_400" },
    ]);
    expect(await store.conversations.due(day(1), 10)).toEqual({ turns: [], deliveries: [] });
  });

  test("a merge that puts a message between those of a batch loses none of them", async () => {
    const store = await desk(make, { batch: true });
    const { telegram_chat_id } = anna;
    const hear = (id: string, at: number) => store.hear(said("whatsapp", { phone }, id), minute(at));
    const one = await store.ask(said("whatsapp", { phone }, "1"), minute(0));
    await store.conversations.fail(one, failure("bot_timeout"), minute(1), minute(0.1));
    await hear("2", 0.2);
    await store.hear(said("telegram", { telegram_chat_id }, "t"), minute(0.3));
    await hear("3", 0.4);
    const { turns } = await store.conversations.due(minute(1), 10);
    expect(turns.map(ids)).toEqual([["1", "2", "3"]]);
    await store.hear(said("web", { telegram_chat_id, phone }, "w", { wakes: false }), minute(1.1));
    const again = (await store.conversations.due(minute(3), 10)).turns;
    expect(again.map(ids)).toEqual([["1", "2"]]);
    const { next: between } = await store.conversations.complete(again[0]!, [], minute(3));
    const { next: last } = await store.conversations.complete(between!, [], minute(3));
    expect([ids(between), ids(last)]).toEqual([["t"], ["3"]]);
  });

  test("a batch whose lease has ended is claimed as a whole, and its first claim is stale", async () => {
    const store = await desk(make, { batch: true });
    const one = await store.ask(said("whatsapp", { phone }, "1"), minute(0));
    for (const id of ["2", "3"]) await store.hear(said("whatsapp", { phone }, id), minute(Number(id) / 20));
    const { next } = await store.conversations.complete(one, [], minute(0.2));
    const { turns } = await store.conversations.due(minute(2), 10);
    expect(turns.map(ids)).toEqual([["2", "3"]]);
    expect((await store.conversations.complete(next!, [], minute(2))).stale).toBe(true);
    expect((await store.conversations.complete(turns[0]!, [], minute(2))).stale).toBe(false);
    expect((await store.operations.metrics(minute(2))).open_turns).toBe(0);
  });

  test("an edit wakes a bot that hears edits once, and not while the message's turn waits", async () => {
    const store = await desk(make);
    const at = {
      channel: "telegram",
      account: "bot-1",
      external_id: "1",
      address: { to: "there" },
      wakes: true,
    };
    const tell = async (words: string | null, now: Date) => {
      const edit = { ...at, content: words === null ? null : text(words) };
      const [result] = await store.conversations.receive([{ type: "edit", edit }], now);
      return result as { turn?: Turn; message?: unknown };
    };
    const first = await store.ask(said("telegram", { phone }, "1"), minute(0));
    expect(await tell("better", minute(0.1))).toMatchObject({ applied: true, message: { text: "better" } });
    expect((await tell("best", minute(0.2))).turn).toBeUndefined();
    await store.conversations.complete(first, [], minute(0.3));
    const { turn } = await tell("best of all", minute(0.4));
    expect(turn).toMatchObject({ attempt: 1, address: { to: "there" }, message: { text: "best of all" } });
    expect((await tell("best of all", minute(0.5))).turn).toBeUndefined();
    await store.conversations.complete(turn!, [], minute(0.6));
    await store.housekeeping.expire(day(8), 10);
    expect((await tell("too late", day(8))).turn).toBeUndefined();
  });
}
