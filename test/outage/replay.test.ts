import { describe, expect, test } from "vitest";
import { answer } from "../../src/core/answer/answer.ts";
import { HubError } from "../../src/core/errors.ts";
import type { Hub } from "../../src/core/hub.ts";
import { accept } from "../../src/core/receive/accept.ts";
import type { Received } from "../../src/core/receive/conversations.ts";
import { sweep } from "../../src/core/sweep/sweep.ts";
import {
  allDown,
  allUp,
  byToken,
  type Fault,
  from,
  isJournaled,
  storeDown,
  webhook,
  world,
} from "../support/outage.ts";

const SWEEP = { batch: 20, batches: 5, sessions: 500, retentionMs: 30 * 86_400_000 };
const ALL = { entries: 100, ms: 10_000 };
const ahead = { behind: false };
const anna = "+4915112345601";
const ben = "+4915112345602";
const token = (n: number) => n.toString(16).padStart(64, "0");

type World = ReturnType<typeof world>;

/** Opens Ben's session in his browser. */
async function browsing(all: World): Promise<void> {
  const start = { identities: { phone: ben }, channel: "web", token_hash: token(1) };
  await all.cache.put(token(1), await all.store.sessions.start(start, new Date(all.clock.now)));
}

/** An outage in which Anna writes twice, and Ben on WhatsApp and in his browser. Then the store is up again. */
async function outage(): Promise<World> {
  const all = world();
  const hub = all.isolate();
  await browsing(all);
  all.fault(storeDown);
  await accept(hub, "whatsapp", webhook(from(anna, "a1")));
  await accept(hub, "whatsapp", webhook(from(ben, "b1"), from(anna, "a2")));
  await accept(hub, "web", webhook(byToken(token(1), "w1")));
  await accept(hub, "web", webhook(byToken(token(1), "w2")));
  const receipt = { channel: "whatsapp", account: "number-1", external_id: "x", status: "read" } as const;
  await accept(hub, "whatsapp", webhook({ type: "receipt", receipt }));
  await accept(hub, "whatsapp", webhook(from(ben, "b2")));
  await all.idle();
  all.fault(allUp);
  return all;
}

const replay = (hub: Hub, budget = ALL) => hub.store.journal!.replay(budget);

/** Answers accepted or replayed messages, as the caller of `accept` or of the replay does. */
async function answered({ results }: { results: readonly Received[] }, hub: Hub) {
  await Promise.all(results.map(({ turn }) => turn && answer(hub, turn)));
}

/** The stored texts of Anna and Ben, in order. */
async function stored({ store, clock }: World) {
  const now = new Date(clock.now);
  const said = async (session_id: string) =>
    (await store.sessions.messages({ session_id }, 0, 100, now)).messages.map(
      ({ role, text }) => `${role}: ${text}`,
    );
  const find = async (phone: string) =>
    store.sessions.restore({ token_hash: token(99), identities: { phone } }, undefined, now);
  const ofAnna = await find(anna);
  const ofBen = await find(ben);
  const byToken = await store.sessions.restore({ token_hash: token(1) }, undefined, now);
  expect(byToken.session_id).toBe(ofBen.session_id);
  return {
    anna: (await said(ofAnna.session_id)).filter((line) => line.startsWith("user")),
    ben: (await said(ofBen.session_id)).filter((line) => line.startsWith("user")),
    replies: [...(await said(ofAnna.session_id)), ...(await said(ofBen.session_id))].filter((line) =>
      line.startsWith("assistant"),
    ),
  };
}

const everything = {
  anna: ["user: a1", "user: a2"],
  ben: ["user: b1", "user: w1", "user: w2", "user: b2"],
};
const onceEach = ["a1", "a2", "b1", "b2", "w1", "w2"];

/** The text that each reply repeats. */
const answersTo = (replies: readonly string[]) =>
  onceEach.filter((id) => replies.some((line) => line.includes(id)));

describe("the replay", () => {
  test("stores everything in order, and it is answered once", async () => {
    const all = await outage();
    const hub = all.isolate();
    const replayed = await replay(hub);
    expect(replayed).toMatchObject({ taken: 6, empty: true });
    await answered(replayed, hub);
    const { replies, ...rest } = await stored(all);
    expect(rest).toEqual(everything);
    expect(replies).toHaveLength(6);
    expect(answersTo(replies)).toEqual(onceEach);
    expect(await all.journal.depth()).toEqual({ depth: 0, quarantined: 0 });
  });

  test("keeps times of arrival, and leases begin at the replay", async () => {
    const all = await outage();
    const came = all.clock.now;
    all.clock.now += 3_600_000;
    const hub = all.isolate();
    const { results } = await replay(hub);
    const turns = results.flatMap(({ turn }) => turn ?? []);
    expect(turns).toHaveLength(2);
    expect(turns[0]!.message.created_at.getTime()).toBe(came);
    expect(turns[0]!.session.expires_at.getTime()).toBe(came + 7 * 86_400_000);
    expect((await all.store.conversations.due(new Date(all.clock.now), 10)).turns).toEqual([]);
    all.clock.now += 61_000;
    expect((await all.store.conversations.due(new Date(all.clock.now), 10)).turns).toHaveLength(2);
  });

  test("never moves an expiry back", async () => {
    const all = await outage();
    const later = new Date(all.clock.now + 3_600_000);
    const before = await all.store.sessions.start(
      { identities: { phone: anna }, channel: "web", token_hash: token(2) },
      later,
    );
    const hub = all.isolate();
    await replay(hub);
    const after = await all.store.sessions.messages({ session_id: before.session_id }, 0, 9, later);
    expect(after.messages).toHaveLength(2);
    const { expires_at, last_activity } = await all.store.sessions.update(
      { token_hash: token(2) },
      {},
      new Date(all.clock.now),
    );
    expect([expires_at, last_activity]).toEqual([before.expires_at, later]);
  });

  test("keeps all entries while the store is down", async () => {
    const all = await outage();
    all.fault(storeDown);
    const hub = all.isolate();
    expect(await replay(hub)).toEqual({ taken: 0, results: [], empty: false });
    expect((await all.journal.depth()).depth).toBe(6);
    expect(all.lines.at(-1)).toMatchObject({ level: "warn", event: "journal.waits" });
    all.fault(allUp);
    expect(await replay(hub)).toMatchObject({ taken: 6, empty: true });
  });

  test("is bounded, and continues where it stopped", async () => {
    const all = await outage();
    const hub = all.isolate();
    expect(await replay(hub, { entries: 2, ms: 10_000 })).toMatchObject({
      taken: 2,
      empty: false,
    });
    expect((await all.journal.depth()).depth).toBe(4);
    expect(await replay(hub, { entries: 4, ms: 10_000 })).toMatchObject({
      taken: 4,
      empty: true,
    });
  });

  test("stops at its time limit, long before its lease ends", async () => {
    const all = world();
    const hub = all.isolate();
    all.fault(storeDown);
    for (let i = 0; i < 30; i++) await accept(hub, "whatsapp", webhook(from(anna, `m${i}`)));
    await all.idle();
    all.fault((call) => {
      if (call === "journal.remove") all.clock.now += 11_000;
      return undefined;
    });
    expect(await replay(hub)).toMatchObject({ taken: 25, empty: false });
    expect((await all.journal.depth()).depth).toBe(5);
  });

  test("has one replayer at a time", async () => {
    const all = await outage();
    const one = all.isolate();
    const two = all.isolate();
    const replayed = await Promise.all([replay(one), replay(two)]);
    expect(replayed.map(({ taken }) => taken).sort()).toEqual([0, 6]);
    expect(all.calls.filter((call) => call === "journal.remove")).toHaveLength(1);
  });
});

describe("a replay that is cut off", () => {
  const faults: Fault[] = ["down", "lost", "gone"];
  const steps = Array.from({ length: 24 }, (_, i) => i);

  test.each(faults.flatMap((fault) => steps.map((step) => [fault, step] as const)))(
    "loses, doubles and reorders nothing: %s at call %i",
    async (fault, step) => {
      const all = await outage();
      const first = all.isolate();
      let calls = 0;
      all.fault(() => (calls++ === step ? fault : undefined));
      const cut = replay(first).then((replayed) => answered(replayed, first));
      await Promise.race([cut.catch(() => {}), new Promise((resolve) => setTimeout(resolve, 5))]);
      all.fault(allUp);
      all.clock.now += 61_000; // every lease of whoever died is over
      const second = all.isolate();
      await sweep(second, SWEEP);
      all.clock.now += 3_600_000;
      await sweep(second, SWEEP);
      const { replies, ...rest } = await stored(all);
      expect(rest).toEqual(everything);
      expect(replies).toHaveLength(6);
      expect(answersTo(replies)).toEqual(onceEach);
      expect(await all.journal.depth()).toEqual({ depth: 0, quarantined: 0 });
    },
  );
});

describe("an entry that the store refuses", () => {
  test("is quarantined at once when it is refused for good, and delays no other", async () => {
    const all = world();
    const hub = all.isolate();
    const planted = [from(anna, "a1"), byToken(token(7), "x"), byToken(token(8), "y"), from(anna, "a2")];
    for (const event of planted)
      await all.journal.append({ type: "receive", events: [event], at: hub.now() }, { behind: false });
    const replayed = await replay(hub);
    expect(replayed).toMatchObject({ taken: 4, empty: true });
    await answered(replayed, hub);
    expect(all.sent.map((text) => /a\d/.exec(text)?.[0])).toEqual(["a1", "a2"]);
    expect(await all.journal.depth()).toEqual({ depth: 0, quarantined: 2 });
    const quarantined = all.lines.filter(({ event }) => event === "journal.quarantined");
    expect(quarantined.map(({ level, fields }) => [level, fields])).toEqual([
      ["error", { entry_id: "2-0", events: 1, code: "session_not_found", reason: "session_not_found" }],
      ["error", { entry_id: "3-0", events: 1, code: "session_not_found", reason: "session_not_found" }],
    ]);
  });

  test("is quarantined after repeated failures of a store that answers other calls", async () => {
    const all = world();
    const hub = all.isolate();
    const { receive } = all.store.conversations;
    Object.assign(all.store.conversations, {
      receive: async (items: readonly unknown[], now: Date) => {
        if (JSON.stringify(items).includes("poison"))
          throw new HubError("unavailable", "the database did not answer", { reason: "57014" });
        return receive(items as never, now);
      },
    });
    for (const id of ["a1", "poison", "a2"])
      await all.journal.append(
        { type: "receive", events: [from(anna, id)], at: hub.now() },
        { behind: false },
      );
    const taken: number[] = [];
    for (let tries = 0; tries < 5; tries++) taken.push((await replay(hub)).taken);
    expect(await all.journal.depth()).toMatchObject({ depth: 0, quarantined: 1 });
    expect(taken.at(-1)).toBe(2);
    await sweep(hub, SWEEP);
    expect((await all.store.operations.metrics(hub.now())).counters["received|whatsapp"]).toBe(2);
  });

  test("has no failure counted while the store answers no call", async () => {
    const all = await outage();
    const hub = all.isolate();
    all.fault(storeDown);
    for (let tries = 0; tries < 20; tries++) await replay(hub);
    all.fault(allUp);
    expect(await replay(hub)).toMatchObject({ taken: 6, empty: true });
    expect((await all.journal.depth()).quarantined).toBe(0);
  });

  test("is quarantined when it cannot be read", async () => {
    const all = await outage();
    const hub = all.isolate();
    const { read } = all.journal;
    let first = true;
    Object.assign(all.journal, {
      read: async (limit: number) => {
        const waiting = await read(limit);
        const seen = first ? waiting.map(({ id }, i) => (i === 0 ? { id } : waiting[i]!)) : waiting;
        first = false;
        return seen;
      },
    });
    expect(await replay(hub)).toMatchObject({ taken: 6, empty: true });
    expect(await all.journal.depth()).toEqual({ depth: 0, quarantined: 1 });
  });
});

test("with the journal down too, no message is acknowledged and none is stored", async () => {
  const all = world();
  const hub = all.isolate();
  all.fault(allDown);
  await expect(accept(hub, "whatsapp", webhook(from(anna, "a1")))).rejects.toMatchObject({
    code: "unavailable",
  });
  await all.idle();
  expect((await all.journal.depth()).depth).toBe(0);
});

describe("a new message, while older ones wait", () => {
  test("goes behind them and replays them, and directly to the store once they are stored", async () => {
    const all = await outage();
    const hub = all.isolate();
    expect(isJournaled(await accept(hub, "whatsapp", webhook(from(anna, "a3"))))).toBe(true);
    await all.idle();
    expect(await all.journal.depth()).toEqual({ depth: 0, quarantined: 0 });
    const accepted = await accept(hub, "whatsapp", webhook(from(ben, "b3")));
    expect(isJournaled(accepted)).toBe(false);
    await answered(accepted, hub);
    expect((await stored(all)).anna).toEqual(["user: a1", "user: a2", "user: a3"]);
    expect(all.sent.map((text) => /[ab]\d/.exec(text)?.[0]).filter((id) => id?.startsWith("a"))).toEqual([
      "a1",
      "a2",
      "a3",
    ]);
  });

  test("replays a hundred of them, so that a few requests store hundreds", async () => {
    const all = world();
    const hub = all.isolate();
    for (let i = 0; i < 299; i++) {
      const phone = `+49151123${String(40_000 + i)}`;
      await all.journal.append({ type: "receive", events: [from(phone, `m${i}`)], at: hub.now() }, ahead);
    }
    for (let i = 0; i < 3; i++) {
      expect(isJournaled(await accept(hub, "whatsapp", webhook(from(anna, `a${i}`))))).toBe(true);
      await all.idle();
    }
    expect((await all.journal.depth()).depth).toBe(2);
    expect(all.calls.filter((call) => call === "journal.lease")).toHaveLength(3);
    expect(all.calls.filter((call) => call === "store.conversations.receive")).toHaveLength(12);
    expect(all.sent).toHaveLength(300);
    await accept(hub, "whatsapp", webhook(from(anna, "a3")));
    await all.idle();
    expect((await all.journal.depth()).depth).toBe(0);
  });

  test("costs two journal calls while another request of the isolate replays", async () => {
    const all = await outage();
    const hub = all.isolate();
    const { receive } = all.store.conversations;
    const slow = Promise.withResolvers<void>();
    Object.assign(all.store.conversations, {
      receive: async (...args: Parameters<typeof receive>) => {
        await slow.promise;
        return receive(...args);
      },
    });
    await accept(hub, "whatsapp", webhook(from(anna, "a3")));
    await new Promise((resolve) => setTimeout(resolve, 1));
    all.calls.length = 0;
    for (let i = 0; i < 20; i++) await accept(hub, "whatsapp", webhook(from(ben, `b${3 + i}`)));
    expect([...new Set(all.calls)].sort()).toEqual(["journal.append", "journal.depth"]);
    expect(all.calls).toHaveLength(40);
    slow.resolve();
    await all.idle();
    expect((await all.journal.depth()).depth).toBe(0);
    expect((await stored(all)).ben).toHaveLength(4 + 20);
  });

  test("is replayed by the isolate's next request when the replaying one was cut off", async () => {
    const all = await outage();
    const hub = all.isolate();
    all.fault((call) => (call === "store.conversations.receive" ? "gone" : undefined));
    await accept(hub, "whatsapp", webhook(from(anna, "a3")));
    await new Promise((resolve) => setTimeout(resolve, 1));
    all.fault(allUp);
    all.clock.now += 20_001;
    await accept(hub, "whatsapp", webhook(from(anna, "a4")));
    await expect.poll(async () => (await all.journal.depth()).depth).toBe(0);
  });

  test("is not overtaken by messages that come during the replay", async () => {
    const all = await outage();
    const hub = all.isolate();
    const other = all.isolate();
    let during: Promise<unknown> | undefined;
    all.fault((call) => {
      if (call === "store.conversations.receive")
        during ??= accept(other, "whatsapp", webhook(from(anna, "a4")));
      return undefined;
    });
    await accept(hub, "whatsapp", webhook(from(anna, "a3")));
    await all.idle();
    await during;
    await all.idle();
    expect((await stored(all)).anna).toEqual(["user: a1", "user: a2", "user: a3", "user: a4"]);
  });

  test("keeps its place of arrival, even if it waited for a hanging store", async () => {
    const all = world();
    const hub = all.isolate();
    const other = all.isolate();
    const { receive } = all.store.conversations;
    const hung = Promise.withResolvers<never>();
    Object.assign(all.store.conversations, { receive: () => hung.promise });
    const first = accept(hub, "whatsapp", webhook(from(anna, "a1")));
    await new Promise((resolve) => setTimeout(resolve, 1));
    all.clock.now += 1_000;
    all.fault(storeDown);
    await accept(other, "whatsapp", webhook(from(anna, "a2")));
    hung.reject(new HubError("unavailable", "the database did not answer", { reason: "store_timeout" }));
    expect(isJournaled(await first)).toBe(true);
    Object.assign(all.store.conversations, { receive });
    all.fault(allUp);
    await sweep(hub, SWEEP);
    const session = await all.store.sessions.start(
      { identities: { phone: anna }, channel: "web", token_hash: token(5) },
      hub.now(),
    );
    const { messages } = await all.store.sessions.messages(session, 0, 9, hub.now());
    expect(messages.filter(({ role }) => role === "user").map(({ text }) => text)).toEqual(["a1", "a2"]);
    expect(messages[1]!.created_at.getTime() - messages[0]!.created_at.getTime()).toBeLessThanOrEqual(1_000);
  });

  test("waits behind them when the breaker's pause ends while the message comes in", async () => {
    const all = await outage();
    // The breaker is asked first, and lets the call through a moment later.
    const hub = all.isolate({ breaker: () => "open" });
    expect(isJournaled(await accept(hub, "whatsapp", webhook(from(anna, "a3"))))).toBe(true);
    await sweep(all.isolate(), SWEEP);
    expect((await stored(all)).anna).toEqual(["user: a1", "user: a2", "user: a3"]);
  });

  test("waits behind them while another isolate replays", async () => {
    const all = await outage();
    const hub = all.isolate();
    const release = await all.journal.lease(20_000);
    expect(isJournaled(await accept(hub, "whatsapp", webhook(from(anna, "a3"))))).toBe(true);
    expect((await all.journal.depth()).depth).toBe(7);
    await release!();
    await sweep(hub, SWEEP);
    expect((await stored(all)).anna).toEqual(["user: a1", "user: a2", "user: a3"]);
  });

  test("goes to the store if they are stored before it could be journaled", async () => {
    const all = await outage();
    const quick = all.isolate();
    const release = await all.journal.lease(20_000);
    const slow = all.isolate({
      journal: {
        ...all.journal,
        lease: async () => undefined, // somebody else is at it
        append: async (...args) => {
          await release!();
          await replay(quick);
          return all.journal.append(...args);
        },
      },
    });
    expect(isJournaled(await accept(slow, "whatsapp", webhook(from(anna, "a3"))))).toBe(false);
    expect((await all.journal.depth()).depth).toBe(0);
    expect((await stored(all)).anna).toEqual(["user: a1", "user: a2", "user: a3"]);
  });

  test("costs a busy isolate one journal call every three seconds while all is well", async () => {
    const all = world();
    const hub = all.isolate();
    for (let i = 0; i < 60; i++) {
      await accept(hub, "whatsapp", webhook(from(anna, `m${i}`)));
      all.clock.now += 100;
    }
    expect(all.calls.filter((call) => call.startsWith("journal."))).toEqual([
      "journal.depth",
      "journal.depth",
    ]);
    expect(all.calls.filter((call) => call === "store.conversations.receive")).toHaveLength(60);
  });

  test("asks the journal every time for a while after an outage, which may go on for other isolates", async () => {
    const all = world();
    const hub = all.isolate();
    const other = all.isolate();
    all.fault(storeDown);
    await accept(hub, "whatsapp", webhook(from(anna, "a1")));
    all.fault(allUp);
    await accept(hub, "whatsapp", webhook(from(anna, "a2")));
    await accept(hub, "whatsapp", webhook(from(ben, "b1")));
    all.clock.now += 500;
    all.fault(storeDown);
    await accept(other, "whatsapp", webhook(from(anna, "a3")));
    all.fault(allUp);
    all.clock.now += 500;
    await accept(hub, "whatsapp", webhook(from(anna, "a4")));
    await all.idle();
    all.clock.now += 61_000;
    await sweep(hub, SWEEP);
    const session = await all.store.sessions.start(
      { identities: { phone: anna }, channel: "web", token_hash: token(5) },
      hub.now(),
    );
    const { messages } = await all.store.sessions.messages(
      { session_id: session.session_id },
      0,
      99,
      hub.now(),
    );
    expect(messages.filter(({ role }) => role === "user").map(({ text }) => text)).toEqual([
      "a1",
      "a2",
      "a3",
      "a4",
    ]);
  });

  test("goes to the store while the journal does not answer, and the journal is asked again after a while", async () => {
    const all = world();
    const hub = all.isolate();
    all.fault((call) => (call.startsWith("journal.") ? "down" : undefined));
    for (let i = 0; i < 20; i++)
      expect(isJournaled(await accept(hub, "whatsapp", webhook(from(anna, `m${i}`))))).toBe(false);
    expect(all.calls.filter((call) => call.startsWith("journal."))).toHaveLength(1);
    all.clock.now += 10_000;
    expect(isJournaled(await accept(hub, "whatsapp", webhook(from(anna, "later"))))).toBe(false);
    expect(all.calls.filter((call) => call.startsWith("journal."))).toHaveLength(2);
  });
});
