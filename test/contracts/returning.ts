import { expect, test } from "vitest";
import { anna, ben, type Desk, day, desk, hash, type Make, minute, said } from "./given.ts";
import { annasSession, askCode, begin, expectToken, giveCode, typeIn } from "./proving.ts";

const { phone, telegram_chat_id, whatsapp_user_id, visitor_id } = anna;

/** Customers stay when their sessions end: then any verified identity finds the same customer. */
export function returning(make: Make): void {
  const overs: [string, (store: Desk, token: string) => Promise<Date>][] = [
    [
      "ended",
      async (store, token_hash) => {
        await store.sessions.end(token_hash, minute(10));
        return minute(11);
      },
    ],
    ["expired unseen", async () => day(8)],
    [
      "was marked expired",
      async (store) => {
        expect(await store.housekeeping.expire(day(8), 10)).toBe(1);
        return day(9);
      },
    ],
  ];

  test.for(overs)(
    "a contact card on Telegram is remembered by WhatsApp and by the phone once the session %s",
    async ([, end]) => {
      const store = await desk(make);
      await store.hear(said("telegram", { telegram_chat_id }, "t1"), minute(0));
      const card = await store.hear(said("telegram", { telegram_chat_id, phone }, "t2"), minute(1));
      await begin(store, 1, { telegram_chat_id }, minute(2));
      const now = await end(store, hash(1));
      const back = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "w1"), now);
      expect(back.session).toMatchObject({
        phone,
        telegram_chat_id,
        whatsapp_user_id,
        previous_session_id: card.session.session_id,
        message_count: 1,
        data: {},
      });
      const again = await store.hear(said("telegram", { telegram_chat_id }, "t3"), now);
      expect(again.session.session_id).toBe(back.session.session_id);
      expect((await begin(store, 2, { phone }, now)).session_id).toBe(back.session.session_id);
    },
  );

  test.for(overs)(
    "so are a WhatsApp user id and its phone, by either, once the session %s",
    async ([, end]) => {
      const store = await desk(make);
      const first = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "w1"), minute(0));
      await begin(store, 1, { phone }, minute(1));
      const now = await end(store, hash(1));
      const byPhone = await begin(store, 2, { phone }, now);
      expect(byPhone).toMatchObject({ whatsapp_user_id, previous_session_id: first.session.session_id });
      const byId = await store.hear(said("whatsapp", { whatsapp_user_id }, "w2"), now);
      expect(byId.session.session_id).toBe(byPhone.session_id);
    },
  );

  test("any kind of identity works: a new messenger needs no migration", async () => {
    const store = await desk(make);
    const from = { viber_user_id: "v-1", phone };
    const { session } = await store.hear(said("viber", from, "1"), minute(0));
    expect(session).toMatchObject({ viber_user_id: "v-1", phone });
    const token = await begin(store, 1, { viber_user_id: "v-1" }, minute(1));
    expect(token.session_id).toBe(session.session_id);
    const left = await store.proofs.unlink(hash(1), "viber_user_id", minute(2));
    expect(left.removed).toEqual({ kind: "viber_user_id", value: "v-1" });
    expect(left.session.viber_user_id).toBeUndefined();
    expect(
      (await store.hear(said("viber", { viber_user_id: "v-1" }, "2"), minute(3))).session,
    ).not.toMatchObject({ session_id: session.session_id });
  });

  test("an email is weaker than a phone, and stronger than a browser", async () => {
    const store = await desk(make);
    const one = await begin(store, 1, { phone }, minute(0));
    const two = await begin(store, 2, { email: "ben@example.org", telegram_chat_id: "t-ben" }, minute(1));
    const moved = await begin(store, 3, { phone, email: "ben@example.org", visitor_id }, minute(2));
    expect(moved).toMatchObject({ session_id: one.session_id, phone, email: "ben@example.org", visitor_id });
    expect(moved.telegram_chat_id).toBe("t-ben");
    expect(moved.merged).toEqual([two.session_id]);
  });

  test("each session names the one before it, merged ones left out", async () => {
    const store = await desk(make);
    const first = await begin(store, 1, { telegram_chat_id }, minute(0));
    await store.sessions.end(hash(1), minute(1));
    const second = await begin(store, 2, { telegram_chat_id }, minute(2));
    const other = await begin(store, 3, { visitor_id, phone }, minute(3));
    const joint = await begin(store, 4, { telegram_chat_id, phone }, minute(4));
    expect(joint).toMatchObject({ session_id: second.session_id, merged: [other.session_id] });
    await store.sessions.end(hash(4), minute(5));
    const third = await begin(store, 5, { phone }, minute(6));
    expect([second, third].map(({ previous_session_id }) => previous_session_id)).toEqual([
      first.session_id,
      second.session_id,
    ]);
    expect(first.previous_session_id).toBeUndefined();
    expect(third).toMatchObject({ telegram_chat_id, visitor_id });
  });

  test("an ended session shows its customer's present identities", async () => {
    const store = await desk(make);
    const first = await begin(store, 1, { telegram_chat_id }, minute(0));
    await store.sessions.end(hash(1), minute(1));
    await store.hear(said("telegram", { telegram_chat_id, phone }, "1"), minute(2));
    const [ended] = await store.sessions.find({ session_id: first.session_id }, minute(3));
    expect(ended).toMatchObject({ status: "logged_out", telegram_chat_id, phone });
  });

  test("a code reaches its owner after the session's end, and opens a new one", async () => {
    const store = await desk(make);
    const { session } = await annasSession(store);
    const [telegram, whatsapp] = await askCode(store, phone, "123456", day(9));
    expect([telegram, whatsapp]).toMatchObject([{ channel: "telegram" }, { channel: "whatsapp" }]);
    const next = await giveCode(store, phone, "123456", 1, day(9));
    expect(next).toMatchObject({
      telegram_chat_id,
      whatsapp_user_id,
      data: {},
      previous_session_id: session.session_id,
    });
    await expectToken(store, hash(1), next.session_id, day(9));
  });

  test("a blocked channel stays blocked in the customer's next session", async () => {
    const store = await desk(make);
    await annasSession(store);
    const reachability = { channel: "telegram", who: { telegram_chat_id }, reachable: false };
    expect(await store.tell({ type: "reachability", reachability }, day(9))).toBe(true);
    await begin(store, 1, { phone }, day(9));
    expect(await askCode(store, phone, "123456", day(9))).toMatchObject([{ channel: "whatsapp" }]);
    await store.hear(said("telegram", { telegram_chat_id }, "t9"), day(9));
    expect(await askCode(store, phone, "123456", day(9))).toHaveLength(2);
  });

  test("a number proven by another person moves to them, also after its owner's session ended", async () => {
    const store = await desk(make);
    const { session: annas } = await annasSession(store);
    const { session, notified, deliveries } = await store.hear(
      said("whatsapp", { whatsapp_user_id: ben.whatsapp_user_id, phone }, "b1"),
      day(9),
    );
    expect(session).toMatchObject({ phone, whatsapp_user_id: ben.whatsapp_user_id, data: {} });
    expect(session).not.toHaveProperty("previous_session_id");
    expect(session).not.toHaveProperty("telegram_chat_id");
    expect(notified).toEqual([annas.session_id]);
    expect(deliveries).toMatchObject([{ channel: "telegram", session_id: annas.session_id }]);
    const back = await store.hear(said("telegram", { telegram_chat_id }, "a9"), day(9));
    expect(back.session).toMatchObject({ previous_session_id: annas.session_id });
    expect(back.session.phone).toBeUndefined();
  });

  test("its old owner without a session and without an address gets no notice", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { whatsapp_user_id, phone }, minute(0));
    const from = { whatsapp_user_id: ben.whatsapp_user_id, phone };
    const heard = await store.hear(said("whatsapp", from, "b1"), day(9));
    expect(heard.notified).toBeUndefined();
    expect(await store.texts(session_id)).toEqual([]);
    expect(await store.sessions.find({ session_id }, day(9))).toMatchObject([
      { status: "expired", ended_at: day(9) },
    ]);
  });

  test("its old owner's notice is never saved in a merged session", async () => {
    const store = await desk(make);
    const first = await store.hear(said("telegram", { telegram_chat_id }, "t1"), minute(0));
    await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "w1"), minute(1));
    await begin(store, 1, { telegram_chat_id, whatsapp_user_id }, minute(2));
    const from = { whatsapp_user_id: ben.whatsapp_user_id, phone };
    const heard = await store.hear(said("whatsapp", from, "b1"), day(9));
    expect(heard.notified).toEqual([first.session.session_id]);
  });

  test("an identity change applies to a customer without a session", async () => {
    const store = await desk(make);
    const first = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "1"), minute(0));
    const change = { channel: "whatsapp", from: { whatsapp_user_id }, to: { whatsapp_user_id: "DE.new" } };
    expect(await store.tell({ type: "identity_change", change }, day(9))).toBe(true);
    const before = await store.sessions.find({ session_id: first.session.session_id }, day(9));
    expect(before).toMatchObject([{ status: "expired" }]);
    const back = await store.hear(said("whatsapp", { whatsapp_user_id: "DE.new" }, "2"), day(9));
    expect(back.session).toMatchObject({ phone, previous_session_id: first.session.session_id });
  });

  test("a claim carries nothing from one session to the next", async () => {
    const store = await desk(make);
    const first = await typeIn(store, 1, phone, minute(0));
    await store.sessions.update({ token_hash: hash(1) }, { data: { note: "private" } }, minute(1));
    await store.sessions.end(hash(1), minute(2));
    const second = await typeIn(store, 2, phone, minute(3));
    expect(second).toMatchObject({ data: {}, phone_verified: false });
    expect(second).not.toHaveProperty("previous_session_id");
    const owner = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "w1"), minute(4));
    expect(owner.session.session_id).toBe(second.session_id);
    expect(await store.sessions.find({ identities: { phone } }, minute(5))).toHaveLength(1);
    const [old] = await store.sessions.find({ session_id: first.session_id }, minute(5));
    expect(old).not.toHaveProperty("phone");
  });
}
