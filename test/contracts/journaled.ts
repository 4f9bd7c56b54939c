import { expect, test } from "vitest";
import { anna, DAY, day, desk, hash, type Make, MINUTE, minute, reply, said } from "./given.ts";

/** How a store takes messages from the journal, which arrived earlier. */
export function journaled(make: Make): void {
  test("a message keeps its time of arrival, and its turn's lease begins now", async () => {
    const store = await desk(make);
    const late = { came_at: minute(1) };
    const { message, session, turn } = await store.hear(
      said("whatsapp", { phone: anna.phone }, "w1", late),
      minute(60),
    );
    expect(message).toMatchObject({ created_at: minute(1) });
    expect(session).toMatchObject({ created_at: minute(1), last_activity: minute(1) });
    expect(session.expires_at.getTime()).toBe(minute(1).getTime() + 7 * DAY);
    expect(turn).toMatchObject({ attempt: 1 });
    expect((await store.conversations.due(new Date(minute(61).getTime() - 1), 9)).turns).toEqual([]);
    expect((await store.conversations.due(minute(61), 9)).turns).toMatchObject([{ attempt: 2 }]);
  });

  test("a message that came before its session expired is part of it", async () => {
    const store = await desk(make);
    const { session_id, expires_at } = await store.sessions.start(
      { identities: { visitor_id: "v" }, channel: "web", token_hash: hash(1) },
      minute(1),
    );
    const came_at = new Date(expires_at.getTime() - MINUTE);
    const now = new Date(expires_at.getTime() + MINUTE);
    for (const from of [{ token_hash: hash(1) }, { session_id }, { visitor_id: "v" }]) {
      const id = Object.keys(from)[0]!;
      const { session } = await store.hear(said("web", from, id, { came_at }), now);
      expect(session.session_id).toBe(session_id);
    }
  });

  test("a message that came before its session expired is part of it even if it was marked as expired since", async () => {
    const store = await desk(make);
    const { phone } = anna;
    const web = { identities: { phone }, channel: "web" };
    const first = await store.sessions.start({ ...web, token_hash: hash(1) }, minute(1));
    const { session_id, expires_at } = first;
    const now = new Date(expires_at.getTime() + MINUTE);
    const next = await store.sessions.start({ ...web, token_hash: hash(2) }, now);
    expect(next.previous_session_id).toBe(session_id);

    const came_at = new Date(expires_at.getTime() - MINUTE);
    for (const [id, from] of [["t", { token_hash: hash(1) }] as const, ["s", { session_id }] as const]) {
      const message = said("web", from, id, { came_at });
      const heard = await store.hear(message, now);
      expect(heard).toMatchObject({ duplicate: false, message: { created_at: came_at } });
      expect(heard.session).toMatchObject({ session_id, status: "expired" });
      expect(heard.turn).toMatchObject({ message: { external_id: id } });
      expect(await store.hear(message, now)).toMatchObject({ duplicate: true, session: { session_id } });
      const { stale, messages } = await store.conversations.complete(heard.turn!, [reply("Hi", [])], now);
      expect({ stale, sessions: messages.map((reply) => reply.session_id) }).toEqual({
        stale: false,
        sessions: [session_id],
      });
      for (const late of [{}, { came_at: day(20) }])
        await expect(store.hear(said("web", from, `${id}-late`, late), day(30))).rejects.toMatchObject({
          code: "session_expired",
        });
    }
    expect(await store.sessions.restore({ token_hash: hash(2) }, undefined, now)).toMatchObject({
      session_id: next.session_id,
      status: "active",
    });
  });

  test("a late message moves no time back", async () => {
    const store = await desk(make);
    const { sessions } = store;
    await sessions.start(
      { identities: { phone: anna.phone }, channel: "web", token_hash: hash(1) },
      minute(1),
    );
    const { last_activity, expires_at, updated_at } = await sessions.restore(
      { token_hash: hash(1) },
      undefined,
      minute(50),
    );
    const late = { last_activity, expires_at, updated_at };
    expect(await sessions.update({ token_hash: hash(1) }, { data: { a: 1 } }, minute(20))).toMatchObject(
      late,
    );
    expect(await sessions.restore({ token_hash: hash(1) }, "kiosk", minute(30))).toMatchObject(late);
    const heard = await store.hear(
      said("whatsapp", { phone: anna.phone }, "w", { came_at: minute(2) }),
      minute(60),
    );
    expect(heard.session).toMatchObject({ last_activity, expires_at });
  });

  test("all messages of a waiting webhook are stored together, each with its own time", async () => {
    const store = await desk(make);
    const results = await store.conversations.receive(
      ["w1", "w2", "w1"].map((id, i) => ({
        type: "message" as const,
        message: said("whatsapp", { phone: anna.phone }, id, { came_at: minute(i + 1) }),
      })),
      minute(60),
    );
    expect(results.map((result) => result.type === "message" && result.duplicate)).toEqual([
      false,
      false,
      true,
    ]);
    expect(results.flatMap(({ message }) => message?.created_at ?? [])).toEqual([
      minute(1),
      minute(2),
      minute(1),
    ]);
    expect(results.filter(({ turn }) => turn)).toHaveLength(1);
  });
}
