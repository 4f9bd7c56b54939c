import { expect, test } from "vitest";
import { anna, day, desk, hash, type Make, minute, reply, said } from "./given.ts";

const { phone, telegram_chat_id, visitor_id } = anna;

/** A session's messages, as devices and operators read them. */
export function history(make: Make): void {
  test("messages are paged in order, from the cursor of the page before", async () => {
    const store = await desk(make);
    const token_hash = hash(1);
    const { session_id } = await store.sessions.start(
      { identities: { phone }, channel: "web", token_hash },
      minute(0),
    );
    expect(await store.sessions.messages({ token_hash }, 0, 2, minute(0))).toEqual({
      session_id,
      messages: [],
      cursor: 0,
      more: false,
      epoch: expect.any(String),
    });
    for (let i = 1; i <= 5; i++) await store.hear(said("web", { phone }, `${i}`), minute(i));
    const pages: string[][] = [];
    let after = 0;
    for (let more = true; more; ) {
      const page = await store.sessions.messages({ token_hash }, after, 2, minute(9));
      pages.push(page.messages.map(({ external_id }) => external_id!));
      expect(page.cursor).toBe(page.messages.at(-1)?.seq);
      ({ cursor: after, more } = page);
    }
    expect(pages).toEqual([["1", "2"], ["3", "4"], ["5"]]);
    const beyond = await store.sessions.messages({ token_hash }, after, 2, minute(9));
    expect(beyond).toEqual({
      session_id,
      messages: [],
      cursor: after,
      more: false,
      epoch: expect.any(String),
    });
    const { turn } = await store.hear(said("web", { phone }, "1"), day(1));
    await store.conversations.complete(turn!, [reply("new", [])], day(1));
    expect((await store.sessions.messages({ token_hash }, after, 2, day(1))).messages).toMatchObject([
      { text: "new" },
    ]);
  });

  test("the epoch changes only when the session merges, because earlier messages come with it", async () => {
    const store = await desk(make);
    const { session: older } = await store.hear(said("web", { phone }, "1"), minute(0));
    await store.hear(said("telegram", { telegram_chat_id }, "2"), minute(1));
    await store.hear(said("web", { phone }, "3"), minute(2));
    const { session_id } = older;
    const read = (after: number) => store.sessions.messages({ session_id }, after, 9, minute(3));
    const { epoch, cursor } = await read(0);
    expect((await read(cursor)).epoch).toBe(epoch);
    await store.hear(said("web", { phone, telegram_chat_id }, "4"), minute(3));
    const merged = await read(cursor);
    expect(merged.messages.map(({ external_id }) => external_id)).toEqual(["4"]);
    expect([merged.session_id, merged.epoch === epoch]).toEqual([session_id, false]);
    expect((await read(0)).messages.map(({ external_id }) => external_id)).toEqual(["1", "2", "3", "4"]);
    expect((await read(0)).epoch).toBe(merged.epoch);
  });

  test("messages are read by session_id in any state, by token only while the session is active", async () => {
    const store = await desk(make);
    const token_hash = hash(1);
    const identities = { visitor_id };
    const { session_id } = await store.sessions.start({ identities, channel: "web", token_hash }, day(0));
    await store.hear(said("web", { session_id }, "1"), day(0));
    await expect(store.sessions.messages({ token_hash }, 0, 9, day(7))).rejects.toMatchObject({
      code: "session_expired",
    });
    expect((await store.sessions.messages({ session_id }, 0, 9, day(7))).messages).toHaveLength(1);
    await store.sessions.end(token_hash, day(1));
    await expect(store.sessions.messages({ token_hash }, 0, 9, day(1))).rejects.toMatchObject({
      code: "session_not_found",
    });
    expect((await store.sessions.messages({ session_id }, 0, 9, day(1))).messages).toHaveLength(1);
    const nobody = { session_id: "00000000-0000-4000-8000-000000000000" };
    await expect(store.sessions.messages(nobody, 0, 9, day(1))).rejects.toMatchObject({
      code: "session_not_found",
    });
  });
}
