import { expect, test } from "vitest";
import { anna, DAY, day, desk, hash, type Make, said } from "./given.ts";
import { auditOf, begin } from "./proving.ts";

const { phone, telegram_chat_id } = anna;

/** Data that retention deletes from active sessions. */
export function retention(make: Make): void {
  test("retention deletes old messages of active sessions, but no unfinished ones, and keeps the count", async () => {
    const store = await desk(make);
    const turn = await store.ask(said("telegram", { telegram_chat_id }, "t1"), day(0));
    await store.conversations.complete(turn, [], day(0));
    const open = await store.ask(said("telegram", { telegram_chat_id }, "t2"), day(1));
    const at = new Date(day(5).getTime() + Math.floor(Math.random() * DAY));
    await store.hear(said("telegram", { telegram_chat_id }, "t3", { wakes: false }), at);
    const retention = { now: at, messages_before: day(4) };
    expect(await store.housekeeping.purge(day(-30), 10, retention)).toBe(0);
    expect(await store.texts(turn.session.session_id)).toEqual(["text of t2", "text of t3"]);
    await store.conversations.complete(open, [], at);
    await store.housekeeping.purge(day(-30), 10, retention);
    expect(await store.texts(turn.session.session_id)).toEqual(["text of t3"]);
    const { session } = await store.hear(said("telegram", { telegram_chat_id }, "t4"), day(6));
    expect(session.message_count).toBe(4);
    const lines = (await auditOf(store, "retention")).filter((line) => line.at.getTime() === at.getTime());
    expect(lines).toMatchObject([
      { action: "purge", subject: "retention", details: { sessions: 0, messages: 1, passwords: 0 } },
      { action: "purge", subject: "retention", details: { sessions: 0, messages: 1, passwords: 0 } },
    ]);
    expect(await store.housekeeping.purge(day(-30), 10, retention)).toBe(0);
    expect(
      (await auditOf(store, "retention")).filter((line) => line.at.getTime() === at.getTime()),
    ).toHaveLength(2);
  });

  test("a password that was not used for long is deleted", async () => {
    const store = await desk(make);
    const login = {
      phone,
      password: "long enough",
      new_token_hash: hash(6),
      channel: "web",
      rate_limit_keys: [],
    };
    await begin(store, 1, { phone }, day(0));
    await store.proofs.signUp({ token_hash: hash(1), password: "long enough" }, day(0));
    await store.proofs.logIn(login, day(3));
    await store.housekeeping.purge(day(-30), 10, { now: day(4), passwords_before: day(2) });
    await store.proofs.logIn({ ...login, new_token_hash: hash(7) }, day(4));
    await store.housekeeping.purge(day(-30), 10, { now: day(9), passwords_before: day(5) });
    await expect(store.proofs.logIn(login, day(9))).rejects.toMatchObject({ code: "password_invalid" });
  });
}
