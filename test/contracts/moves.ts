import { expect, test } from "vitest";
import { noticesIn } from "../../src/core/identity/notices.ts";
import { anna, ben, desk, hash, type Make, minute, reply, said } from "./given.ts";
import { annasSession, askCode, begin } from "./proving.ts";

const NOTICES = noticesIn("en");

const { phone, telegram_chat_id, whatsapp_user_id } = anna;

/** Identities that move to another person. */
export function moves(make: Make): void {
  test("the old owner of a phone is notified at their remaining addresses only", async () => {
    const store = await desk(make);
    const { session: annas } = await annasSession(store);
    const message = said("whatsapp", { whatsapp_user_id: ben.whatsapp_user_id, phone }, "b1");
    const heard = await store.hear(message, minute(0));
    expect(heard.session).toMatchObject({ phone, data: {}, message_count: 1 });
    expect(heard.notified).toEqual([annas.session_id]);
    expect(heard.deliveries).toMatchObject([
      {
        session_id: annas.session_id,
        channel: "telegram",
        account: "bot-1",
        address: { to: "telegram address" },
        content: { kind: "text", text: NOTICES.phone_moved },
      },
    ]);
    expect((await store.texts(annas.session_id)).at(-1)).toBe(NOTICES.phone_moved);
    await store.settleAs(heard.deliveries![0]!, {}, minute(1));
    expect((await store.history(annas.session_id)).at(-1)).toMatchObject({ status: "sent", role: "system" });
    expect(await store.texts(heard.session.session_id)).toEqual(["text of b1"]);
    expect(await askCode(store, phone, "123456", minute(2))).toMatchObject([
      { channel: "whatsapp", used_at: minute(0) },
    ]);
  });

  test("without an address the notice is saved in the history", async () => {
    const store = await desk(make);
    const { session } = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "1"), minute(0));
    const other = said("whatsapp", { whatsapp_user_id: ben.whatsapp_user_id, phone }, "2");
    const heard = await store.hear(other, minute(1));
    expect(heard.deliveries).toBeUndefined();
    expect((await store.history(session.session_id)).at(-1)).toMatchObject({
      role: "system",
      status: "sent",
      text: NOTICES.phone_moved,
    });
    const after = await store.hear(said("whatsapp", { whatsapp_user_id }, "3"), minute(2));
    expect(after.session.message_count).toBe(3);
  });

  test("no notice is sent on a channel that the customer has blocked", async () => {
    const store = await desk(make);
    await annasSession(store);
    const reachability = { channel: "telegram", who: { telegram_chat_id }, reachable: false };
    await store.tell({ type: "reachability", reachability }, minute(0));
    const message = said("whatsapp", { whatsapp_user_id: ben.whatsapp_user_id, phone }, "b1");
    expect((await store.hear(message, minute(1))).deliveries).toBeUndefined();
  });

  test("a notice waits behind deliveries that are being sent", async () => {
    const store = await desk(make);
    await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "1", { wakes: false }), minute(0));
    const asked = said("telegram", { telegram_chat_id, phone }, "2");
    const sending = await store.answered(asked, [reply("an answer")], minute(1));
    const message = said("whatsapp", { whatsapp_user_id: ben.whatsapp_user_id, phone }, "b1");
    expect((await store.hear(message, minute(1.5))).deliveries).toBeUndefined();
    const next = await store.settleAs(sending, {}, minute(1.75));
    expect(next).toMatchObject([{ channel: "telegram", content: { text: NOTICES.phone_moved } }]);
  });

  test("a WhatsApp user who changes number keeps their session, and the old number has no holder", async () => {
    const store = await desk(make);
    const { session } = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "1"), minute(0));
    await begin(store, 1, { phone }, minute(1));
    const change = {
      channel: "whatsapp",
      from: { whatsapp_user_id },
      to: { whatsapp_user_id: "DE.anna9", phone: "+4915112345699" },
    };
    expect(await store.tell({ type: "identity_change", change }, minute(2))).toBe(true);
    expect(await askCode(store, "+4915112345699", "123456", minute(3))).toEqual([]);
    const after = await store.hear(
      said("whatsapp", { whatsapp_user_id: "DE.anna9", phone: "+4915112345699" }, "2"),
      minute(4),
    );
    expect(after.session).toMatchObject({ session_id: session.session_id, phone: "+4915112345699" });
    expect(await askCode(store, "+4915112345699", "123456", minute(5))).toHaveLength(1);
    const stranger = await store.hear(said("kiosk", { phone }, "k"), minute(6));
    expect(stranger.session.session_id).not.toBe(session.session_id);
    expect((await store.sessions.restore({ token_hash: hash(1) }, undefined, minute(7))).session_id).toBe(
      session.session_id,
    );
  });
}
