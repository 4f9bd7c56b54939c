import { expect, test } from "vitest";
import { anna, ben, day, desk, hash, type Make, minute, said } from "./given.ts";
import { actorOf, begin, expectToken } from "./proving.ts";

const { phone, telegram_chat_id, whatsapp_user_id, visitor_id } = anna;
const missing = { code: "session_not_found" };

/** The shop's own ids of its customers, given by trusted callers. */
export function customerIds(make: Make): void {
  test("a customer_id belongs to the customer and shows in all their sessions", async () => {
    const store = await desk(make);
    const first = await begin(store, 1, { phone }, minute(0), { customer_id: "103" });
    expect(first).toMatchObject({ customer_id: "103", version: 1 });
    await store.sessions.end(hash(1), minute(1));
    const { session } = await store.hear(said("whatsapp", { phone, whatsapp_user_id }, "1"), minute(2));
    expect(session).toMatchObject({ customer_id: "103", previous_session_id: first.session_id });
  });

  test("it finds a customer when no identity does, and opens their next session", async () => {
    const store = await desk(make);
    const first = await begin(store, 1, { phone }, minute(0), { customer_id: "103" });
    expect(await begin(store, 2, {}, minute(1), { customer_id: "103" })).toMatchObject({
      session_id: first.session_id,
      phone,
    });
    await store.sessions.end(hash(2), minute(2));
    const next = await begin(store, 3, { visitor_id }, minute(3), { customer_id: "103" });
    expect(next).toMatchObject({ phone, visitor_id, previous_session_id: first.session_id });
    const fresh = await begin(store, 4, {}, minute(4), { customer_id: "104" });
    expect(fresh).toMatchObject({ customer_id: "104" });
    expect(fresh.session_id).not.toBe(next.session_id);
  });

  test("a session is restored by a known customer_id with a token for the device, and not by an unknown one", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { phone }, minute(0), { customer_id: "103" });
    const restored = await store.sessions.restore(
      { token_hash: hash(2), customer_id: "103" },
      "web",
      minute(1),
    );
    expect(restored.session_id).toBe(session_id);
    await expectToken(store, hash(2), session_id, minute(2));
    const nobody = { token_hash: hash(3), customer_id: "104" };
    await expect(store.sessions.restore(nobody, "web", minute(1))).rejects.toMatchObject(missing);
    await store.sessions.end(hash(1), minute(3));
    const ended = { token_hash: hash(3), customer_id: "103" };
    await expect(store.sessions.restore(ended, "web", minute(4))).rejects.toMatchObject(missing);
  });

  test("a start with a known customer_id finds the customer's session instead of opening one", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone }, minute(0));
    const named = await begin(store, 2, {}, day(7), { customer_id: "103" });
    const opened = await begin(store, 3, { phone }, day(8), { customer_id: "103" });
    expect(opened).toMatchObject({ session_id: named.session_id, phone, version: 2 });
    expect(opened.merged).toBeUndefined();
  });

  test("a restore whose identities find a customer ignores the customer_id of another one", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone }, minute(0));
    await begin(store, 2, {}, day(8), { customer_id: "103" });
    const who = { token_hash: hash(3), identities: { phone }, customer_id: "103" };
    await expect(store.sessions.restore(who, "web", day(8))).rejects.toMatchObject(missing);
  });

  test("a restore that finds one session marks no other as expired", async () => {
    const store = await desk(make);
    await begin(store, 1, { telegram_chat_id }, minute(0));
    await begin(store, 2, { phone }, day(8));
    const who = { token_hash: hash(3), identities: { telegram_chat_id, phone } };
    await store.sessions.restore(who, "web", day(8));
    expect(await store.housekeeping.expire(day(8), 10)).toBe(1);
  });

  test("a WhatsApp user id without a phone restores its session, too", async () => {
    const store = await desk(make);
    const { session } = await store.hear(said("whatsapp", { whatsapp_user_id }, "1"), minute(0));
    const who = { token_hash: hash(1), identities: { whatsapp_user_id } };
    expect((await store.sessions.restore(who, "web", minute(1))).session_id).toBe(session.session_id);
  });

  test("two sessions merge when the customer_id is the same, and all other tokens end", async () => {
    const store = await desk(make);
    const known = await begin(store, 1, { phone }, minute(0), { customer_id: "103", data: { a: 1 } });
    const chat = await begin(store, 2, { telegram_chat_id }, minute(1), { data: { b: 2 } });
    await begin(store, 3, { telegram_chat_id }, minute(1));
    const named = await store.sessions.update({ token_hash: hash(2) }, { customer_id: "103" }, minute(2));
    expect(named).toMatchObject({
      session_id: known.session_id,
      phone,
      telegram_chat_id,
      customer_id: "103",
      data: { a: 1, b: 2 },
      merged: [chat.session_id],
      closed: [hash(1), hash(3)],
    });
    await expectToken(store, hash(2), known.session_id, minute(3));
  });

  test("when a call by session_id joins two customers, every token ends", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone }, minute(0), { customer_id: "103" });
    const { session_id } = await begin(store, 2, { telegram_chat_id }, minute(1));
    const named = await store.sessions.update({ session_id }, { customer_id: "103" }, minute(2));
    expect(named.closed).toEqual([hash(1), hash(2)]);
  });

  test("a repeated customer_id changes nothing, and a first one moves the version", async () => {
    const store = await desk(make);
    const { session_id, version } = await begin(store, 1, { phone }, minute(0));
    const named = await store.sessions.update({ session_id }, { customer_id: "103" }, minute(1));
    expect(named).toMatchObject({ customer_id: "103", version: version + 1 });
    const again = await store.sessions.update({ session_id }, { customer_id: "103" }, minute(2));
    expect(again).toMatchObject({ customer_id: "103", metadata: {} });
    expect(again).not.toHaveProperty("conflicts");
  });

  const conflicting = {
    metadata: { merge_conflicts: [{ path: "customer_id", value: "104", session_id: expect.any(String) }] },
    conflicts: ["customer_id"],
  };

  test("another customer_id for the same phone is a conflict: reported, recorded once, and not stored", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { phone }, minute(0), { customer_id: "103" });
    const started = await begin(store, 2, { phone }, minute(1), { customer_id: "104" });
    expect(started).toMatchObject({ session_id, customer_id: "103", ...conflicting });
    expect(started.metadata.merge_conflicts).toEqual([{ path: "customer_id", value: "104", session_id }]);
    const updated = await store.sessions.update({ session_id }, { customer_id: "104" }, minute(2));
    expect(updated).toMatchObject({ customer_id: "103", ...conflicting });
    expect(updated.metadata.merge_conflicts).toHaveLength(1);
    expect(await store.sessions.find({ customer_id: "104" }, minute(3))).toEqual([]);
    const quiet = await begin(store, 3, { phone }, minute(4));
    expect(quiet).not.toHaveProperty("conflicts");
  });

  test("a restore reports the conflict too, and finds the session by the identity", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { phone }, minute(0), { customer_id: "103" });
    const who = { token_hash: hash(2), identities: { phone }, customer_id: "104" };
    const restored = await store.sessions.restore(who, "web", minute(1));
    expect(restored).toMatchObject({ session_id, customer_id: "103", ...conflicting });
  });

  test("a customer_id of a customer with a different identity is a conflict, and both stay unchanged", async () => {
    const store = await desk(make);
    const bens = await begin(store, 1, { phone: ben.phone }, minute(0), { customer_id: "104" });
    const annas = await begin(store, 2, { phone }, minute(1));
    const updated = await store.sessions.update({ token_hash: hash(2) }, { customer_id: "104" }, minute(2));
    expect(updated).toMatchObject({ session_id: annas.session_id, phone, ...conflicting });
    expect(updated).not.toHaveProperty("customer_id");
    for (const [seed, { session_id }] of [bens, annas].entries())
      await expectToken(store, hash(seed + 1), session_id, minute(3));
    const stranger = await begin(store, 3, { phone: "+4915112345699" }, minute(4), { customer_id: "104" });
    expect(stranger).toMatchObject(conflicting);
    expect(stranger).not.toHaveProperty("customer_id");
    expect(await store.sessions.find({ customer_id: "104" }, minute(5))).toMatchObject([
      { session_id: bens.session_id, phone: ben.phone },
    ]);
  });

  test("customers with two customer_ids are two people: newer proof moves only the identity", async () => {
    const store = await desk(make);
    const annas = await begin(store, 1, { phone }, minute(0), { customer_id: "103" });
    const bens = await begin(store, 2, { telegram_chat_id: ben.telegram_chat_id }, minute(1), {
      customer_id: "104",
    });
    const { session, notified } = await store.hear(
      said("telegram", { telegram_chat_id: ben.telegram_chat_id, phone }, "1"),
      minute(2),
    );
    expect(session).toMatchObject({ session_id: bens.session_id, phone, customer_id: "104" });
    expect(notified).toEqual([annas.session_id]);
    await expectToken(store, hash(1), annas.session_id, minute(3));
  });

  test("when all identities are taken from another customer, the customer_id finds the customer, and no extra session is opened", async () => {
    const store = await desk(make);
    const named = await begin(store, 1, { telegram_chat_id }, minute(0), { customer_id: "103" });
    const loser = await begin(store, 2, { phone, whatsapp_user_id: ben.whatsapp_user_id }, minute(1));
    const back = await begin(store, 3, { phone, whatsapp_user_id }, minute(2), { customer_id: "103" });
    expect(back).toMatchObject({
      session_id: named.session_id,
      customer_id: "103",
      phone,
      whatsapp_user_id,
      telegram_chat_id,
      notified: [loser.session_id],
      version: named.version + 1,
    });
    for (const key of ["merged", "closed"]) expect(back).not.toHaveProperty(key);
  });

  test("a claim stores no customer_id", async () => {
    const store = await desk(make);
    const known = await begin(store, 1, { telegram_chat_id }, minute(0), { customer_id: "103" });
    const over = { channel: "kiosk", claimed: true, customer_id: "103" };
    const claimed = await begin(store, 2, { phone }, minute(1), over);
    expect(claimed.session_id).not.toBe(known.session_id);
    expect(claimed).not.toHaveProperty("customer_id");
  });

  test("find lists a customer's sessions and writes nothing", async () => {
    const store = await desk(make);
    const first = await begin(store, 1, { phone, telegram_chat_id }, minute(0), { customer_id: "103" });
    await store.sessions.end(hash(1), minute(1));
    const second = await begin(store, 2, { phone }, minute(2));
    await store.sessions.end(hash(2), minute(3));
    const third = await begin(store, 3, { phone }, minute(4));
    const ids = [third, second, first].map(({ session_id }) => session_id);
    for (const who of [
      { customer_id: "103" },
      { identities: { phone } },
      { identities: { telegram_chat_id } },
      { identities: { telegram_chat_id: "unknown", phone } },
    ]) {
      const found = await store.sessions.find(who, minute(60));
      expect(found.map(({ session_id }) => session_id)).toEqual(ids);
      expect(found[0]).toEqual(third);
    }
    expect(await store.sessions.find({ session_id: second.session_id }, minute(60))).toMatchObject([
      { session_id: second.session_id, status: "logged_out" },
    ]);
    for (const who of [
      { customer_id: "104" },
      { identities: { phone: ben.phone } },
      { identities: {} },
      { session_id: crypto.randomUUID() },
    ])
      expect(await store.sessions.find(who, minute(60))).toEqual([]);
    expect((await store.sessions.find({ customer_id: "103" }, minute(60)))[0]).toEqual(third);
    const page = await store.privacy.export({ customer_id: "103" }, undefined, 9, actorOf(), minute(60));
    expect(page.sessions).toHaveLength(3);
  });

  test("find marks a claimed phone, and returns the newest twenty of many sessions", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone }, minute(0), { channel: "kiosk", claimed: true });
    expect(await store.sessions.find({ identities: { phone } }, minute(1))).toMatchObject([
      { phone, phone_verified: false },
    ]);
    for (let i = 0; i < 22; i++) {
      await begin(store, 2, { telegram_chat_id }, minute(i));
      await store.sessions.end(hash(2), minute(i));
    }
    const found = await store.sessions.find({ identities: { telegram_chat_id } }, minute(60));
    expect(found.map(({ created_at }) => created_at)).toEqual(
      [...Array(20).keys()].map((i) => minute(21 - i)),
    );
  });
}
