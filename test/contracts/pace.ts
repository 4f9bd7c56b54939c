import { expect, test } from "vitest";
import { type Desk, desk, failure, type Make, minute, reply, said } from "./given.ts";

const ms = (count: number) => new Date(minute(0).getTime() + count);
const paced = { pace: { telegram: 4 }, patienceMs: 500 };

/** Receives a message of a new customer and answers it. Returns the claimed delivery, if any. */
async function answer(store: Desk, who: string, now: Date) {
  const turn = await store.ask(said("telegram", { visitor_id: who }, `t-${who}`), now);
  const { deliveries } = await store.conversations.complete(turn, [reply(who), reply(`${who} too`)], now);
  return deliveries[0];
}

/** Channels with a pace in messages per second, and callers with the patience to wait for a near slot. */
export function pace(make: Make): void {
  test("deliveries of a paced channel are claimed with the time of their slot, up to the patience", async () => {
    const store = await desk(make, paced);
    expect((await answer(store, "a", ms(0)))?.send_at).toBeUndefined();
    expect((await answer(store, "b", ms(0)))?.send_at).toEqual(ms(250));
    expect((await answer(store, "c", ms(0)))?.send_at).toEqual(ms(500));
    expect(await answer(store, "d", ms(0))).toBeUndefined();
    expect(await answer(store, "e", ms(0))).toBeUndefined();
    const later = (await store.conversations.due(ms(750), 10)).deliveries;
    expect(later.map(({ content, send_at }) => [content, send_at])).toEqual([
      [{ kind: "text", text: "d" }, undefined],
      [{ kind: "text", text: "e" }, ms(1000)],
    ]);
  });

  test("each channel and account has its own pace, or none", async () => {
    const store = await desk(make, paced);
    await answer(store, "a", ms(0));
    const message = (channel: string, id: string, account: string) =>
      said(channel, { visitor_id: id }, id, { account });
    const whatsapp = await store.answered(message("whatsapp", "b", "number-1"), [reply("b")], ms(0));
    const bot = await store.answered(message("telegram", "c", "bot-2"), [reply("c")], ms(0));
    expect([whatsapp.send_at, bot.send_at]).toEqual([undefined, undefined]);
  });

  test("the lease of a delivery counts from its slot", async () => {
    const store = await desk(make, paced);
    await answer(store, "a", ms(0));
    const late = await answer(store, "b", ms(0));
    const ids = async (now: Date) =>
      (await store.conversations.due(now, 10)).deliveries.map(({ delivery_id }) => delivery_id);
    expect(await ids(ms(60_249))).not.toContain(late!.delivery_id);
    expect(await ids(ms(60_250))).toContain(late!.delivery_id);
  });

  test("a delivery due within the patience is claimed before its time", async () => {
    const store = await desk(make, { patienceMs: 500 });
    const one = await store.answered(said("telegram", { visitor_id: "a" }, "1"), [reply("1")], ms(0));
    const again = { state: "pending", retry_at: ms(400), ...failure("429") } as const;
    const [two] = await store.settleAs(one, again, ms(0));
    expect(two).toMatchObject({ delivery_id: one.delivery_id, attempt: 2, send_at: ms(400) });
    expect(await store.settleAs(two!, { ...again, retry_at: ms(2000) }, ms(400))).toEqual([]);
    expect((await store.conversations.due(ms(1499), 10)).deliveries).toEqual([]);
    expect((await store.conversations.due(ms(1500), 10)).deliveries).toMatchObject([
      { attempt: 3, send_at: ms(2000) },
    ]);
  });
}
