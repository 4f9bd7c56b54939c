import { expect, test } from "vitest";
import { noticesIn } from "../../src/core/identity/notices.ts";
import { anna, ben, type Desk, desk, hash, type Make, minute, said } from "./given.ts";
import { annasSession, begin, expectToken, scan, succeeded, typeIn } from "./proving.ts";

const NOTICES = noticesIn("en");

const { phone, telegram_chat_id, whatsapp_user_id } = anna;
const LINK = hash(500);

/** Links that a device shows and a messenger redeems. */
export function links(make: Make): void {
  /** The device's new token after its link is redeemed. */
  const next = (seed: number) => hash(700 + seed);
  const show = (store: Desk, seed: number, now: Date, link_hash = LINK, new_token_hash = next(seed)) =>
    store.proofs.createLink({ token_hash: hash(seed), link_hash, new_token_hash }, now);

  test("the sender is joined with the person at the device: one session, and a new token for the device", async () => {
    const store = await desk(make);
    const { session: known } = await annasSession(store);
    const waiting = await begin(store, 1, { visitor_id: "v" }, minute(0), { data: { seen: true } });
    await begin(store, 2, { visitor_id: "v" }, minute(0));
    expect(await show(store, 1, minute(1))).toEqual({ expires_at: minute(11) });
    const heard = await scan(store, { telegram_chat_id }, LINK, "t1", minute(2));
    expect(heard).toMatchObject({
      session: { session_id: known.session_id, visitor_id: "v", data: { cart: ["anna's"], seen: true } },
      message: { kind: "system", text: "linked", role: "system", direction: "inbound" },
      merged: [waiting.session_id],
      closed: [hash(2), hash(901), hash(1)],
    });
    expect(heard.message.content).toEqual({ kind: "system", event: "linked" });
    expect(heard.turn).toBeUndefined();
    await expectToken(store, next(1), known.session_id, minute(3));
    for (const dead of [1, 2, 901]) await expectToken(store, hash(dead), undefined, minute(3));
  });

  test("a turn of the link's message has the session as it is after the merge", async () => {
    const store = await desk(make);
    await store.ask(said("telegram", { telegram_chat_id }, "t1"), minute(0));
    const heard = await scan(store, { telegram_chat_id }, LINK, "t2", minute(3), { wakes: true });
    expect(heard.message.text).toBe("link_failed");
    expect(heard.session.message_count).toBe(3);
    expect(heard.turn).toMatchObject({ message: { external_id: "t1" }, session: heard.session });
  });

  test("the notice goes to the messenger that scanned, through the outbox", async () => {
    const store = await desk(make);
    await begin(store, 1, { visitor_id: "v" }, minute(0));
    await show(store, 1, minute(0));
    const heard = await scan(store, { telegram_chat_id }, LINK, "t1", minute(1));
    expect(heard.deliveries).toMatchObject([
      {
        channel: "telegram",
        account: "bot-1",
        address: { to: "telegram address" },
        content: { kind: "text", text: NOTICES.linked },
        attempt: 1,
      },
    ]);
    const { session_id } = heard.session;
    const [, notice] = await store.history(session_id);
    expect(notice).toMatchObject({
      role: "system",
      direction: "outbound",
      status: "pending",
      text: NOTICES.linked,
    });
    expect(heard.session.message_count).toBe(2);
    await store.settleAs(heard.deliveries![0]!, {}, minute(1));
    expect((await store.history(session_id))[1]).toMatchObject({ status: "sent" });
  });

  test("an unknown sender joins the waiting session, on any messenger", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { visitor_id: "v" }, minute(0));
    await show(store, 1, minute(0));
    const { session } = await scan(store, { whatsapp_user_id, phone }, LINK, "w1", minute(1));
    expect(session).toMatchObject({ session_id, whatsapp_user_id, phone, channels: ["web", "whatsapp"] });
  });

  test("the same message again is a duplicate and changes nothing", async () => {
    const store = await desk(make);
    await begin(store, 1, { visitor_id: "v" }, minute(0));
    await show(store, 1, minute(0));
    const first = await scan(store, { telegram_chat_id }, LINK, "t1", minute(1));
    const again = await scan(store, { telegram_chat_id }, LINK, "t1", minute(2));
    expect(again).toMatchObject({ duplicate: true, message: { message_id: first.message.message_id } });
    expect(again.deliveries).toBeUndefined();
    expect(await store.history(first.session.session_id)).toHaveLength(2);
  });

  const happens: [string, (store: Desk) => Promise<unknown>][] = [
    ["used", (store) => scan(store, { whatsapp_user_id: "DE.9" }, LINK, "x", minute(1))],
    ["of a session that ended", (store) => store.sessions.end(hash(1), minute(1))],
    ["of a device that signed out", (store) => store.sessions.signOut(hash(1), minute(1))],
  ];
  test.for(happens)(
    "a link %s joins nobody, wakes no bot, and its sender is notified",
    async ([, happen]) => {
      const store = await desk(make);
      const waiting = await begin(store, 1, { visitor_id: "v" }, minute(0));
      await show(store, 1, minute(0));
      await happen(store);
      await expectFailure(store, waiting.session_id, minute(2));
    },
  );

  test("an expired or unknown link joins nobody", async () => {
    const store = await desk(make);
    const waiting = await begin(store, 1, { visitor_id: "v" }, minute(0));
    await show(store, 1, minute(0));
    await expectFailure(store, waiting.session_id, minute(10));
    await expectFailure(store, waiting.session_id, minute(1), hash(501));
  });

  async function expectFailure(store: Desk, waiting: string, now: Date, link = LINK): Promise<void> {
    const heard = await scan(store, { telegram_chat_id }, link, `late ${now.getTime()}`, now);
    expect(heard.session.session_id).not.toBe(waiting);
    expect(heard.message).toMatchObject({ kind: "system", text: "link_failed", role: "system" });
    expect(heard.turn).toBeUndefined();
    expect(heard.merged).toBeUndefined();
    const texts = await store.texts(heard.session.session_id);
    expect(texts.at(-1)).toBe(NOTICES.link_failed);
  }

  test("of two senders at once one is joined", async () => {
    const store = await desk(make);
    await begin(store, 1, { visitor_id: "v" }, minute(0));
    await show(store, 1, minute(0));
    const heard = await Promise.all([
      scan(store, { telegram_chat_id }, LINK, "t1", minute(1)),
      scan(store, { whatsapp_user_id: ben.whatsapp_user_id }, LINK, "w2", minute(1)),
    ]);
    expect(heard.map(({ message }) => message.text).sort()).toEqual(["link_failed", "linked"]);
    const [one, two] = heard.map(({ session }) => session.session_id);
    expect(one).not.toBe(two);
  });

  test.for([
    ["another Telegram", { telegram_chat_id: "9" }, { telegram_chat_id }],
    ["another phone", { phone: ben.phone }, { whatsapp_user_id, phone }],
  ] as const)(
    "a session that holds %s is not joined, and the link stays valid",
    async ([, holds, sender]) => {
      const store = await desk(make);
      const waiting = await begin(store, 1, holds, minute(0));
      await show(store, 1, minute(0));
      const heard = await scan(store, sender, LINK, "t1", minute(1));
      expect(heard).toMatchObject({ message: { text: "link_failed" } });
      expect(heard.session.session_id).not.toBe(waiting.session_id);
      await expectToken(store, hash(1), waiting.session_id, minute(2));
      const own = "phone" in holds ? { telegram_chat_id: "77" } : holds;
      expect((await scan(store, own, LINK, "t2", minute(3))).message.text).toBe("linked");
    },
  );

  test("a sender who is known to be a different person is not joined", async () => {
    const store = await desk(make);
    await annasSession(store);
    const waiting = await begin(store, 1, { phone: ben.phone }, minute(0));
    await show(store, 1, minute(0));
    const heard = await scan(store, { telegram_chat_id }, LINK, "t1", minute(1));
    expect(heard).toMatchObject({ message: { text: "link_failed" }, session: { phone } });
    expect(heard.session.session_id).not.toBe(waiting.session_id);
  });

  test("a phone that was only claimed at the kiosk is not joined", async () => {
    const store = await desk(make);
    await typeIn(store, 1, ben.phone, minute(0));
    await typeIn(store, 2, ben.phone, minute(0));
    await show(store, 1, minute(0));
    const heard = await scan(store, { telegram_chat_id }, LINK, "t1", minute(1));
    expect(heard).toMatchObject({ message: { text: "linked" }, closed: [hash(2), hash(1)] });
    expect(heard.session.phone).toBeUndefined();
    expect(heard.session.phone_verified).toBeUndefined();
    const bens = await store.hear(said("whatsapp", { phone: ben.phone }, "b1"), minute(2));
    expect(bens.session.session_id).not.toBe(heard.session.session_id);
  });

  test("the claimed phone is verified when its own WhatsApp scans", async () => {
    const store = await desk(make);
    const { session_id } = await typeIn(store, 1, phone, minute(0));
    await show(store, 1, minute(0));
    const { session } = await scan(store, { whatsapp_user_id, phone }, LINK, "w1", minute(1));
    expect(session).toMatchObject({ session_id, phone, whatsapp_user_id });
    expect(session.phone_verified).toBeUndefined();
    await expectToken(store, next(1), session_id, minute(2));
  });

  test("a link token sent with a session token joins nobody, and stays valid", async () => {
    const store = await desk(make);
    const mine = await begin(store, 1, { visitor_id: "v" }, minute(0));
    const other = await begin(store, 2, { visitor_id: "w" }, minute(0));
    await show(store, 1, minute(0));
    const message = said("web", { token_hash: hash(2) }, "1", { link_hash: LINK, wakes: false, address: {} });
    const heard = await store.hear(message, minute(1));
    expect(heard).toMatchObject({
      session: { session_id: other.session_id },
      message: { text: "link_failed" },
    });
    expect(heard.deliveries).toBeUndefined();
    const { session } = await scan(store, { telegram_chat_id }, LINK, "t1", minute(2));
    expect(session.session_id).toBe(mine.session_id);
  });

  test("a session that merges before the scan loses its token and its link", async () => {
    const store = await desk(make);
    await store.hear(said("whatsapp", { phone }, "w1"), minute(0));
    await begin(store, 1, { telegram_chat_id: "9" }, minute(1));
    await show(store, 1, minute(1));
    await store.hear(said("telegram", { telegram_chat_id: "9", phone }, "t1"), minute(2));
    const heard = await scan(store, { whatsapp_user_id }, LINK, "w2", minute(3));
    expect(heard.message.text).toBe("link_failed");
  });

  test("a device has five links, and a sixth ends the first", async () => {
    const store = await desk(make);
    await begin(store, 1, { visitor_id: "v" }, minute(0));
    for (let i = 0; i < 6; i++) await show(store, 1, minute(i), hash(600 + i));
    const first = await scan(store, { telegram_chat_id }, hash(600), "t1", minute(6));
    expect(first.message.text).toBe("link_failed");
    const second = await scan(store, { telegram_chat_id: "9" }, hash(601), "t2", minute(6));
    expect(second.message.text).toBe("linked");
  });

  test("an ended token makes no link", async () => {
    const store = await desk(make);
    await expect(show(store, 1, minute(0))).rejects.toMatchObject({ code: "session_not_found" });
    const calls = [1, 2].map((seed) => begin(store, seed, { visitor_id: "v" }, minute(0)));
    expect(await succeeded(calls)).toBe(2);
  });
}
