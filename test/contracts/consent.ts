import { expect, test } from "vitest";
import { noticesIn } from "../../src/core/identity/notices.ts";
import { anna, ben, day, desk, hash, type Make, minute, said } from "./given.ts";
import { annasSession, askCode, begin, bensSession, expectToken, giveCode, scan, typeIn } from "./proving.ts";

const NOTICES = noticesIn("en");

const { phone, telegram_chat_id, whatsapp_user_id } = anna;
const LINK = hash(500);
const NEXT = hash(700);

/** Two known customers are joined only if the person at the device agrees, after both are named. */
export function consent(make: Make): void {
  test("a code at a device of another customer asks first, names both, and stays valid", async () => {
    const store = await desk(make);
    const { session: annas } = await annasSession(store);
    const bens = await bensSession(store);
    await askCode(store, phone, "123456", minute(0));
    const given = (over: object) =>
      giveCode(store, phone, "123456", 3, minute(1), { token_hash: hash(902), ...over });
    await expect(given({})).rejects.toMatchObject({
      code: "merge_required",
      details: {
        sessions: [
          {
            session_id: bens.session_id,
            channels: ["web"],
            identities: { telegram_chat_id: "…7002" },
          },
          {
            session_id: annas.session_id,
            channels: annas.channels,
            identities: { phone: "…5601", telegram_chat_id: "…7001", whatsapp_user_id: "…nna1" },
          },
        ],
      },
    });
    await expectToken(store, hash(902), bens.session_id, minute(1));
    for (let i = 0; i < 6; i++) await expect(given({})).rejects.toMatchObject({ code: "merge_required" });
    const left = await given({ merge: false });
    expect(left).toMatchObject({ session_id: annas.session_id });
    expect(left).not.toHaveProperty("merged");
    await expectToken(store, hash(902), undefined, minute(2));
    await expectToken(store, hash(901), annas.session_id, minute(2));
    expect(
      (await store.hear(said("telegram", { telegram_chat_id: ben.telegram_chat_id }, "b"), minute(2)))
        .session,
    ).toMatchObject({ session_id: bens.session_id });
  });

  test("after consent the two sessions merge, and only the device's token stays", async () => {
    const store = await desk(make);
    const known = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "w"), minute(0));
    await begin(store, 1, { phone }, minute(0));
    const chat = await begin(store, 2, { telegram_chat_id }, minute(1));
    await begin(store, 3, { telegram_chat_id }, minute(1));
    await askCode(store, phone, "123456", minute(2));
    const joint = await giveCode(store, phone, "123456", 4, minute(3), { token_hash: hash(2), merge: true });
    expect(joint).toMatchObject({
      session_id: known.session.session_id,
      telegram_chat_id,
      whatsapp_user_id,
      merged: [chat.session_id],
      closed: [hash(1), hash(3), hash(2)],
    });
    await expectToken(store, hash(4), joint.session_id, minute(4));
  });

  test("an unknown phone is asked about too, and consent signs the other devices out", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { telegram_chat_id }, minute(0));
    await begin(store, 2, { telegram_chat_id }, minute(0));
    await askCode(store, phone, "123456", minute(1));
    const given = (over: object) =>
      giveCode(store, phone, "123456", 3, minute(2), { token_hash: hash(1), ...over });
    await expect(given({})).rejects.toMatchObject({
      details: {
        sessions: [
          { session_id, channels: ["web"], identities: { telegram_chat_id: "…7001" } },
          { identities: { phone: "…5601" } },
        ],
      },
    });
    expect(await given({ merge: true })).toMatchObject({ session_id, phone, closed: [hash(2), hash(1)] });
  });

  test("a customer without a session is named by their identities", async () => {
    const store = await desk(make);
    await annasSession(store);
    await begin(store, 1, { telegram_chat_id: ben.telegram_chat_id }, day(9));
    await askCode(store, phone, "123456", day(9));
    const given = giveCode(store, phone, "123456", 3, day(9), { token_hash: hash(1) });
    const identities = { phone: "…5601", telegram_chat_id: "…7001", whatsapp_user_id: "…nna1" };
    await expect(given).rejects.toMatchObject({ details: { sessions: [{}, { identities }] } });
    const error = await given.catch((thrown) => thrown);
    expect(Object.keys(error.details.sessions[1])).toEqual(["identities"]);
  });

  test.for([
    ["a device that has not lately proven who it is", {}, 16],
    ["a kiosk", { channel: "kiosk" }, 1],
  ] as const)("%s is not asked: it is left, whatever it says", async ([, over, at]) => {
    for (const merge of [undefined, true]) {
      const store = await desk(make);
      const { session } = await annasSession(store);
      const bens = await begin(store, 1, { telegram_chat_id: ben.telegram_chat_id }, minute(0), over);
      await askCode(store, phone, "123456", minute(at));
      const given = { token_hash: hash(1), ...over, ...(merge && { merge }) };
      const mine = await giveCode(store, phone, "123456", 3, minute(at), given);
      expect(mine).toMatchObject({ session_id: session.session_id });
      expect(mine).not.toHaveProperty("merged");
      expect(mine.session_id).not.toBe(bens.session_id);
    }
  });

  test("a claimed phone is named alone", async () => {
    const store = await desk(make);
    await typeIn(store, 1, phone, minute(0));
    await begin(store, 2, { telegram_chat_id: ben.telegram_chat_id }, minute(1));
    await askCode(store, phone, "123456", minute(2));
    const asked = giveCode(store, phone, "123456", 3, minute(3), { token_hash: hash(2) });
    await expect(asked).rejects.toMatchObject({
      code: "merge_required",
      details: { sessions: [{ channels: ["web"] }, { identities: { phone: `…${phone.slice(-4)}` } }] },
    });
    const error = await asked.catch((error) => error);
    expect(error.details.sessions[1]).not.toHaveProperty("session_id");
  });

  test("no question for the customer's own phone or from an anonymous session", async () => {
    const store = await desk(make);
    const { session } = await annasSession(store);
    await askCode(store, phone, "111111", minute(0));
    const own = await giveCode(store, phone, "111111", 1, minute(0), { token_hash: hash(901) });
    expect(own).toMatchObject({ session_id: session.session_id, closed: [hash(901)] });
    await begin(store, 2, { visitor_id: "v" }, minute(1));
    await askCode(store, phone, "222222", minute(1));
    const joint = await giveCode(store, phone, "222222", 3, minute(1), { token_hash: hash(2) });
    expect(joint.session_id).toBe(session.session_id);
  });

  const show = (store: Parameters<typeof scan>[0], seed: number, now: Date) =>
    store.proofs.createLink({ token_hash: hash(seed), link_hash: LINK, new_token_hash: NEXT }, now);

  test("a known customer who scans another customer's code is asked, and agrees by sending it again", async () => {
    const store = await desk(make);
    const known = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "w0"), minute(-5));
    await begin(store, 9, { phone }, minute(-4));
    const waiting = await begin(store, 1, { telegram_chat_id: "4471002" }, minute(0));
    await show(store, 1, minute(0));
    const asked = await scan(store, { whatsapp_user_id, phone }, LINK, "w1", minute(1));
    expect(asked).toMatchObject({
      session: { session_id: known.session.session_id },
      message: { role: "system", content: { kind: "system", event: "merge_required" } },
    });
    const words = NOTICES.merge_required.replace("{identity}", "…1002").replace("{channels}", "web");
    expect(asked.deliveries).toMatchObject([{ channel: "whatsapp", content: { text: words } }]);
    expect(asked).not.toHaveProperty("merged");
    for (const [seed, id] of [
      [1, waiting.session_id],
      [9, known.session.session_id],
    ] as const)
      await expectToken(store, hash(seed), id, minute(2));
    const agreed = await scan(store, { whatsapp_user_id, phone }, LINK, "w2", minute(3));
    expect(agreed).toMatchObject({
      session: { session_id: known.session.session_id, telegram_chat_id: "4471002" },
      message: { text: "linked" },
      merged: [waiting.session_id],
      closed: [hash(9), hash(1)],
    });
    await expectToken(store, NEXT, known.session.session_id, minute(4));
    expect((await scan(store, { whatsapp_user_id, phone }, LINK, "w3", minute(5))).message.text).toBe(
      "link_failed",
    );
  });

  test("only the same sender can agree, and only within ten minutes", async () => {
    const store = await desk(make);
    await store.hear(said("whatsapp", { whatsapp_user_id }, "w0"), minute(-5));
    await store.hear(said("viber", { viber_user_id: "v" }, "v0"), minute(-5));
    await begin(store, 1, { telegram_chat_id: "4471002" }, minute(0));
    await show(store, 1, minute(0));
    const text = async (from: object, id: string, at: number) =>
      (await scan(store, from, LINK, id, minute(at))).message.text;
    expect(await text({ whatsapp_user_id }, "w1", 1)).toBe("merge_required");
    expect(await text({ viber_user_id: "v" }, "v1", 2)).toBe("merge_required");
    expect(await text({ whatsapp_user_id }, "w2", 3)).toBe("merge_required");
    expect(await text({ whatsapp_user_id }, "w3", 13)).toBe("link_failed");
  });

  test("a customer known by any identity is asked, also from an unknown account", async () => {
    const store = await desk(make);
    const known = await store.hear(said("kiosk", { phone }, "k0"), minute(-5));
    await begin(store, 1, { telegram_chat_id: "4471002" }, minute(0));
    await show(store, 1, minute(0));
    const asked = await scan(store, { whatsapp_user_id, phone }, LINK, "w1", minute(1));
    expect(asked).toMatchObject({
      session: { session_id: known.session.session_id },
      message: { text: "merge_required" },
    });
  });

  test("an unknown sender joins at once, and so does a known one at an anonymous page", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { phone }, minute(0));
    await show(store, 1, minute(0));
    const heard = await scan(store, { telegram_chat_id }, LINK, "t1", minute(1));
    expect(heard).toMatchObject({ message: { text: "linked" }, session: { session_id, phone } });
    await begin(store, 2, { visitor_id: "v" }, minute(2));
    await show(store, 2, minute(2));
    const again = await scan(store, { telegram_chat_id }, LINK, "t2", minute(3));
    expect(again).toMatchObject({ message: { text: "linked" }, session: { session_id } });
  });
}
