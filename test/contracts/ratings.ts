import { describe, expect, test } from "vitest";
import { RATING_CHANGES_MS } from "../../src/core/sessions/rating.ts";
import type { SessionFilter } from "../../src/core/sessions/sessions.ts";
import { anna, ben, type Desk, day, desk, hash, type Make, minute, said } from "./given.ts";
import { actorOf, begin } from "./proving.ts";

const { phone } = anna;
/** Long enough that no random id holds it by chance. */
const telegram_chat_id = "700100200300";
const notFound = { code: "session_not_found" };
const forbidden = { code: "forbidden" };
const closed = { code: "rating_closed" };

/** What customers say of a session at its end. */
export function ratings(make: Make): void {
  const shown = async (store: Desk, session_id: string) => {
    const [session] = await store.sessions.find({ session_id }, minute(0));
    const { rating, feedback, summary } = session!;
    return { rating, feedback, summary };
  };
  const afterEnd = (end: Date, ms: number) => new Date(end.getTime() + RATING_CHANGES_MS + ms);

  test("a session ends with what is said of it, and keeps what is not said", async () => {
    const store = await desk(make);
    const closing = { summary: "two tickets", rating: 4, feedback: "quick" };
    await begin(store, 1, { phone }, minute(0));
    const { session } = await store.sessions.end(hash(1), minute(5), closing);
    expect(session).toMatchObject({ ...closing, status: "logged_out", ended_at: minute(5), version: 2 });
    const two = await begin(store, 2, { phone }, minute(6));
    await store.sessions.rate(two.session_id, hash(2), { rating: 2, feedback: "hm" }, minute(7));
    await store.sessions.end(hash(2), minute(8), { rating: 3 });
    expect(await shown(store, two.session_id)).toEqual({ rating: 3, feedback: "hm" });
    const three = await begin(store, 3, { phone }, minute(9));
    await store.sessions.end(hash(3), minute(9));
    expect(await shown(store, three.session_id)).toEqual({});
  });

  test("a token rates the session that it died with, and opens it no more", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { phone }, minute(0));
    await begin(store, 2, { phone }, minute(0));
    await store.sessions.end(hash(1), minute(1));
    for (const seed of [1, 2])
      expect(await store.sessions.rate(session_id, hash(seed), { rating: seed }, minute(2))).toEqual({
        session_id,
        rating: seed,
      });
    const rated = await store.sessions.rate(session_id, hash(1), { rating: 5, feedback: "fine" }, minute(3));
    expect(rated).toEqual({ session_id, rating: 5, feedback: "fine" });
    expect(await store.sessions.rate(session_id, hash(1), { rating: 4 }, minute(4))).toEqual({
      session_id,
      rating: 4,
      feedback: "fine",
    });
    await store.sessions.rate(session_id, hash(1), { rating: 4, feedback: null }, minute(4));
    expect(await shown(store, session_id)).toEqual({ rating: 4 });
    const restored = store.sessions.restore({ token_hash: hash(1) }, undefined, minute(5));
    await expect(restored).rejects.toMatchObject(notFound);
    await expect(store.sessions.end(hash(1), minute(5), { rating: 1 })).rejects.toMatchObject(notFound);
    expect((await begin(store, 3, { phone }, minute(6))).session_id).not.toBe(session_id);
  });

  test("for a day after the end, as long as it may be changed; then a session is rated once, by a key", async () => {
    const store = await desk(make);
    const ids: string[] = [];
    for (const seed of [1, 2]) {
      ids.push((await begin(store, seed, { phone }, minute(0))).session_id);
      await store.sessions.end(hash(seed), minute(1), { ...(seed === 1 && { rating: 3 }) });
    }
    const [rated, unrated] = ids as [string, string];
    const rate = (id: string, rating: number, now: Date, token?: string) =>
      store.sessions.rate(id, token, { rating }, now);
    await rate(rated, 4, afterEnd(minute(1), -1), hash(1));
    await rate(rated, 5, afterEnd(minute(1), -1));
    await store.housekeeping.expire(afterEnd(minute(1), -1), 10);
    await rate(rated, 5, afterEnd(minute(1), -1), hash(1));
    await expect(rate(rated, 5, afterEnd(minute(1), 0), hash(1))).rejects.toMatchObject(notFound);
    await expect(rate(rated, 4, afterEnd(minute(1), 0))).rejects.toMatchObject(closed);
    // Delivered again.
    expect((await rate(rated, 5, afterEnd(minute(1), 0))).rating).toBe(5);
    await store.housekeeping.expire(afterEnd(minute(1), 0), 10);
    await expect(rate(unrated, 1, afterEnd(minute(1), -1), hash(2))).rejects.toMatchObject(notFound);
    await rate(unrated, 2, day(9));
    await expect(rate(unrated, 3, day(9))).rejects.toMatchObject(closed);
    expect([await shown(store, rated), await shown(store, unrated)]).toEqual([{ rating: 5 }, { rating: 2 }]);
  });

  test("one that lives may be rated, and changed, whenever; one that expired for a day", async () => {
    const store = await desk(make);
    const { session_id, version } = await begin(store, 1, { phone }, day(0));
    await store.sessions.rate(session_id, hash(1), { rating: 1 }, day(1));
    await store.sessions.restore({ token_hash: hash(1) }, undefined, day(5));
    await store.sessions.rate(session_id, hash(1), { rating: 2 }, day(6));
    expect((await store.sessions.restore({ token_hash: hash(1) }, undefined, day(6))).version).toBe(version);
    // It expires on the thirteenth day.
    const last = afterEnd(day(13), -1);
    for (const sweep of [false, true]) {
      if (sweep) await store.housekeeping.expire(last, 10);
      await store.sessions.rate(session_id, hash(1), { rating: sweep ? 3 : 4 }, last);
    }
    const late = store.sessions.rate(session_id, hash(1), { rating: 3 }, day(14));
    await expect(late).rejects.toMatchObject({ code: "session_expired" });
    await expect(store.sessions.rate(session_id, undefined, { rating: 5 }, day(14))).rejects.toMatchObject(
      closed,
    );
  });

  test("nobody rates another's session, nor one that is not there", async () => {
    const store = await desk(make);
    const annas = await begin(store, 1, { phone }, minute(0));
    const bens = await begin(store, 2, { phone: ben.phone }, minute(0));
    const rate = (id: string, token?: string) => store.sessions.rate(id, token, { rating: 1 }, minute(2));
    await expect(rate(annas.session_id, hash(2))).rejects.toMatchObject(forbidden);
    await store.sessions.end(hash(2), minute(1));
    await expect(rate(annas.session_id, hash(2))).rejects.toMatchObject(forbidden);
    await expect(rate(annas.session_id, hash(9))).rejects.toMatchObject(notFound);
    const unknown = "00000000-0000-4000-8000-000000000000";
    await expect(rate(unknown, hash(2))).rejects.toMatchObject(forbidden);
    await expect(rate(unknown)).rejects.toMatchObject(notFound);
    await store.sessions.signOut(hash(1), minute(1));
    await expect(rate(annas.session_id, hash(1))).rejects.toMatchObject(notFound);
    expect([await shown(store, annas.session_id), await shown(store, bens.session_id)]).toEqual([{}, {}]);
  });

  test("a token of an ended session that begins another one rates that", async () => {
    const store = await desk(make);
    const one = await begin(store, 1, { phone }, minute(0));
    await store.sessions.end(hash(1), minute(1));
    const two = await begin(store, 1, { phone }, minute(2));
    expect((await store.sessions.rate(two.session_id, hash(1), { rating: 1 }, minute(3))).rating).toBe(1);
    await expect(
      store.sessions.rate(one.session_id, hash(1), { rating: 1 }, minute(3)),
    ).rejects.toMatchObject(forbidden);
  });

  test("a merged session's id rates the session that it goes on as", async () => {
    const store = await desk(make);
    const web = await begin(store, 1, { phone }, minute(0));
    const chat = await store.hear(said("telegram", { telegram_chat_id }, "t1"), minute(1));
    const { session } = await store.hear(said("telegram", { telegram_chat_id, phone }, "t2"), minute(2));
    for (const id of [web.session_id, chat.session.session_id])
      expect((await store.sessions.rate(id, undefined, { rating: 4 }, minute(3))).session_id).toBe(
        session.session_id,
      );
  });

  test("what was said goes with the customer's erasure, and their dead tokens rate no more", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { phone }, minute(0));
    await store.sessions.end(hash(1), minute(1), { rating: 1, feedback: "F", summary: "S" });
    await store.privacy.erase({ session_id }, actorOf(), minute(2));
    expect(await shown(store, session_id)).toEqual({});
    await expect(store.sessions.rate(session_id, hash(1), { rating: 1 }, minute(3))).rejects.toMatchObject(
      notFound,
    );
  });

  test("of many who rate at once one is the last, and all are answered", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { phone }, minute(0));
    const all = await Promise.all([
      ...[1, 2, 3, 4].map((rating) => store.sessions.rate(session_id, hash(1), { rating }, minute(1))),
      store.sessions.end(hash(1), minute(1), { summary: "S" }),
    ]);
    expect(all).toHaveLength(5);
    const { rating, summary } = await shown(store, session_id);
    expect([[1, 2, 3, 4].includes(rating!), summary]).toEqual([true, "S"]);
  });

  test("a bot is told which session was the customer's last", async () => {
    const store = await desk(make);
    await store.ask(said("web", { phone }, "w1"), minute(0));
    const { session_id } = await begin(store, 1, { phone }, minute(1));
    await store.sessions.end(hash(1), minute(2), { rating: 5 });
    const turn = await store.ask(said("web", { phone }, "w2"), minute(3));
    expect(turn.session).toMatchObject({ previous_session_id: session_id });
    expect(turn.session.rating).toBeUndefined();
  });

  describe("listed sessions", () => {
    async function full(store: Desk) {
      const ids: string[] = [];
      for (let i = 0; i < 6; i++) {
        const over = { customer_id: `Cust-${i}`, channel: i % 2 ? "kiosk" : "web" };
        ids.push((await begin(store, i, { phone: `+491511230000${i}` }, minute(i), over)).session_id);
      }
      await store.sessions.end(hash(0), minute(6), { summary: "Kaffee 50%_" });
      await store.sessions.end(hash(1), minute(6), { feedback: "nie wieder" });
      const profile = { name: "Ada Lovelace" };
      await store.hear(said("telegram", { telegram_chat_id }, "t1", { profile }), minute(7));
      await store.hear(said("telegram", { telegram_chat_id, phone: "+4915112300002" }, "t2"), minute(8));
      return ids;
    }
    const list = async (store: Desk, filter: SessionFilter) => {
      const { sessions } = await store.sessions.list(filter, undefined, 50);
      return sessions.map(({ session_id }) => session_id);
    };

    test("are all but merged ones, the newest first, page by page, with counts on the first", async () => {
      const store = await desk(make);
      const ids = await full(store);
      const seen: string[] = [];
      const counts: unknown[] = [];
      for (let after: string | undefined; ; ) {
        const page = await store.sessions.list({}, after, 4);
        for (const { session_id } of page.sessions) seen.push(session_id);
        counts.push(page.counts);
        // One that begins meanwhile moves no page.
        if (!after) await begin(store, 99, {}, minute(20));
        after = page.after;
        if (!after) break;
      }
      expect(seen).toEqual(ids.toReversed());
      expect(counts).toEqual([{ active: 4, logged_out: 2, merged: 1 }, undefined]);
      expect(await store.sessions.list({ customer_id: "nobody" }, undefined, 4)).toEqual({
        sessions: [],
        counts: {},
      });
    });

    test("are as a look-up shows them", async () => {
      const store = await desk(make);
      const ids = await full(store);
      for (const session of (await store.sessions.list({}, undefined, 50)).sessions)
        expect(session).toEqual(
          (await store.sessions.find({ session_id: session.session_id }, minute(9)))[0],
        );
      expect(ids).toHaveLength(6);
    });

    test("are those with a status, a channel, a customer or an activity since", async () => {
      const store = await desk(make);
      const [a, b, c, d, e, f] = await full(store);
      expect(await list(store, { status: "logged_out" })).toEqual([b, a]);
      expect(await list(store, { status: "merged" })).toHaveLength(1);
      expect(await list(store, { channel: "kiosk" })).toEqual([f, d, b]);
      expect(await list(store, { channel: "telegram" })).toEqual([c]);
      expect(await list(store, { customer_id: "Cust-4" })).toEqual([e]);
      expect(await list(store, { active_since: minute(5) })).toEqual([f, c]);
      expect(await list(store, { channel: "web", status: "active" })).toEqual([e, c]);
      const { counts } = await store.sessions.list({ channel: "web", status: "active" }, undefined, 1);
      expect(counts).toEqual({ active: 2, logged_out: 1 });
    });

    test("are those that say something, taken as it is written", async () => {
      const store = await desk(make);
      const [a, b, c, , e] = await full(store);
      expect(await list(store, { q: "KAFFEE" })).toEqual([a]);
      expect(await list(store, { q: "50%_" })).toEqual([a]);
      expect(await list(store, { q: "%" })).toEqual([a]);
      expect(await list(store, { q: "LOVELACE" })).toEqual([c]);
      expect(await list(store, { q: "wieder" })).toEqual([b]);
      expect(await list(store, { q: "cust-4" })).toEqual([e]);
      expect(await list(store, { q: "12300002" })).toEqual([c]);
      expect(await list(store, { q: telegram_chat_id })).toEqual([c]);
      expect(await list(store, { q: e!.toUpperCase().slice(-12) })).toEqual([e]);
      expect(await list(store, { q: "' or 1=1" })).toEqual([]);
    });
  });
}
