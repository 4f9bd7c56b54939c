import { expect, test } from "vitest";
import type { InboundMessage } from "../../src/core/messages/message.ts";
import type { Opened } from "../../src/core/receive/conversations.ts";
import { anna, type Desk, day, desk, hash, type Make, minute, said } from "./given.ts";
import { annasSession, begin, expectToken, typeIn } from "./proving.ts";

const { phone, telegram_chat_id, whatsapp_user_id } = anna;
const required = { code: "verification_required" };

/** Phones that are only claimed: typed at a kiosk, and never verified. */
export function claims(make: Make): void {
  test("an unknown claimed phone starts a session at once, and the session says that it is only claimed", async () => {
    const store = await desk(make);
    const session = await typeIn(store, 1, phone, minute(0));
    expect(session).toMatchObject({ phone, phone_verified: false, channels: ["kiosk"], status: "active" });
    const { session: heard, turn } = await store.hear(
      said("kiosk", { phone }, "1", { claimed: true }),
      minute(1),
    );
    expect(heard).toMatchObject({ session_id: session.session_id, phone_verified: false, message_count: 1 });
    expect(turn?.session.phone_verified).toBe(false);
    await expectToken(store, hash(1), session.session_id, minute(2));
  });

  test("the same claim finds its session again, by start, restore and message", async () => {
    const store = await desk(make);
    const { session_id } = await typeIn(store, 1, phone, minute(0));
    expect((await typeIn(store, 2, phone, minute(1))).session_id).toBe(session_id);
    const who = { token_hash: hash(3), identities: { phone }, claimed: true };
    expect((await store.sessions.restore(who, "kiosk", minute(2))).session_id).toBe(session_id);
    await expectToken(store, hash(1), session_id, minute(3));
  });

  test("a claim of a verified phone is refused, and changes nothing", async () => {
    const store = await desk(make);
    const { session } = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "1"), minute(0));
    await expect(typeIn(store, 1, phone, minute(1))).rejects.toMatchObject(required);
    const who = { token_hash: hash(1), identities: { phone }, claimed: true };
    await expect(store.sessions.restore(who, "kiosk", minute(1))).rejects.toMatchObject(required);
    const message = said("kiosk", { phone }, "k1", { claimed: true });
    await expect(store.hear(message, minute(1))).rejects.toMatchObject(required);
    await expectToken(store, hash(1), undefined, minute(2));
    const { session: after } = await store.hear(said("whatsapp", { whatsapp_user_id }, "2"), minute(2));
    expect(after).toMatchObject({ channels: ["whatsapp"], message_count: 2, version: session.version });
  });

  test("a claim does not open a claimed session that was used on another channel", async () => {
    const store = await desk(make);
    await typeIn(store, 1, phone, minute(0));
    await store.sessions.restore({ token_hash: hash(1) }, "web", minute(1));
    await expect(typeIn(store, 2, phone, minute(2))).rejects.toMatchObject(required);
    await expect(
      begin(store, 2, { phone }, minute(2), { channel: "web", claimed: true }),
    ).rejects.toMatchObject(required);
  });

  test("nothing but a phone can be claimed", async () => {
    const store = await desk(make);
    for (const identities of [{ telegram_chat_id }, { whatsapp_user_id }, { phone, telegram_chat_id }, {}])
      await expect(
        begin(store, 1, identities, minute(0), { channel: "kiosk", claimed: true }),
      ).rejects.toMatchObject(required);
  });

  test("a webhook with one refused claim stores none of its events", async () => {
    const store = await desk(make);
    await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "1"), minute(0));
    const kept = [
      said("kiosk", { phone: "+4915112345677" }, "k1", { claimed: true }),
      said("kiosk", { phone }, "k2", { claimed: true }),
    ].map((message) => ({ type: "message", message }) as const);
    await expect(store.conversations.receive(kept, minute(1))).rejects.toMatchObject(required);
    const { session } = await store.hear({ ...kept[0]!.message, external_id: "k3" }, minute(2));
    expect(session.message_count).toBe(1);
  });

  test("a claim finds no ended or expired claimed session, and is refused once the phone is verified", async () => {
    const store = await desk(make);
    const ended = await typeIn(store, 1, phone, minute(0));
    await store.sessions.end(hash(1), minute(1));
    const again = await typeIn(store, 2, phone, minute(2));
    expect(again.session_id).not.toBe(ended.session_id);
    const later = await typeIn(store, 3, phone, day(8));
    expect(later.session_id).not.toBe(again.session_id);
    expect(later).not.toHaveProperty("previous_session_id");
    await begin(store, 4, { phone }, day(9));
    await store.sessions.end(hash(4), day(10));
    await expect(typeIn(store, 5, phone, day(11))).rejects.toMatchObject(required);
    await begin(store, 6, { phone }, day(12));
    await expect(typeIn(store, 7, phone, day(20))).rejects.toMatchObject(required);
  });

  const proofs: [string, (store: Desk) => Promise<Opened>][] = [
    ["a message of its owner", (store) => heard(store, said("whatsapp", { whatsapp_user_id, phone }, "1"))],
    ["a platform's message with only the phone", (store) => heard(store, said("whatsapp", { phone }, "1"))],
    ["a message of a trusted caller", (store) => heard(store, said("web", { phone }, "1"))],
    ["a caller's word", (store) => begin(store, 3, { phone }, minute(3))],
    [
      "a caller's word for what is there",
      (store) => store.sessions.restore({ token_hash: hash(3), identities: { phone } }, "web", minute(3)),
    ],
  ];
  async function heard(store: Desk, message: InboundMessage): Promise<Opened> {
    const { session, closed = [] } = await store.hear(message, minute(3));
    await begin(store, 3, { phone }, minute(3));
    return { ...session, ...(closed.length > 0 && { closed }) };
  }
  test.for(proofs)(
    "%s verifies a claimed session: the session stays and its tokens end",
    async ([, prove]) => {
      const store = await desk(make);
      const { session_id } = await typeIn(store, 1, phone, minute(0));
      await typeIn(store, 2, phone, minute(1));
      await store.sessions.update({ token_hash: hash(1) }, { data: { cart: ["bread"] } }, minute(2));
      const after = await prove(store);
      expect(after).toMatchObject({
        session_id,
        phone,
        data: { cart: ["bread"] },
        closed: [hash(1), hash(2)],
      });
      expect(after.phone_verified).toBeUndefined();
      for (const seed of [1, 2]) await expectToken(store, hash(seed), undefined, minute(4));
      await expectToken(store, hash(3), session_id, minute(4));
      await expect(typeIn(store, 4, phone, minute(4))).rejects.toMatchObject(required);
      expect((await prove(store)).closed).toBeUndefined();
    },
  );

  test("data of a claimed session does not overwrite the owner's earlier data", async () => {
    const store = await desk(make);
    const older = { address: "mine", kept: true };
    await begin(store, 1, { whatsapp_user_id }, minute(0), { customer_id: "103", data: older });
    await typeIn(store, 2, phone, minute(1));
    await store.sessions.update(
      { token_hash: hash(2) },
      { data: { address: "not mine", note: "new" } },
      minute(2),
    );
    const { session, merged, closed } = await store.hear(
      said("whatsapp", { whatsapp_user_id, phone }, "1"),
      minute(3),
    );
    expect(session).toMatchObject({ phone, customer_id: "103", data: { ...older, note: "new" } });
    expect(session.metadata).toEqual({
      merge_conflicts: [{ path: "data.address", value: "not mine", session_id: merged![0] }],
    });
    expect(merged).toHaveLength(1);
    expect(closed).toEqual([hash(1), hash(2)]);
  });

  test("data of a claimed session does not overwrite the owner's later data", async () => {
    const store = await desk(make);
    const claimed = await begin(store, 1, { phone }, minute(0), {
      channel: "kiosk",
      claimed: true,
      customer_id: "666",
      data: { address: "not mine", note: "new" },
    });
    expect(claimed.customer_id).toBeUndefined();
    await begin(store, 2, { whatsapp_user_id }, minute(1), {
      customer_id: "103",
      data: { address: "mine" },
    });
    const { session } = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "1"), minute(3));
    expect(session).toMatchObject({
      session_id: claimed.session_id,
      phone,
      customer_id: "103",
      data: { address: "mine", note: "new" },
      metadata: {
        merge_conflicts: [{ path: "data.address", value: "not mine", session_id: claimed.session_id }],
      },
    });
    for (const seed of [1, 2]) await expectToken(store, hash(seed), undefined, minute(4));
  });

  test("an echo to a claimed phone finds no session", async () => {
    const store = await desk(make);
    const { session_id } = await typeIn(store, 1, phone, minute(0));
    const content = { kind: "text", text: "We have your parcel" } as const;
    const echo = { channel: "whatsapp", account: "number-1", external_id: "e", to: { phone }, content };
    expect(await store.tell({ type: "echo", echo }, minute(1))).toBe(false);
    const reachability = { channel: "whatsapp", who: { phone }, reachable: false };
    expect(await store.tell({ type: "reachability", reachability }, minute(1))).toBe(false);
    const change = { channel: "whatsapp", from: { phone }, to: { phone: "+4915112345688" } };
    expect(await store.tell({ type: "identity_change", change }, minute(1))).toBe(false);
    expect(await store.history(session_id)).toEqual([]);
  });

  test("a token that ends while another person proves the phone opens nothing meanwhile", async () => {
    const store = await desk(make);
    const { session_id } = await typeIn(store, 1, phone, minute(0));
    const [, update] = await Promise.allSettled([
      store.hear(said("whatsapp", { whatsapp_user_id, phone }, "w1"), minute(1)),
      store.sessions.update({ token_hash: hash(1) }, { data: { planted: true } }, minute(1)),
    ]);
    await expectToken(store, hash(1), undefined, minute(2));
    const { session } = await store.hear(said("whatsapp", { whatsapp_user_id }, "w2"), minute(2));
    expect(session.session_id).toBe(session_id);
    expect(session.data.planted).toBe(update.status === "fulfilled" ? true : undefined);
  });

  test("the last address of each identity is exported, and a message without an address changes none", async () => {
    const store = await desk(make);
    await annasSession(store);
    await store.hear(
      said("whatsapp", { whatsapp_user_id }, "w2", { address: { to: "another number of ours" } }),
      minute(0),
    );
    await store.hear(said("web", { phone }, "w3", { address: {} }), minute(1));
    const page = await store.privacy.export(
      { session_id: (await begin(store, 1, { phone }, minute(2))).session_id },
      undefined,
      9,
      "me",
      minute(2),
    );
    expect(page.sessions[0]!.addresses).toEqual([
      { channel: "telegram", account: "bot-1", address: { to: "telegram address" }, used_at: minute(-7) },
      {
        channel: "whatsapp",
        account: "number-1",
        address: { to: "another number of ours" },
        used_at: minute(0),
      },
      { channel: "whatsapp", account: "number-1", address: { to: "whatsapp address" }, used_at: minute(-10) },
    ]);
  });
}
