import { expect, test } from "vitest";
import { textOf } from "../../src/core/messages/content.ts";
import { anna, ben, DAY, day, desk, hash, type Make, minute, said, sentence } from "./given.ts";
import { begin } from "./proving.ts";

export function opening(make: Make): void {
  test("a first message opens a session with all identities that it proves", async () => {
    const store = await desk(make);
    const { phone, whatsapp_user_id } = anna;
    const { session, message, duplicate, turn } = await store.hear(
      said("whatsapp", { phone, whatsapp_user_id }, "w1", { sent_at: day(-1) }),
      day(0),
    );
    expect(duplicate).toBe(false);
    expect(session).toEqual({
      session_id: expect.stringMatching(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/),
      phone,
      whatsapp_user_id,
      channel: "whatsapp",
      channels: ["whatsapp"],
      status: "active",
      language: "en",
      data: {},
      metadata: {},
      version: 1,
      message_count: 1,
      created_at: day(0),
      updated_at: day(0),
      last_activity: day(0),
      expires_at: day(7),
    });
    expect(message).toEqual({
      message_id: expect.any(String),
      session_id: session.session_id,
      seq: expect.any(Number),
      channel: "whatsapp",
      external_id: "w1",
      direction: "inbound",
      role: "user",
      kind: "text",
      text: "text of w1",
      content: { kind: "text", text: "text of w1" },
      sent_at: day(-1),
      created_at: day(0),
    });
    expect(turn).toEqual({
      turn_id: expect.any(String),
      attempt: 1,
      session,
      customer: { plan: "basic", tags: [], attributes: {}, profile: {} },
      message,
      messages: [message],
      channel: "whatsapp",
      account: "number-1",
      address: { to: "whatsapp address" },
      history: [],
    });
  });

  test("a turn has the customer's profile: the first messenger names them, others add to it", async () => {
    const store = await desk(make);
    const { phone, telegram_chat_id } = anna;
    const ada = { name: "Ada", language: "de" };
    const first = await store.ask(said("whatsapp", { phone }, "1", { profile: { name: "Ada" } }), minute(0));
    expect(first.customer).toEqual({
      name: "Ada",
      plan: "basic",
      tags: [],
      attributes: {},
      profile: { name: "Ada", channel: "whatsapp" },
    });
    await store.conversations.complete(first, [], minute(1));
    const other = { profile: { name: "A. L.", username: "ada", language: "de" } };
    const second = await store.ask(said("telegram", { telegram_chat_id, phone }, "2", other), minute(2));
    expect(second.customer).toMatchObject({
      name: "Ada",
      profile: { ...ada, username: "ada", channel: "whatsapp" },
    });
    await store.conversations.complete(second, [], minute(3));
    const third = await store.ask(
      said("whatsapp", { phone }, "3", { profile: { name: "Lady Ada" } }),
      minute(5),
    );
    expect(third.customer).toMatchObject({
      name: "Lady Ada",
      profile: { username: "ada", channel: "whatsapp" },
    });
    await store.conversations.complete(third, [], minute(5));
    const again = await store.ask(
      said("whatsapp", { phone }, "4", { profile: { name: "Ada K." } }),
      minute(5),
    );
    expect(again.customer).toMatchObject({ name: "Ada K." });
  });

  test("joined customers of two messengers keep the older one's name", async () => {
    const store = await desk(make);
    const { phone, telegram_chat_id } = anna;
    await store.hear(
      said("telegram", { telegram_chat_id }, "1", { profile: { name: "Ada", username: "ada" } }),
      minute(0),
    );
    await store.hear(said("whatsapp", { phone }, "2", { profile: { name: "A. L." } }), minute(1));
    const { session, turn } = await store.hear(said("telegram", { telegram_chat_id, phone }, "3"), minute(2));
    expect(session).toMatchObject({ telegram_chat_id, phone });
    for (const next of [turn, ...(await store.conversations.due(minute(9), 9)).turns])
      if (next)
        expect(next.customer).toMatchObject({
          name: "Ada",
          profile: { username: "ada", channel: "telegram" },
        });
    expect((await store.conversations.due(minute(19), 9)).turns).toHaveLength(1);
  });

  test("all channels of the same identity share a session, each listed once in order", async () => {
    const store = await desk(make);
    const { phone, telegram_chat_id } = anna;
    const first = await store.hear(said("web", { phone }, "1"), minute(0));
    await store.hear(said("kiosk", { phone }, "2"), minute(1));
    await store.hear(said("whatsapp", { phone, whatsapp_user_id: anna.whatsapp_user_id }, "3"), minute(2));
    await store.hear(said("telegram", { telegram_chat_id, phone }, "4"), minute(3));
    await store.hear(said("kiosk", { phone }, "5"), minute(4));
    const last = await store.hear(said("telegram", { telegram_chat_id }, "6"), minute(5));
    expect(last.session).toMatchObject({
      session_id: first.session.session_id,
      channel: "web",
      channels: ["web", "kiosk", "whatsapp", "telegram"],
      message_count: 6,
      phone,
      telegram_chat_id,
      whatsapp_user_id: anna.whatsapp_user_id,
    });
    expect(await store.texts(first.session.session_id)).toEqual(
      ["1", "2", "3", "4", "5", "6"].map((id) => `text of ${id}`),
    );
  });

  test("expiry slides with each message, and the first message after a week opens a new session", async () => {
    const store = await desk(make);
    const { phone } = anna;
    const token_hash = hash(1);
    const opened = await store.sessions.start({ identities: { phone }, channel: "web", token_hash }, day(0));
    expect(opened.expires_at).toEqual(day(7));
    const third = await store.hear(said("kiosk", { phone }, "k1"), day(3));
    expect(third.session).toMatchObject({ session_id: opened.session_id, expires_at: day(10) });
    const sixth = await store.hear(said("whatsapp", { phone }, "w1"), day(6));
    expect(sixth.session).toMatchObject({ session_id: opened.session_id, expires_at: day(13) });
    await expect(store.sessions.restore({ token_hash }, "web", day(13))).rejects.toMatchObject({
      code: "session_expired",
    });
    const { session } = await store.hear(said("whatsapp", { phone }, "w2"), day(13));
    expect(session.session_id).not.toBe(opened.session_id);
    expect(session).toMatchObject({ channels: ["whatsapp"], message_count: 1, created_at: day(13) });
    expect(await store.texts(opened.session_id)).toEqual(["text of k1", "text of w1"]);
    await expect(store.sessions.restore({ token_hash }, "web", day(13))).rejects.toMatchObject({
      code: "session_expired",
    });
  });

  test("a session is active until its last millisecond", async () => {
    const store = await desk(make);
    const { phone } = anna;
    const { session } = await store.hear(said("web", { phone }, "1"), day(0));
    const last = new Date(day(7).getTime() - 1);
    expect((await store.hear(said("web", { phone }, "2"), last)).session).toMatchObject({
      session_id: session.session_id,
      expires_at: new Date(last.getTime() + 7 * DAY),
    });
  });

  test("different identities never share a session", async () => {
    const store = await desk(make);
    const one = await store.hear(said("web", { visitor_id: anna.visitor_id }, "same id"), minute(0));
    const two = await store.hear(said("web", { visitor_id: ben.visitor_id }, "same id"), minute(0));
    expect(two.duplicate).toBe(false);
    expect(two.session.session_id).not.toBe(one.session.session_id);
  });

  test("a webhook of several people is stored at once, with results in its order", async () => {
    const store = await desk(make);
    const results = await store.conversations.receive(
      [
        { type: "message", message: said("whatsapp", { phone: ben.phone }, "b1") },
        { type: "message", message: said("whatsapp", { phone: anna.phone }, "a1") },
        {
          type: "receipt",
          receipt: { channel: "whatsapp", account: "number-1", external_id: "x", status: "read" },
        },
        { type: "message", message: said("whatsapp", { phone: ben.phone }, "b2") },
      ],
      minute(0),
    );
    expect(results).toMatchObject([
      { type: "message", message: { external_id: "b1" }, session: { phone: ben.phone, message_count: 1 } },
      { type: "message", message: { external_id: "a1" }, session: { phone: anna.phone } },
      { type: "receipt", applied: false },
      { type: "message", message: { external_id: "b2" }, session: { phone: ben.phone, message_count: 2 } },
    ]);
    expect(results.map((result) => "turn" in result)).toEqual([true, true, false, false]);
  });

  test("an empty webhook changes nothing", async () => {
    const store = await desk(make);
    expect(await store.conversations.receive([], minute(0))).toEqual([]);
  });

  test("a message can name its session by id or by token", async () => {
    const store = await desk(make);
    const token_hash = hash(1);
    const identities = { visitor_id: anna.visitor_id };
    const { session_id } = await store.sessions.start({ identities, channel: "web", token_hash }, minute(0));
    const byToken = await store.hear(said("web", { token_hash }, "1"), minute(1));
    const byId = await store.hear(said("kiosk", { session_id }, "2"), minute(2));
    expect(byToken.session.session_id).toBe(session_id);
    expect(byId.session).toMatchObject({ session_id, channels: ["web", "kiosk"], message_count: 2 });
  });

  test("a message that names no active session is refused, with its whole webhook", async () => {
    const store = await desk(make);
    const nobody = { session_id: "00000000-0000-4000-8000-000000000000" };
    await expect(store.hear(said("web", nobody, "1"), minute(0))).rejects.toMatchObject({
      code: "session_not_found",
    });
    await expect(store.hear(said("web", { token_hash: hash(9) }, "1"), minute(0))).rejects.toMatchObject({
      code: "session_not_found",
    });
    const { session } = await store.hear(said("web", { phone: anna.phone }, "1"), day(0));
    await expect(store.hear(said("web", session, "2"), day(7))).rejects.toMatchObject({
      code: "session_expired",
    });
    const both = [said("kiosk", { phone: ben.phone }, "3"), said("web", nobody, "4")];
    const kept = both.map((message) => ({ type: "message" as const, message }));
    await expect(store.conversations.receive(kept, day(0))).rejects.toMatchObject({
      code: "session_not_found",
    });
    expect((await store.hear(both[0]!, day(0))).duplicate).toBe(false);
  });

  test("a redelivered message of an ended session is still a duplicate", async () => {
    const store = await desk(make);
    const { session, message } = await store.hear(said("telegram", { phone: anna.phone }, "1"), day(0));
    const again = await store.hear(said("telegram", { session_id: session.session_id }, "1"), day(8));
    expect(again).toMatchObject({ duplicate: true, message: { message_id: message.message_id } });
  });

  test("a message sees the effect of earlier events of its webhook", async () => {
    const store = await desk(make);
    await begin(store, 1, { visitor_id: anna.visitor_id }, minute(0));
    const proof = said("whatsapp", { visitor_id: anna.visitor_id, phone: anna.phone }, "1");
    const kept = [proof, said("web", { token_hash: hash(1) }, "2")].map((message) => ({
      type: "message" as const,
      message,
    }));
    await expect(store.conversations.receive(kept, minute(1))).rejects.toMatchObject({
      code: "session_not_found",
    });
    expect((await store.hear(proof, minute(2))).duplicate).toBe(false);
  });

  test("every kind of content is returned unchanged, with text for a bot", async () => {
    const store = await desk(make);
    for (const [i, content] of sentence.entries()) {
      const { message } = await store.hear(
        said("telegram", { phone: anna.phone }, `${i}`, { content }),
        minute(i),
      );
      expect(message).toMatchObject({ kind: content.kind, text: textOf(content) });
      expect(message.content).toEqual(content);
    }
    const { session } = await store.hear(said("web", { phone: anna.phone }, "last"), minute(30));
    const kept = await store.history(session.session_id);
    expect(kept.slice(0, -1).map((message) => message.content)).toEqual(sentence);
  });

  test("text of any script, emoji and 64 KB is stored unchanged", async () => {
    const store = await desk(make);
    const words = `${"Grüße, 世界 👩‍👩‍👧 שלום \u{10FFFF} \t\r\n\\u0041 ' \" $1 %s ".repeat(1300)}end`;
    const content = { kind: "text", text: words } as const;
    const { message, session } = await store.hear(
      said("web", { phone: anna.phone }, "🙂", { content }),
      minute(0),
    );
    expect(message).toMatchObject({ text: words, external_id: "🙂" });
    const [kept] = await store.history(session.session_id);
    expect(kept?.content).toEqual(content);
  });

  test("a message that wakes no bot is stored without a turn", async () => {
    const store = await desk(make);
    const quiet = await store.hear(said("telegram", { phone: anna.phone }, "1", { wakes: false }), minute(0));
    expect(quiet.turn).toBeUndefined();
    expect(quiet.session.message_count).toBe(1);
    expect(await store.conversations.due(day(1), 10)).toEqual({ turns: [], deliveries: [] });
  });

  test("an answer holds the id of a stored message, else the platform's id", async () => {
    const store = await desk(make);
    const { phone } = anna;
    const delivery = await store.answered(
      said("whatsapp", { phone }, "w1"),
      [{ content: sentence[0] as never, parts: [{ kind: "text", text: "words" }] }],
      minute(0),
    );
    await store.settleAs(delivery, { external_id: "ours" }, minute(1));
    const [asked] = await store.history(delivery.session_id);
    const replyTo = async (external_id: string, reply_to: string) =>
      (await store.hear(said("whatsapp", { phone }, external_id, { reply_to }), minute(2))).message.reply_to;
    expect(await replyTo("w2", "w1")).toBe(asked?.message_id);
    expect(await replyTo("w3", "ours")).toBe(delivery.message_id);
    expect(await replyTo("w4", "unheard of")).toBe("unheard of");
  });
}
