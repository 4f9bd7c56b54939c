import { expect, test } from "vitest";
import { anna, desk, hash, type Make, minute, said } from "./given.ts";
import { annasSession, askCode, begin, expectToken } from "./proving.ts";

const { phone, telegram_chat_id, whatsapp_user_id } = anna;
const gone = { code: "session_not_found" };

/** The devices of a session, and unlinking identities. */
export function devices(make: Make): void {
  test("each device is listed with its channel and last use, for its owner and for operators", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { phone }, minute(0));
    await begin(store, 2, { phone }, minute(1), { channel: "kiosk" });
    await store.sessions.update({ token_hash: hash(1) }, { data: {} }, minute(5));
    const list = await store.proofs.devices({ token_hash: hash(2) }, minute(5));
    expect(list).toEqual([
      {
        device_id: expect.any(String),
        channel: "web",
        created_at: minute(0),
        last_used_at: minute(5),
        current: false,
      },
      {
        device_id: expect.any(String),
        channel: "kiosk",
        created_at: minute(1),
        last_used_at: minute(5),
        current: true,
      },
    ]);
    expect(list[0]!.device_id).not.toBe(list[1]!.device_id);
    const seen = await store.proofs.devices({ session_id }, minute(5));
    expect(seen).toEqual(list.map((device) => ({ ...device, current: false })));
    await expect(store.proofs.devices({ token_hash: hash(9) }, minute(5))).rejects.toMatchObject(gone);
  });

  test("the last use is recorded to 15 seconds, at a kiosk to a second", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone }, minute(0));
    await begin(store, 2, { phone }, minute(0), { channel: "kiosk" });
    const seconds = async (at: number) => {
      for (const seed of [1, 2]) await store.sessions.update({ token_hash: hash(seed) }, {}, minute(at / 60));
      const { session_id } = await store.sessions.messages({ token_hash: hash(1) }, 0, 1, minute(0));
      const list = await store.proofs.devices({ session_id }, minute(at / 60));
      return Object.fromEntries(
        list.map(({ channel, last_used_at }) => [
          channel,
          (last_used_at.getTime() - minute(0).getTime()) / 1000,
        ]),
      );
    };
    expect(await seconds(0.5)).toEqual({ web: 0, kiosk: 0 });
    expect(await seconds(14)).toEqual({ web: 0, kiosk: 14 });
    expect(await seconds(15)).toEqual({ web: 15, kiosk: 15 });
  });

  test("a device revokes another device of its session, or itself, and no device of another session", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone }, minute(0));
    await begin(store, 2, { phone }, minute(1));
    await begin(store, 3, { telegram_chat_id }, minute(2));
    const [first, second] = await store.proofs.devices({ token_hash: hash(1) }, minute(3));
    const revoke = (seed: number, device_id: string) =>
      store.proofs.revokeDevice({ token_hash: hash(seed) }, device_id, minute(4));
    expect(await revoke(3, second!.device_id)).toBeUndefined();
    expect(await revoke(1, second!.device_id)).toBe(hash(2));
    expect(await revoke(1, second!.device_id)).toBeUndefined();
    await expectToken(store, hash(2), undefined, minute(5));
    expect(await revoke(1, first!.device_id)).toBe(hash(1));
    await expect(revoke(1, first!.device_id)).rejects.toMatchObject(gone);
    const { session } = await store.hear(said("kiosk", { phone }, "1"), minute(6));
    expect(session.status).toBe("active");
  });

  test("a kiosk's token ends without use, and reading is no use", async () => {
    const store = await desk(make, { kioskIdleMs: 120_000 });
    const { session_id } = await begin(store, 1, { phone }, minute(0), { channel: "kiosk" });
    await begin(store, 2, { phone }, minute(0));
    await store.hear(said("kiosk", { token_hash: hash(1) }, "1"), minute(1));
    await expectToken(store, hash(1), session_id, minute(2.5));
    await store.sessions.restore({ token_hash: hash(1) }, "kiosk", minute(2.75));
    await expectToken(store, hash(1), session_id, minute(4.5));
    await expectToken(store, hash(1), undefined, minute(4.75));
    await expect(store.sessions.update({ token_hash: hash(1) }, {}, minute(4.75))).rejects.toMatchObject(
      gone,
    );
    await expect(store.hear(said("kiosk", { token_hash: hash(1) }, "2"), minute(5))).rejects.toMatchObject(
      gone,
    );
    await expect(store.sessions.end(hash(1), minute(5))).rejects.toMatchObject(gone);
    expect(await store.proofs.devices({ session_id }, minute(5))).toMatchObject([{ channel: "web" }]);
    await expectToken(store, hash(2), session_id, minute(60));
  });

  test("when a message merges sessions, all their tokens end and each device must prove again", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone }, minute(0));
    await begin(store, 2, { telegram_chat_id }, minute(1));
    const { session } = await store.hear(said("telegram", { telegram_chat_id, phone }, "1"), minute(2));
    for (const seed of [1, 2]) await expectToken(store, hash(seed), undefined, minute(3));
    expect(await store.proofs.devices({ session_id: session.session_id }, minute(3))).toEqual([]);
  });

  test("an unlinked identity opens another session, and gets no more messages of the first", async () => {
    const store = await desk(make);
    const { session } = await annasSession(store);
    const { session: unlinked, removed } = await store.proofs.unlink(
      hash(901),
      "telegram_chat_id",
      minute(0),
    );
    expect(removed).toEqual({ kind: "telegram_chat_id", value: telegram_chat_id });
    expect(unlinked).toMatchObject({ session_id: session.session_id, phone, version: session.version + 1 });
    expect(unlinked.telegram_chat_id).toBeUndefined();
    expect(await askCode(store, phone, "123456", minute(1))).toMatchObject([{ channel: "whatsapp" }]);
    const other = await store.hear(said("telegram", { telegram_chat_id }, "t9"), minute(2));
    expect(other.session.session_id).not.toBe(session.session_id);
    await expectToken(store, hash(901), session.session_id, minute(3));
    const again = await store.proofs.unlink(hash(901), "telegram_chat_id", minute(4));
    expect(again.session.version).toBe(unlinked.version);
    expect(again.removed).toBeUndefined();
  });

  test("the last identity can be unlinked, and so can a claimed one", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone }, minute(0), { channel: "kiosk", claimed: true });
    const { session: bare } = await store.proofs.unlink(hash(1), "phone", minute(1));
    expect(bare.phone).toBeUndefined();
    expect(bare.phone_verified).toBeUndefined();
    await expectToken(store, hash(1), bare.session_id, minute(2));
    const { session } = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "w1"), minute(3));
    expect(session.session_id).not.toBe(bare.session_id);
  });
}
