import { expect, test } from "vitest";
import type { Due } from "../../src/core/receive/conversations.ts";
import {
  anna,
  ben,
  type Desk,
  day,
  desk,
  failure,
  type Make,
  minute,
  rejection,
  reply,
  said,
} from "./given.ts";

const { phone } = anna;

/** A dead turn, then a dead delivery, of one session. */
async function bury(store: Desk): Promise<{ session_id: string; messages: string[] }> {
  const claim = await store.ask(said("telegram", { phone }, "1"), minute(0));
  await store.conversations.fail(claim, rejection("bot_400"), undefined, minute(1));
  const sent = await store.answered(said("telegram", { phone }, "2"), [reply("lost")], minute(2));
  await store.settleAs(sent, { state: "dead", ...rejection("131026") }, minute(3));
  return { session_id: sent.session_id, messages: [claim.message.message_id, sent.message_id] };
}

export function operations(make: Make): void {
  test("dead letters are listed in order, page by page, with their reasons", async () => {
    const store = await desk(make);
    const { session_id, messages } = await bury(store);
    const all = await store.operations.deadLetters(undefined, 10);
    const shared = { session_id, channel: "telegram", attempt: 1, code: "rejected" };
    expect(all).toEqual([
      {
        ...shared,
        id: expect.any(String),
        type: "turn",
        message_id: messages[0],
        reason: "bot_400",
        created_at: minute(0),
      },
      {
        ...shared,
        id: expect.any(String),
        type: "delivery",
        message_id: messages[1],
        reason: "131026",
        created_at: minute(2),
      },
    ]);
    const [first] = await store.operations.deadLetters(undefined, 1);
    expect(first).toEqual(all[0]);
    expect(await store.operations.deadLetters(first?.id, 1)).toEqual([all[1]]);
    expect(await store.operations.deadLetters(all[1]?.id, 1)).toEqual([]);
  });

  test("a retried turn is claimed, with its attempts reset", async () => {
    const store = await desk(make);
    await bury(store);
    const [dead] = await store.operations.deadLetters(undefined, 1);
    const retried = await store.operations.retry(dead!.id, { actor: "admin:test" }, day(1));
    expect(retried).toMatchObject({
      found: true,
      turns: [{ turn_id: dead!.id, attempt: 1, message: { external_id: "1" } }],
      deliveries: [],
    });
    expect(await store.operations.retry(dead!.id, { actor: "admin:test" }, day(1))).toEqual({ found: false });
    expect(await store.operations.deadLetters(undefined, 10)).toMatchObject([{ type: "delivery" }]);
  });

  test("a retried delivery is claimed, and its message is pending again", async () => {
    const store = await desk(make);
    const { session_id } = await bury(store);
    const [, dead] = await store.operations.deadLetters(undefined, 10);
    const retried = (await store.operations.retry(dead!.id, { actor: "admin:test" }, day(1))) as Due;
    expect(retried).toMatchObject({
      found: true,
      turns: [],
      deliveries: [{ delivery_id: dead!.id, attempt: 1, content: { text: "lost" } }],
    });
    expect((await store.history(session_id)).at(-1)?.status).toBe("pending");
    await store.settleAs(retried.deliveries[0]!, { external_id: "t1" }, day(1));
    expect((await store.history(session_id)).at(-1)?.status).toBe("sent");
    expect(await store.operations.deadLetters(undefined, 10)).toMatchObject([{ type: "turn" }]);
  });

  test("a retried delivery loses the platform's id under which it failed", async () => {
    const store = await desk(make);
    const sent = await store.answered(said("whatsapp", { phone }, "1"), [reply("one")], minute(0));
    await store.settleAs(sent, { external_id: "w1" }, minute(0));
    const receipt = { channel: "whatsapp", account: "number-1", external_id: "w1" };
    await store.tell({ type: "receipt", receipt: { ...receipt, status: "failed" } }, minute(1));
    const [dead] = await store.operations.deadLetters(undefined, 10);
    expect(dead).toMatchObject({ code: "rejected", reason: "failed" });
    const retried = (await store.operations.retry(dead!.id, { actor: "admin:test" }, minute(2))) as Due;
    expect(await store.tell({ type: "receipt", receipt: { ...receipt, status: "read" } }, minute(3))).toBe(
      false,
    );
    await store.settleAs(retried.deliveries[0]!, { external_id: "w2" }, minute(4));
    expect((await store.history(sent.session_id)).at(-1)?.status).toBe("sent");
  });

  test("a retried turn waits for a running turn of its session", async () => {
    const store = await desk(make);
    await bury(store);
    const running = await store.ask(said("web", { phone }, "3"), minute(5));
    const [dead] = await store.operations.deadLetters(undefined, 1);
    expect(await store.operations.retry(dead!.id, { actor: "admin:test" }, minute(5))).toEqual({
      found: true,
      turns: [],
      deliveries: [],
    });
    const { next } = await store.conversations.complete(running, [], minute(6));
    expect(next).toMatchObject({ turn_id: dead!.id });
  });

  test("a message that was edited or deleted since is not sent in its old words", async () => {
    for (const change of ["edit", "delete"] as const) {
      const store = await desk(make);
      const sent = await store.answered(said("telegram", ben, "1"), [reply("one")], minute(0));
      await store.settleAs(sent, { state: "dead", ...rejection("channel_off") }, minute(0));
      const [dead] = await store.operations.deadLetters(undefined, 10);
      const turn = await store.ask(said("telegram", ben, "2"), minute(1));
      const { message_id } = dead!;
      const content =
        change === "edit" ? { kind: change, message_id, text: "two" } : { kind: change, message_id };
      await store.conversations.complete(turn, [{ content, parts: [] }], minute(2));
      await expect(
        store.operations.retry(dead!.id, { actor: "admin:test" }, minute(3)),
      ).rejects.toMatchObject({
        code: "not_retryable",
        details: { why: `${change}${change === "edit" ? "ed" : "d"}` },
      });
      expect(await store.operations.deadLetters(undefined, 10)).toMatchObject([{ id: dead!.id }]);
    }
  });

  test("a change that its platform takes no longer changes nothing", async () => {
    const store = await desk(make);
    const sent = await store.answered(said("telegram", ben, "1"), [reply("one")], minute(0));
    const asked = await store.ask(said("telegram", ben, "2"), minute(10));
    const content = { kind: "delete", message_id: sent.message_id } as const;
    const late = { content, parts: [{ kind: "text" as const, text: "", within_ms: 60_000 }] };
    const { changed = [] } = await store.conversations.complete(asked, [late], minute(10));
    expect(changed).toEqual([]);
    expect((await store.history(sent.session_id)).map(({ text }) => text)).toContain("one");
  });

  test("nothing but a dead letter is retried", async () => {
    const store = await desk(make);
    const turn = await store.ask(said("web", { phone }, "1"), minute(0));
    expect(await store.operations.retry(turn.turn_id, { actor: "admin:test" }, minute(9))).toEqual({
      found: false,
    });
    const nobody = "00000000-0000-4000-8000-000000000000";
    expect(await store.operations.retry(nobody, { actor: "admin:test" }, minute(9))).toEqual({
      found: false,
    });
  });

  test("metrics count received, answered and sent messages, and report open work", async () => {
    const store = await desk(make);
    const noModel = { turns: 0, input_tokens: 0, output_tokens: 0, cost: 0 };
    expect(await store.operations.metrics(minute(0))).toEqual({
      counters: {},
      model: noModel,
      open_turns: 0,
      open_deliveries: 0,
    });
    await bury(store);
    const one = await store.answered(
      said("whatsapp", { phone: ben.phone }, "1"),
      [reply("a"), reply("b")],
      minute(4),
    );
    await store.settleAs(one, { external_id: "w1" }, new Date(minute(4).getTime() + 300));
    await store.hear(said("whatsapp", { phone: ben.phone }, "1"), minute(5));
    const open = await store.ask(said("whatsapp", { phone: ben.phone }, "2"), minute(6));
    await store.conversations.fail(open, failure("bot_timeout"), minute(30), minute(7));
    expect(await store.operations.metrics(minute(9))).toEqual({
      counters: {
        "received|telegram": 2,
        "received|whatsapp": 2,
        "duplicates|whatsapp": 1,
        "turns|telegram|dead": 1,
        "turns|telegram|done": 1,
        "turns|whatsapp|done": 1,
        "turns|whatsapp|failed": 1,
        "answer_ms.le|telegram|100": 1,
        "answer_ms.sum|telegram": 0,
        "answer_ms.le|whatsapp|100": 1,
        "answer_ms.sum|whatsapp": 0,
        "deliveries|telegram|dead": 1,
        "deliveries|whatsapp|sent": 1,
        "deliver_ms.le|whatsapp|500": 1,
        "deliver_ms.sum|whatsapp": 300,
      },
      model: noModel,
      open_turns: 1,
      open_deliveries: 1,
      oldest_turn_at: minute(6),
      oldest_delivery_at: minute(4),
    });
    await store.housekeeping.expire(minute(10), 1);
    await store.housekeeping.expire(minute(9), 1);
    expect((await store.operations.metrics(minute(10))).swept_at).toEqual(minute(10));
  });
}
