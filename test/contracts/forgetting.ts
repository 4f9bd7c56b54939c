import { expect, test } from "vitest";
import { anna, DAY, type Desk, day, desk, hash, type Make, minute, rejection, said } from "./given.ts";
import { actorOf, annasSession, askCode, auditOf, begin, expectToken } from "./proving.ts";

const { phone, telegram_chat_id, whatsapp_user_id, visitor_id } = anna;

/** Deleting a person's data: at once by erasure, and after a time for identities that are not seen any more. */
export function forgetting(make: Make): void {
  const erase = (store: Desk, session_id: string, now: Date) =>
    store.privacy.erase({ session_id }, actorOf(), now);

  test("a redelivered message of an erased customer opens no session for thirty days", async () => {
    const store = await desk(make);
    const { session } = await annasSession(store);
    await erase(store, session.session_id, minute(0));
    const redelivered = { type: "message", message: said("telegram", { telegram_chat_id }, "a3") } as const;
    expect(await store.conversations.receive([redelivered], minute(1))).toEqual([{ type: "erased" }]);
    expect(await store.sessions.find({ identities: { telegram_chat_id } }, minute(1))).toEqual([]);
    const retention = (now: Date) => store.housekeeping.purge(day(-30), 10, { now });
    await retention(day(30));
    expect(await store.conversations.receive([redelivered], day(30))).toEqual([{ type: "erased" }]);
    await retention(day(31));
    expect(await store.conversations.receive([redelivered], day(31))).toMatchObject([
      { type: "message", duplicate: false },
    ]);
  });

  test("an edit of an erased message and an echo to an erased customer are not stored", async () => {
    const store = await desk(make);
    const { session } = await annasSession(store);
    const content = { kind: "text", text: "from the phone" } as const;
    const echo = { channel: "whatsapp", account: "number-1", external_id: "e1", to: { phone }, content };
    expect(await store.tell({ type: "echo", echo }, minute(0))).toBe(true);
    await erase(store, session.session_id, minute(1));
    const edit = { channel: "telegram", account: "bot-1", external_id: "a3", content };
    expect(await store.tell({ type: "edit", edit }, minute(2))).toBe(false);
    const back = await begin(store, 1, { phone, telegram_chat_id }, minute(3));
    expect(await store.tell({ type: "echo", echo }, minute(4))).toBe(false);
    expect(await store.history(back.session_id)).toEqual([]);
  });

  test("an erased customer who writes again is a new customer", async () => {
    const store = await desk(make);
    const { session } = await annasSession(store);
    await store.sessions.update({ token_hash: hash(901) }, { customer_id: "103", language: "de" }, minute(0));
    await store.sessions.end(hash(901), minute(1));
    const erased = await erase(store, session.session_id, minute(2));
    expect(erased.identities).toEqual([
      { kind: "telegram_chat_id", value: telegram_chat_id },
      { kind: "whatsapp_user_id", value: whatsapp_user_id },
      { kind: "phone", value: phone },
    ]);
    const back = await begin(store, 1, { phone }, minute(3), { customer_id: "103" });
    expect(back).toMatchObject({ phone, customer_id: "103", version: 1 });
    for (const key of ["previous_session_id", "telegram_chat_id", "conflicts"])
      expect(back).not.toHaveProperty(key);
    expect(await askCode(store, phone, "123456", minute(4))).toEqual([]);
    for (const row of await store.sessions.find({ session_id: session.session_id }, minute(5)))
      for (const key of ["language", "rating", "feedback", "summary", "customer_id", "phone"])
        expect(row).not.toHaveProperty(key);
  });

  test("by a merged session's id the whole customer is erased, with every device", async () => {
    const store = await desk(make);
    const one = await begin(store, 1, { phone }, minute(0));
    await store.sessions.end(hash(1), minute(0));
    const two = await begin(store, 2, { phone }, minute(1));
    const three = await begin(store, 3, { telegram_chat_id }, minute(2));
    await begin(store, 4, { phone, telegram_chat_id }, minute(3));
    const erased = await erase(store, three.session_id, minute(4));
    expect([...erased.session_ids].sort()).toEqual(
      [one, two, three].map(({ session_id }) => session_id).sort(),
    );
    expect(erased.token_hashes).toEqual([hash(4)]);
    await expectToken(store, hash(4), undefined, minute(5));
    expect((await erase(store, three.session_id, minute(6))).identities).toEqual([]);
  });

  test("identities that were not seen for long are deleted, with the password of the phone", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone, telegram_chat_id }, day(0));
    await store.proofs.signUp({ token_hash: hash(1), password: "long enough" }, day(0));
    const first = await begin(store, 2, { telegram_chat_id }, day(5));
    await store.sessions.end(hash(2), day(5));
    const now = new Date(day(8).getTime() + Math.floor(Math.random() * DAY));
    await store.housekeeping.purge(day(-30), 10, { now, identities_before: day(4) });
    const lines = (await auditOf(store, "retention")).filter(({ at }) => at.getTime() === now.getTime());
    expect(lines).toMatchObject([{ details: { identities: 1 } }]);
    expect(await store.sessions.find({ identities: { phone } }, day(9))).toEqual([]);
    const login = {
      phone,
      password: "long enough",
      new_token_hash: hash(6),
      channel: "web",
      rate_limit_keys: [],
    };
    await expect(store.proofs.logIn(login, day(9))).rejects.toMatchObject({ code: "password_invalid" });
    const back = await store.hear(said("telegram", { telegram_chat_id }, "1"), day(9));
    expect(back.session).toMatchObject({ previous_session_id: first.session_id });
    expect(back.session).not.toHaveProperty("phone");
  });

  test("identities of a customer with an active session stay", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone, telegram_chat_id }, day(0));
    await store.housekeeping.purge(day(-30), 10, { now: day(6), identities_before: day(5) });
    const back = await store.hear(said("telegram", { telegram_chat_id }, "1"), day(6));
    expect(back.session).toMatchObject({ phone });
  });

  test("identities that stayed for an active session are looked at again a day later", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone }, day(0));
    await store.housekeeping.purge(day(-30), 10, { now: day(6), identities_before: day(3) });
    await store.sessions.end(hash(1), day(6));
    await store.housekeeping.purge(day(-30), 10, { now: day(7), identities_before: day(4) });
    expect(await store.sessions.find({ identities: { phone } }, day(7))).toHaveLength(1);
    await store.housekeeping.purge(day(-30), 10, { now: day(8), identities_before: day(5) });
    expect(await store.sessions.find({ identities: { phone } }, day(8))).toEqual([]);
  });

  test("an identity that was seen since is not deleted", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone }, day(0));
    await store.hear(said("whatsapp", { phone }, "1"), day(5));
    await store.sessions.end(hash(1), day(5));
    await store.housekeeping.purge(day(-30), 10, { now: day(9), identities_before: day(4) });
    expect(await store.sessions.find({ identities: { phone } }, day(9))).toHaveLength(1);
  });

  test("a customer with only a browser left is deleted with their last session", async () => {
    const store = await desk(make);
    await begin(store, 1, { visitor_id }, day(0));
    await store.sessions.end(hash(1), day(0));
    await store.housekeeping.purge(day(1), 10);
    const back = await begin(store, 2, { visitor_id }, day(2));
    expect(back).not.toHaveProperty("previous_session_id");
    await begin(store, 3, {}, day(2), { customer_id: "103" });
    await store.sessions.end(hash(3), day(2));
    await store.housekeeping.purge(day(3), 10);
    await store.sessions.update({ token_hash: hash(2) }, { customer_id: "103" }, day(3));
    expect(await store.sessions.find({ customer_id: "103" }, day(3))).toMatchObject([{ visitor_id }]);
  });

  test("dead letters are deleted after thirty days, and only with retention", async () => {
    const store = await desk(make);
    const turn = await store.ask(said("telegram", { telegram_chat_id }, "1"), day(0));
    await store.conversations.fail(turn, rejection("bot_400"), undefined, day(0));
    const dead = () => store.operations.deadLetters(undefined, 10);
    await store.housekeeping.purge(day(-60), 10);
    await store.housekeeping.purge(day(-60), 10, { now: day(30) });
    expect(await dead()).toHaveLength(1);
    await store.housekeeping.purge(day(-60), 10, { now: day(31) });
    expect(await dead()).toEqual([]);
  });
}
