import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/core/json.ts";
import { documentsSize } from "../../src/core/sessions/session.ts";
import { EXPIRED_THREAD_DAYS, THREAD_BYTES } from "../../src/features/threads/thread.ts";
import type { KeptThread } from "../../src/features/threads/threads.ts";
import { DAY, type Desk, day, desk, type Make, minute } from "./given.ts";
import { actorOf, begin } from "./proving.ts";

const HOUR = 60;
const data: JsonObject = {
  steps: [{ say: "what colour?", at: 1 }],
  note: 'naïve "été" 🙂',
  number: 1e21,
  none: null,
};
const notFound = { code: "thread_not_found" };
const conflict = { code: "version_conflict" };

/** Memory for bots and tools. */
export function threads(make: Make): void {
  const put = (store: Desk, id: string, over: object = {}, now = minute(0), if_version?: number) =>
    store.threads.put(id, { data, ...over }, now, if_version);
  const kept = (store: Desk, user_id: string) => store.threads.kept(user_id, undefined, 100);
  const exists = async (store: Desk, id: string, now: Date) =>
    store.threads.get(id, now).then(
      () => "alive",
      ({ code }) => code as string,
    );

  test("what was put comes back as it was, with a day to live", async () => {
    const store = await desk(make);
    const { thread, created } = await put(store, "t1", { user_id: "103", metadata: { tool: "colours" } });
    expect([created, thread]).toEqual([
      true,
      {
        thread_id: "t1",
        user_id: "103",
        data,
        metadata: { tool: "colours" },
        ttl_ms: 24 * HOUR * 60_000,
        version: minute(0).getTime(),
        created_at: minute(0),
        updated_at: minute(0),
        expires_at: day(1),
      },
    ]);
    expect(await store.threads.get("t1", minute(0))).toEqual(thread);
    expect(JSON.stringify((await store.threads.get("t1", minute(0))).data)).toBe(JSON.stringify(data));
    await expect(store.threads.get("t2", minute(0))).rejects.toMatchObject(notFound);
  });

  test("a hub may give threads another life, and a thread its own", async () => {
    const store = await desk(make, { threadTtlMs: 2 * HOUR * 60_000 });
    expect((await put(store, "standard")).thread.expires_at).toEqual(minute(2 * HOUR));
    expect((await put(store, "own", { ttl_ms: 90_000 })).thread.expires_at).toEqual(minute(1.5));
    expect((await put(store, "own", { ttl_ms: null })).thread.ttl_ms).toBe(2 * HOUR * 60_000);
  });

  test("data is replaced as a whole; what a change leaves out stays, and null takes it away", async () => {
    const store = await desk(make);
    const first = await put(store, "t1", { user_id: "103", metadata: { a: 1 }, ttl_ms: HOUR * 60_000 });
    const second = await put(store, "t1", { data: { only: "this" } }, minute(1));
    expect(second).toEqual({
      created: false,
      thread: {
        ...first.thread,
        data: { only: "this" },
        version: first.thread.version + 1,
        updated_at: minute(1),
        expires_at: minute(HOUR + 1),
      },
    });
    const bare = { data: { only: "this" }, user_id: null, metadata: null, ttl_ms: null };
    const { thread } = await put(store, "t1", bare, minute(2));
    expect("user_id" in thread).toBe(false);
    expect([thread.metadata, thread.ttl_ms]).toEqual([{}, 24 * HOUR * 60_000]);
    expect(await store.threads.get("t1", minute(2))).toEqual(thread);
  });

  describe("a version", () => {
    test("moves with each change, not with a look; another one is refused and changes nothing", async () => {
      const store = await desk(make);
      const { version } = (await put(store, "t1")).thread;
      expect((await store.threads.get("t1", minute(1))).version).toBe(version);
      await put(store, "t1", { data: { by: "a" } }, minute(2), version);
      await expect(put(store, "t1", { data: { by: "b" } }, minute(2), version)).rejects.toMatchObject(
        conflict,
      );
      await expect(store.threads.delete("t1", minute(2), version)).rejects.toMatchObject(conflict);
      expect(await store.threads.get("t1", minute(2))).toMatchObject({
        data: { by: "a" },
        version: version + 1,
      });
    });

    test("is one of a thread that is alive: none of what never was, expired or was deleted", async () => {
      const store = await desk(make);
      await expect(put(store, "t1", {}, minute(0), 1)).rejects.toMatchObject(conflict);
      const { version } = (await put(store, "t1")).thread;
      await expect(put(store, "t1", { data: {} }, day(1), version)).rejects.toMatchObject(conflict);
      await store.threads.delete("t1", day(2));
      await expect(put(store, "t1", {}, day(2), version)).rejects.toMatchObject(conflict);
      await expect(store.threads.delete("t1", day(2), version)).rejects.toMatchObject(conflict);
      expect(await exists(store, "t1", day(2))).toBe("thread_not_found");
    });

    test("0 is that of a thread that is not there", async () => {
      const store = await desk(make);
      expect((await put(store, "t1", {}, minute(0), 0)).created).toBe(true);
      await expect(put(store, "t1", { data: {} }, minute(1), 0)).rejects.toMatchObject(conflict);
      expect((await put(store, "t1", {}, minute(1), 0)).created).toBe(false);
      await expect(store.threads.delete("t1", minute(1), 0)).rejects.toMatchObject(conflict);
      expect((await put(store, "t1", { data: {} }, day(2), 0)).created).toBe(true);
      const many = await Promise.allSettled(
        Array.from({ length: 8 }, (_, by) => put(store, "t2", { data: { by } }, minute(1), 0)),
      );
      expect(many.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    });

    test("of one life of an id is never one of another", async () => {
      const store = await desk(make);
      const first = (await put(store, "t1")).thread;
      await put(store, "t1", { data: { more: 1 } }, minute(1));
      await store.threads.delete("t1", minute(2));
      const second = (await put(store, "t1", {}, minute(3))).thread;
      const third = (await put(store, "t1", {}, day(2))).thread;
      expect(second.version).toBeGreaterThan(first.version + 1);
      expect(third.version).toBeGreaterThan(second.version);
      await expect(put(store, "t1", { data: {} }, day(2), first.version)).rejects.toMatchObject(conflict);
    });

    test("does not move when the same is put again, nor is the old one refused then", async () => {
      const store = await desk(make);
      const { version } = (await put(store, "t1")).thread;
      const change = { data: { by: "a" } };
      const once = await put(store, "t1", change, minute(1), version);
      const twice = await put(store, "t1", change, minute(2), version);
      expect(twice).toEqual({
        created: false,
        thread: { ...once.thread, expires_at: minute(24 * HOUR + 2) },
      });
    });

    test("is taken by one of two who change it at once", async () => {
      const store = await desk(make);
      const { version } = (await put(store, "t1")).thread;
      const many = await Promise.allSettled(
        Array.from({ length: 8 }, (_, by) => put(store, "t1", { data: { by } }, minute(1), version)),
      );
      const lost = many.flatMap((one) => (one.status === "rejected" ? [one.reason.code] : []));
      expect(lost).toEqual(Array(7).fill("version_conflict"));
      expect((await store.threads.get("t1", minute(1))).version).toBe(version + 1);
    });

    test("begins once when many put a new thread at once", async () => {
      const store = await desk(make);
      const all = await Promise.all(Array.from({ length: 8 }, (_, by) => put(store, "t1", { data: { by } })));
      expect(all.filter(({ created }) => created)).toHaveLength(1);
      const versions = all.map(({ thread }) => thread.version - minute(0).getTime());
      expect(versions.sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    });
  });

  describe("an expiry", () => {
    test("slides with each put and get, not with a list, and never comes sooner by an old clock", async () => {
      const store = await desk(make);
      const life = { ttl_ms: HOUR * 60_000, user_id: "103" };
      await put(store, "t1", life);
      expect((await store.threads.get("t1", minute(50))).expires_at).toEqual(minute(110));
      expect((await store.threads.get("t1", minute(10))).expires_at).toEqual(minute(110));
      await store.threads.list("103", undefined, 10, minute(100));
      await kept(store, "103");
      expect(await exists(store, "t1", minute(109))).toBe("alive");
      await put(store, "t1", life, minute(160));
      expect(await exists(store, "t1", minute(219))).toBe("alive");
      const { thread } = await put(store, "t1", { ...life, ttl_ms: 60_000 }, minute(220));
      expect(thread.expires_at).toEqual(minute(221));
    });

    test("is told for a week, with or without a sweep, and what the thread held is gone", async () => {
      const store = await desk(make);
      await put(store, "swept", { user_id: "103" });
      await put(store, "left", { user_id: "104" });
      expect(await exists(store, "swept", new Date(day(1).getTime() - 1))).toBe("alive");
      const end = new Date(day(2).getTime() - 1);
      expect(await exists(store, "swept", end)).toBe("thread_expired");
      await store.housekeeping.expire(end, 1);
      expect(await exists(store, "swept", end)).toBe("thread_expired");
      const [row] = await kept(store, "103");
      expect([row?.thread_id, row && "data" in row, row && "metadata" in row]).toEqual([
        "swept",
        false,
        false,
      ]);
      expect(await store.threads.list("103", undefined, 10, end)).toEqual({ threads: [] });
      // The look of a millisecond before its end made it live a day longer.
      const gone = new Date(end.getTime() + EXPIRED_THREAD_DAYS * DAY);
      await store.housekeeping.expire(new Date(gone.getTime() - 1), 10);
      expect(await exists(store, "swept", gone)).toBe("thread_expired");
      await store.housekeeping.expire(gone, 10);
      expect([await exists(store, "swept", gone), await exists(store, "left", gone)]).toEqual([
        "thread_not_found",
        "thread_not_found",
      ]);
      expect([await kept(store, "103"), await kept(store, "104")]).toEqual([[], []]);
    });

    test("is final once the sweep was there, also for a caller whose clock is behind", async () => {
      const store = await desk(make);
      await put(store, "t1", { user_id: "103" });
      await store.housekeeping.expire(day(1), 10);
      expect(await exists(store, "t1", minute(0))).toBe("thread_expired");
      expect(await store.threads.list("103", undefined, 10, minute(0))).toEqual({ threads: [] });
      expect(await store.threads.delete("t1", minute(0))).toBe(false);
    });

    test("is swept at most so many at a time, and never a thread that slid meanwhile", async () => {
      const store = await desk(make);
      for (const id of ["a", "b", "c", "d"]) await put(store, id, { user_id: "103" });
      await store.threads.get("d", minute(HOUR));
      const full = async () =>
        (await kept(store, "103")).filter((one) => "data" in one).map((one) => one.thread_id);
      await store.housekeeping.expire(day(1), 2);
      expect((await full()).length).toBeGreaterThanOrEqual(2);
      for (let i = 0; i < 3; i++) await store.housekeeping.expire(day(1), 2);
      expect(await full()).toEqual(["d"]);
      expect(await exists(store, "d", day(1))).toBe("alive");
      await store.housekeeping.expire(day(3), 2);
      expect(await full()).toEqual([]);
    });

    test("makes room for a new thread under the same id, in which nothing of the old one is left", async () => {
      const store = await desk(make);
      await put(store, "t1", { user_id: "103", metadata: { old: 1 }, ttl_ms: HOUR * 60_000 });
      const { thread, created } = await put(store, "t1", { data: { new: 1 } }, minute(HOUR));
      expect([created, thread.metadata, "user_id" in thread, thread.ttl_ms, thread.created_at]).toEqual([
        true,
        {},
        false,
        24 * HOUR * 60_000,
        minute(HOUR),
      ]);
    });
  });

  test("a deleted thread is not found, and deleting twice is no error", async () => {
    const store = await desk(make);
    const { version } = (await put(store, "t1")).thread;
    expect(await store.threads.delete("t1", minute(1), version)).toBe(true);
    expect(await store.threads.delete("t1", minute(1))).toBe(false);
    expect(await exists(store, "t1", minute(1))).toBe("thread_not_found");
  });

  test("a thread holds a mebibyte of compact JSON and not a byte more", async () => {
    const store = await desk(make);
    const metadata = { m: "é" };
    const room = THREAD_BYTES - documentsSize({ data: { s: "" }, metadata });
    // Quotes take two bytes in JSON, and umlauts two in UTF-8.
    const full = { s: '"'.repeat(1_000) + "ü".repeat(1_000) + "x".repeat(room - 4_000) };
    expect(documentsSize({ data: full, metadata })).toBe(THREAD_BYTES);
    await put(store, "t1", { data: full, metadata });
    expect((await store.threads.get("t1", minute(1))).data).toEqual(full);
    const more = { s: `${full.s}x` };
    const refused = { code: "payload_too_large" };
    await expect(put(store, "t1", { data: more, metadata })).rejects.toMatchObject(refused);
    await expect(put(store, "t1", { data: more })).rejects.toMatchObject(refused);
    await expect(put(store, "t2", { data: more, metadata })).rejects.toMatchObject(refused);
    expect(await exists(store, "t2", minute(1))).toBe("thread_not_found");
    expect((await store.threads.get("t1", minute(1))).data).toEqual(full);
  });

  test("a user's threads are listed newest first, a page at a time, without what they hold", async () => {
    const store = await desk(make);
    const ids = ["a", "B", "_", "c", "z", "0"];
    for (const [i, id] of ids.entries()) await put(store, id, { user_id: "103" }, minute(Math.floor(i / 2)));
    await put(store, "other", { user_id: "104" });
    await put(store, "nobody");
    const seen: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await store.threads.list("103", after, 2, minute(3));
      for (const { thread_id } of page.threads) seen.push(thread_id);
      if (seen.length === 2) await put(store, "new", { user_id: "103" }, minute(3));
      if (page.after === undefined) break;
      after = page.after;
    }
    expect(seen).toEqual(["0", "z", "_", "c", "B", "a"]);
    const { threads: all, after } = await store.threads.list("103", undefined, 7, minute(4));
    expect([all.length, after]).toEqual([7, undefined]);
    const { data: _, metadata: __, ...rest } = await store.threads.get("other", minute(0));
    expect((await store.threads.list("104", undefined, 7, minute(0))).threads).toEqual([
      { ...rest, bytes: documentsSize({ data, metadata: {} }) },
    ]);
    expect(await store.threads.list("105", undefined, 7, minute(0))).toEqual({ threads: [] });
  });

  describe("of a customer", () => {
    const texts = (all: readonly KeptThread[]) => all.map(({ thread_id }) => thread_id);

    test("are kept under the customer's id, a page at a time, with those that have expired", async () => {
      const store = await desk(make);
      for (const id of ["c", "a", "b"]) await put(store, id, { user_id: "103" });
      await put(store, "d", { user_id: "104" });
      await put(store, "a", { ttl_ms: 1_000 });
      await store.housekeeping.expire(minute(1), 10);
      expect(texts(await store.threads.kept("103", undefined, 2))).toEqual(["a", "b"]);
      expect(texts(await store.threads.kept("103", "b", 2))).toEqual(["c"]);
    });

    test("go when the customer is erased, by name or by session, also where the hub knows no such customer", async () => {
      const store = await desk(make);
      const { session_id } = await begin(store, 1, { phone: "+4915112345601" }, minute(0), {
        customer_id: "103",
      });
      await begin(store, 2, { phone: "+4915112345602" }, minute(0), { customer_id: "104" });
      const all = { "103": ["t3", "gone"], "104": ["t4"], "105": ["t5"], "106": ["t6"] };
      for (const [user_id, ids] of Object.entries(all))
        for (const id of ids) await put(store, id, { user_id, ...(id === "gone" && { ttl_ms: 1_000 }) });
      await store.housekeeping.expire(minute(1), 10);
      expect(texts(await kept(store, "103"))).toEqual(["gone", "t3"]);
      await store.privacy.erase({ session_id }, actorOf(), minute(1));
      expect(await kept(store, "103")).toEqual([]);
      expect(await exists(store, "gone", minute(1))).toBe("thread_not_found");
      await store.privacy.erase({ customer_id: "104" }, actorOf(), minute(1));
      await store.privacy.erase({ customer_id: "105" }, actorOf(), minute(1));
      expect([await kept(store, "104"), await kept(store, "105")]).toEqual([[], []]);
      expect(await exists(store, "t6", minute(1))).toBe("alive");
    });
  });
}
