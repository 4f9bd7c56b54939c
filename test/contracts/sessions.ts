import { expect, test } from "vitest";
import { anna, ben, day, desk, hash, type Make, minute, said } from "./given.ts";

const { phone, visitor_id, telegram_chat_id } = anna;

export function sessions(make: Make): void {
  test("a start opens a session, and the next one of the same identity finds it", async () => {
    const store = await desk(make);
    const first = await store.sessions.start(
      { identities: { phone }, channel: "web", data: { cart: [], note: "a" }, token_hash: hash(1) },
      minute(0),
    );
    expect(first).toMatchObject({ phone, channel: "web", channels: ["web"], version: 1, message_count: 0 });
    const second = await store.sessions.start(
      { identities: { phone }, channel: "kiosk", data: { note: null, cart: [7] }, token_hash: hash(2) },
      minute(1),
    );
    expect(second).toMatchObject({
      session_id: first.session_id,
      channels: ["web", "kiosk"],
      data: { cart: [7] },
      version: 2,
      expires_at: new Date(minute(1).getTime() + 7 * 86_400_000),
    });
    expect(second.data).not.toHaveProperty("note");
  });

  test("customers 103 and 104 with different phones are two rows, their ids text", async () => {
    const store = await desk(make);
    const start = (of: string, customer_id: string, seed: number) =>
      store.sessions.start(
        { identities: { phone: of }, channel: "kiosk", customer_id, token_hash: hash(seed) },
        minute(0),
      );
    const one = await start(phone, "103", 1);
    const two = await start(ben.phone, "104", 2);
    expect(one.session_id).not.toBe(two.session_id);
    expect([one.customer_id, two.customer_id]).toEqual(["103", "104"]);
    const leading = await start("+4915112345603", "007", 3);
    expect(leading.customer_id).toBe("007");
  });

  test("a start without an identity gives a session that only its token opens", async () => {
    const store = await desk(make);
    const one = await store.sessions.start(
      { identities: {}, channel: "web", token_hash: hash(1) },
      minute(0),
    );
    const two = await store.sessions.start(
      { identities: {}, channel: "web", token_hash: hash(2) },
      minute(0),
    );
    expect(one.session_id).not.toBe(two.session_id);
    expect(await store.sessions.restore({ token_hash: hash(2) }, undefined, minute(1))).toMatchObject({
      session_id: two.session_id,
    });
  });

  test("a start repeated with its token has one session and one token", async () => {
    const store = await desk(make);
    const start = { identities: { visitor_id }, channel: "web", token_hash: hash(1) };
    const one = await store.sessions.start(start, minute(0));
    const two = await store.sessions.start(start, minute(1));
    expect(two.session_id).toBe(one.session_id);
    expect((await store.sessions.end(hash(1), minute(2))).token_hashes).toEqual([hash(1)]);
  });

  test("a restore slides the session, appends the channel and leaves the version", async () => {
    const store = await desk(make);
    const opened = await store.sessions.start(
      { identities: { phone }, channel: "web", token_hash: hash(1) },
      day(0),
    );
    const restored = await store.sessions.restore({ token_hash: hash(1) }, "kiosk", day(6));
    expect(restored).toEqual({
      ...opened,
      channels: ["web", "kiosk"],
      last_activity: day(6),
      updated_at: day(6),
      expires_at: day(13),
    });
    expect((await store.sessions.restore({ token_hash: hash(1) }, undefined, day(6))).channels).toEqual([
      "web",
      "kiosk",
    ]);
  });

  test("a restore by identities uses the strongest and gives the device its token", async () => {
    const store = await desk(make);
    const opened = await store.sessions.start(
      { identities: { phone }, channel: "web", token_hash: hash(1) },
      minute(0),
    );
    const identities = { telegram_chat_id, phone };
    const by = await store.sessions.restore({ token_hash: hash(2), identities }, "telegram", minute(1));
    expect(by).toMatchObject({ session_id: opened.session_id, channels: ["web", "telegram"] });
    expect(by.telegram_chat_id).toBeUndefined();
    expect((await store.sessions.restore({ token_hash: hash(2) }, undefined, minute(2))).session_id).toBe(
      by.session_id,
    );
    await expect(
      store.sessions.restore({ token_hash: hash(3), identities: { phone: ben.phone } }, "web", minute(2)),
    ).rejects.toMatchObject({ code: "session_not_found" });
    await expect(
      store.sessions.restore({ token_hash: hash(3), identities: { phone } }, "web", day(30)),
    ).rejects.toMatchObject({ code: "session_not_found" });
  });

  test("an update merges patches, moves the version and slides", async () => {
    const store = await desk(make);
    const data = { cart: { items: [1, 2], coupon: "X" }, keep: true };
    await store.sessions.start({ identities: { phone }, channel: "web", data, token_hash: hash(1) }, day(0));
    const updated = await store.sessions.update(
      { token_hash: hash(1) },
      {
        data: { cart: { coupon: null, items: [3] }, added: { deep: { er: 1, gone: null } } },
        metadata: { agent: "kiosk 7" },
        language: "de",
        channel: "kiosk",
      },
      day(1),
    );
    expect(updated).toMatchObject({
      metadata: { agent: "kiosk 7" },
      language: "de",
      channels: ["web", "kiosk"],
      version: 2,
      expires_at: day(8),
    });
    expect(updated.data).toEqual({ cart: { items: [3] }, keep: true, added: { deep: { er: 1 } } });
    const again = await store.sessions.update({ token_hash: hash(1) }, { data: { cart: 5 } }, day(1));
    expect(again.data).toEqual({ cart: 5, keep: true, added: { deep: { er: 1 } } });
    expect(await store.sessions.update({ token_hash: hash(1) }, { channel: "web" }, day(2))).toMatchObject({
      version: 3,
    });
  });

  test("an update of an old version changes nothing", async () => {
    const store = await desk(make);
    await store.sessions.start({ identities: { phone }, channel: "web", token_hash: hash(1) }, day(0));
    await store.sessions.update({ token_hash: hash(1) }, { data: { a: 1 }, if_version: 1 }, day(1));
    const late = {
      data: { a: 2 },
      message: { text: "no", role: "user" },
      channel: "kiosk",
    } as const;
    for (const if_version of [0, 1, 999_999_999_999_999])
      await expect(
        store.sessions.update({ token_hash: hash(1) }, { ...late, if_version }, day(2)),
      ).rejects.toMatchObject({
        code: "version_conflict",
      });
    const { session, turn } = await store.hear(said("web", { phone }, "1"), day(3));
    expect(session).toMatchObject({ data: { a: 1 }, version: 2, channels: ["web"], message_count: 1 });
    expect(turn?.history).toEqual([]);
  });

  test("64 KB of data with any key comes back as it was", async () => {
    const store = await desk(make);
    const entries = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [`ключ ${i} "'$.{},`, "ß👋".repeat(20)]),
    );
    const data = {
      ...entries,
      "": 0,
      a: [{ b: [null, false, 1.5, -1e-7, 1e21, ""] }],
      constructor: { name: "x" },
    };
    const { data: kept } = await store.sessions.start(
      { identities: { phone }, channel: "web", data, token_hash: hash(1) },
      minute(0),
    );
    expect(Buffer.byteLength(JSON.stringify(data))).toBeGreaterThan(64 * 1024);
    expect(kept).toEqual(data);
    const without = await store.sessions.update({ token_hash: hash(1) }, { data: { "": null } }, minute(1));
    expect(Object.keys(without.data)).not.toContain("");
  });

  test("a key called __proto__ is stored like any other key", async () => {
    const store = await desk(make);
    const data = JSON.parse('{"__proto__": {"admin": true}, "a": 1}');
    await store.sessions.start(
      { identities: { phone }, channel: "web", data, token_hash: hash(1) },
      minute(0),
    );
    const session = await store.sessions.update({ token_hash: hash(1) }, { data: { b: 2 } }, minute(1));
    expect(JSON.parse(JSON.stringify(session.data))).toEqual(
      JSON.parse('{"__proto__": {"admin": true}, "a": 1, "b": 2}'),
    );
    expect((session.data as Record<string, unknown>).admin).toBeUndefined();
  });

  test("an update's message is in the history once, and gets no turn", async () => {
    const store = await desk(make);
    const { session_id } = await store.sessions.start(
      { identities: { phone }, channel: "web", token_hash: hash(1) },
      minute(0),
    );
    const message = { text: "typed", role: "user", external_id: "m1" } as const;
    await store.sessions.update({ token_hash: hash(1) }, { message }, minute(1));
    const session = await store.sessions.update({ token_hash: hash(1) }, { message }, minute(2));
    expect(session).toMatchObject({ message_count: 1, version: 1 });
    const answer = { text: "said", role: "assistant" } as const;
    await store.sessions.update({ session_id }, { message: answer, channel: "kiosk" }, minute(3));
    expect(await store.history(session_id)).toMatchObject([
      { channel: "web", direction: "inbound", role: "user", text: "typed", kind: "text", external_id: "m1" },
      { channel: "kiosk", direction: "outbound", role: "assistant", text: "said", status: "sent" },
    ]);
    expect((await store.conversations.due(day(1), 10)).turns).toEqual([]);
  });

  test("a message by token is stored on the token's own channel, and refused on another one", async () => {
    const store = await desk(make);
    const { session_id } = await store.sessions.start(
      { identities: { phone }, channel: "web", token_hash: hash(1) },
      minute(0),
    );
    const kiosk = { identities: { phone }, channel: "kiosk", token_hash: hash(2) };
    const { version } = await store.sessions.start(kiosk, minute(1));
    const message = { text: "typed", role: "user" } as const;
    const elsewhere = { message, data: { a: 1 }, channel: "web" };
    await expect(store.sessions.update({ token_hash: hash(2) }, elsewhere, minute(2))).rejects.toMatchObject({
      code: "forbidden",
    });
    expect(await store.history(session_id)).toEqual([]);
    await store.sessions.update({ token_hash: hash(2) }, { message }, minute(3));
    await store.sessions.update({ token_hash: hash(2) }, { message, channel: "kiosk" }, minute(4));
    expect(await store.history(session_id)).toMatchObject([{ channel: "kiosk" }, { channel: "kiosk" }]);
    const moved = await store.sessions.update({ token_hash: hash(2) }, { channel: "web" }, minute(5));
    expect(moved).toMatchObject({ data: {}, version });
  });
}
