import { expect, test } from "vitest";
import { anna, ben, day, desk, hash, type Make, reply, said } from "./given.ts";

export function housekeeping(make: Make): void {
  test("a session past its expiry is marked as expired once", async () => {
    const store = await desk(make);
    const one = await store.hear(said("web", { phone: anna.phone }, "1"), day(0));
    await store.hear(said("web", { phone: ben.phone }, "2"), day(1));
    expect(await store.housekeeping.expire(new Date(day(7).getTime() - 1), 10)).toBe(0);
    expect(await store.housekeeping.expire(day(7), 10)).toBe(1);
    expect(await store.housekeeping.expire(day(7), 10)).toBe(0);
    const { session } = await store.hear(said("web", { phone: ben.phone }, "3"), day(7));
    expect(session).toMatchObject({ message_count: 2, expires_at: day(14) });
    const [turn] = (await store.conversations.due(day(7), 10)).turns;
    expect(turn?.session).toEqual({
      ...one.session,
      status: "expired",
      ended_at: day(7),
      updated_at: day(7),
      version: 2,
    });
  });

  test("a session that was used since is not marked as expired by any sweep", async () => {
    const store = await desk(make);
    const { phone } = anna;
    for (const n of [0, 3, 6, 12]) await store.hear(said("web", { phone }, `${n}`), day(n));
    for (const n of [7, 13, 18]) expect(await store.housekeeping.expire(day(n), 10)).toBe(0);
    expect(await store.housekeeping.expire(day(19), 10)).toBe(1);
  });

  test("marking is bounded per run, and several runs mark all", async () => {
    const store = await desk(make);
    for (let i = 0; i < 5; i++) await store.hear(said("web", { visitor_id: `${i}` }, "1"), day(0));
    for (let i = 5; i < 8; i++) {
      await store.hear(said("web", { visitor_id: `${i}` }, "1"), day(0));
      await store.hear(said("web", { visitor_id: `${i}` }, "2"), day(5));
    }
    const runs: number[] = [];
    for (let i = 0; i < 6; i++) runs.push(await store.housekeeping.expire(day(8), 2));
    expect(Math.max(...runs)).toBeLessThanOrEqual(2);
    expect(runs.reduce((a, b) => a + b)).toBe(5);
  });

  test("sessions that ended long ago are deleted with all their rows, oldest first and bounded", async () => {
    const store = await desk(make);
    const sessions: string[] = [];
    for (const n of [2, 0, 1]) {
      const phone = `+491511234560${n}`;
      const { session_id } = await store.sessions.start(
        { identities: { phone }, channel: "web", token_hash: hash(n) },
        day(n),
      );
      await store.answered(said("telegram", { phone }, `t${n}`), [reply("one"), reply("two")], day(n));
      await store.hear(said("telegram", { phone }, `u${n}`), day(n));
      await store.sessions.end(hash(n), day(n));
      sessions[n] = session_id;
    }
    expect(await store.housekeeping.purge(day(0), 10)).toBe(0);
    expect(await store.housekeeping.purge(day(2), 1)).toBe(1);
    await expect(store.history(sessions[0]!)).rejects.toMatchObject({ code: "session_not_found" });
    expect(await store.history(sessions[1]!)).toHaveLength(4);
    expect(await store.housekeeping.purge(day(2), 10)).toBe(1);
    const due = await store.conversations.due(day(40), 10);
    expect(
      [...due.turns, ...due.deliveries].map((item) => ("session" in item ? item.session : item).session_id),
    ).toEqual([sessions[2], sessions[2]]);
    const again = await store.hear(said("telegram", { phone: "+4915112345600" }, "t0"), day(40));
    expect(again.duplicate).toBe(false);
  });

  test("an active session is never deleted, nor messages that it got by a merge", async () => {
    const store = await desk(make);
    const { phone, telegram_chat_id } = anna;
    await store.hear(said("web", { phone }, "1"), day(0));
    const young = await store.hear(said("telegram", { telegram_chat_id }, "2"), day(1));
    const { session } = await store.hear(said("telegram", { telegram_chat_id, phone }, "3"), day(2));
    expect(await store.housekeeping.purge(day(60), 10)).toBe(1);
    expect(await store.texts(session.session_id)).toHaveLength(3);
    await expect(store.history(young.session.session_id)).rejects.toMatchObject({
      code: "session_not_found",
    });
    expect(await store.housekeeping.purge(day(60), 10)).toBe(0);
  });

  test("receipts and edits of messages that never came are deleted in time", async () => {
    const store = await desk(make);
    const edit = (external_id: string) =>
      ({
        type: "edit",
        edit: { channel: "telegram", account: "bot-1", external_id, content: { kind: "text", text: "new" } },
      }) as const;
    await store.tell(edit("old"), day(0));
    await store.tell(edit("recent"), day(2));
    await store.housekeeping.purge(day(1), 10);
    const hear = async (id: string) =>
      (await store.hear(said("telegram", { phone: anna.phone }, id), day(3))).message.text;
    expect(await hear("old")).toBe("text of old");
    expect(await hear("recent")).toBe("new");
  });

  test("a store that is up answers a ping", async () => {
    const store = await desk(make);
    await expect(store.ping()).resolves.toBeUndefined();
  });
}
