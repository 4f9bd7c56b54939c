import { describe, expect, test } from "vitest";
import type { Hub } from "../../src/core/hub.ts";
import { accept } from "../../src/core/receive/accept.ts";
import type { InboundEvent } from "../../src/core/receive/conversations.ts";
import { sweep } from "../../src/core/sweep/sweep.ts";
import { erase } from "../../src/features/privacy/erase.ts";
import { DAY, hash } from "../contracts/given.ts";
import { allUp, byToken, from, isJournaled, storeDown, webhook, world } from "../support/outage.ts";

const anna = "+4915112345601";
const ben = "+4915112345602";
const SWEEP = { batch: 20, batches: 5, sessions: 500, retentionMs: 30 * DAY };
const unavailable = { code: "unavailable" };
const waits = { code: "unavailable", reason: "journal_waits" };

type World = ReturnType<typeof world>;

/** Anna has the shop open at two devices, 1 and 2, as the cache knows. */
async function browsing(all: World) {
  const now = new Date(all.clock.now);
  for (const seed of [1, 2]) {
    const start = {
      identities: { phone: anna },
      channel: "web",
      token_hash: hash(seed),
      data: { cart: ["tea"] },
    };
    await all.cache.put(hash(seed), await all.store.sessions.start(start, now));
  }
  const [session] = all.cache.copies.values();
  return session!;
}

/** What Anna's session holds, in order. */
async function texts(all: World, session_id: string): Promise<string[]> {
  const { messages } = await all.store.sessions.messages({ session_id }, 0, 99, new Date(all.clock.now));
  return messages.filter(({ role }) => role === "user").map(({ text }) => text);
}

/** What somebody said in an outage, which is over; `hub` has not looked into the journal since. */
async function journaledBefore(all: World, ...events: InboundEvent[]): Promise<Hub> {
  const cutOff = all.isolate();
  all.fate(storeDown);
  for (const event of events) await accept(cutOff, "whatsapp", webhook(event));
  all.fate(allUp);
  return all.isolate();
}

/** Every call that ends something, or whose message has a place in the order. */
const ordered: [string, (hub: Hub, now: Date) => Promise<unknown>][] = [
  ["end", ({ store }, now) => store.sessions.end(hash(1), now)],
  ["sign out", ({ store }, now) => store.sessions.signOut(hash(1), now)],
  [
    "message of an update",
    ({ store }, now) =>
      store.sessions.update({ token_hash: hash(1) }, { message: { text: "later", role: "user" } }, now),
  ],
  [
    "start by two identities",
    ({ store }, now) =>
      store.sessions.start(
        { identities: { phone: anna, telegram_chat_id: "7001" }, channel: "web", token_hash: hash(3) },
        now,
      ),
  ],
  [
    "restore by two identities",
    ({ store }, now) =>
      store.sessions.restore(
        { token_hash: hash(3), identities: { phone: anna, telegram_chat_id: "7001" } },
        undefined,
        now,
      ),
  ],
  [
    "start by an identity and the shop's own name",
    ({ store }, now) =>
      store.sessions.start({ identities: { phone: anna }, customer_id: "c1", channel: "web" }, now),
  ],
  [
    "update by the shop's own name",
    ({ store }, now) => store.sessions.update({ token_hash: hash(1) }, { customer_id: "c1" }, now),
  ],
  ["unlink", ({ store }, now) => store.proofs.unlink(hash(1), "phone", now)],
  [
    "code",
    ({ store }, now) =>
      store.proofs.confirmCode(
        { phone: anna, code_hash: hash(9), new_token_hash: hash(8), channel: "web" },
        now,
      ),
  ],
  [
    "log-in",
    ({ store }, now) =>
      store.proofs.logIn(
        { phone: anna, password: "x", new_token_hash: hash(8), channel: "web", rate_limit_keys: [] },
        now,
      ),
  ],
  ["device's end", ({ store }, now) => store.proofs.revokeDevice({ token_hash: hash(1) }, "none", now)],
  ["erasure", (hub, now) => hub.store.privacy.erase({ session_id: "none" }, "admin", now)],
];

describe("while the store is down", () => {
  test("nothing but what people write is taken, and nothing is read from the cache", async () => {
    const all = world();
    const { session_id } = await browsing(all);
    const { store, now } = all.isolate();
    all.fate(storeDown);
    const calls = [
      () => store.sessions.start({ identities: { phone: anna }, channel: "web", token_hash: hash(3) }, now()),
      () => store.sessions.restore({ token_hash: hash(1) }, undefined, now()),
      () => store.sessions.restore({ token_hash: hash(3), identities: { phone: anna } }, undefined, now()),
      () => store.sessions.update({ token_hash: hash(1) }, { data: { cart: [] } }, now()),
      () => store.sessions.messages({ session_id }, 0, 9, now()),
      () => store.proofs.devices({ token_hash: hash(1) }, now()),
      () => store.ping(),
      ...ordered.map(
        ([, call]) =>
          () =>
            call({ store } as Hub, now()),
      ),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject(unavailable);
    expect(await all.journal.depth()).toEqual({ depth: 0, quarantined: 0 });
  });

  test("one result stands for each event that only the journal has", async () => {
    const all = world();
    const { store, now } = all.isolate();
    all.fate(storeDown);
    expect(await store.conversations.receive([from(anna, "a1"), from(ben, "b1")], now())).toEqual([
      { type: "journaled" },
      { type: "journaled" },
    ]);
    expect((await all.journal.depth()).depth).toBe(1);
  });

  test("a token's message waits only while the token is known to be alive", async () => {
    const all = world();
    const { session_id } = await browsing(all);
    const hub = all.isolate();
    all.fate(storeDown);
    const say = (events: InboundEvent) => accept(hub, "web", webhook(events));
    const inSession = byToken("", "s1");
    Object.assign((inSession as any).message, { from: { session_id } });
    const elsewhere = byToken("", "s2");
    Object.assign((elsewhere as any).message, { from: { session_id: "another" } });
    const claims = from(anna, "c1");
    Object.assign((claims as any).message, { claimed: true });
    expect(isJournaled(await say(byToken(hash(1), "w1")))).toBe(true);
    expect(isJournaled(await say(inSession))).toBe(true);
    await all.cache.drop({ token_hashes: [hash(2)] });
    for (const event of [byToken(hash(2), "w2"), byToken(hash(7), "w3"), elsewhere, claims])
      await expect(say(event)).rejects.toMatchObject(unavailable);
    all.fate(allUp);
    await sweep(hub, SWEEP);
    expect(await texts(all, session_id)).toEqual(["w1", "s1"]);
    expect(await all.journal.depth()).toEqual({ depth: 0, quarantined: 0 });
  });
});

describe("while something older waits", () => {
  test.for(ordered)("no %s comes before it", async ([, call]) => {
    const all = world();
    const { session_id } = await browsing(all);
    const hub = await journaledBefore(all, byToken(hash(1), "older"));
    const release = await all.journal.lease(20_000); // somebody else is replaying
    await expect(call(hub, hub.now())).rejects.toMatchObject(waits);
    expect(await texts(all, session_id)).toEqual([]);
    await release!();
    await call(hub, hub.now()).catch(({ reason }) => expect(reason).not.toBe("journal_waits"));
    await all.idle();
    expect((await texts(all, session_id))[0]).toBe("older");
    expect(await all.journal.depth()).toEqual({ depth: 0, quarantined: 0 });
  });

  test("a call that ends something asks the journal, however lately it was empty", async () => {
    const all = world();
    const { session_id } = await browsing(all);
    const hub = all.isolate();
    await accept(hub, "whatsapp", webhook(from(ben, "b1"))); // it was empty just now
    const cutOff = all.isolate();
    all.fate(storeDown);
    await accept(cutOff, "web", webhook(byToken(hash(1), "older")));
    all.fate(allUp);
    await hub.store.sessions.end(hash(1), hub.now());
    expect(await texts(all, session_id)).toEqual(["older"]);
  });

  test("sessions are opened, found and changed all the same", async () => {
    const all = world();
    await browsing(all);
    const { store, now } = await journaledBefore(all, from(ben, "b1"));
    await all.journal.lease(20_000);
    await store.sessions.start({ identities: { phone: ben }, channel: "web", token_hash: hash(3) }, now());
    await store.sessions.restore({ token_hash: hash(1) }, undefined, now());
    await store.sessions.update({ token_hash: hash(1) }, { data: { cart: [] } }, now());
    expect((await all.journal.depth()).depth).toBe(1);
  });

  test("a message that may not wait does not get ahead of it", async () => {
    const all = world();
    const { session_id } = await browsing(all);
    const hub = await journaledBefore(all, from(anna, "a1"));
    const release = await all.journal.lease(20_000);
    await all.cache.drop({ token_hashes: [hash(1)] });
    const say = () => accept(hub, "web", webhook(byToken(hash(1), "a2")));
    await expect(say()).rejects.toMatchObject(waits);
    await release!();
    expect(isJournaled(await say())).toBe(false);
    await all.idle();
    expect(await texts(all, session_id)).toEqual(["a1", "a2"]);
  });

  test("no session is marked as expired: what waits may have come before", async () => {
    const all = world();
    const { session_id, expires_at } = await browsing(all);
    all.clock.now = expires_at.getTime() - 1_000;
    const hub = await journaledBefore(all, byToken(hash(1), "in time"));
    all.clock.now += 60_000;
    const release = await all.journal.lease(20_000);
    await sweep(hub, SWEEP);
    await release!();
    await sweep(hub, SWEEP);
    expect(await texts(all, session_id)).toEqual(["in time"]);
    expect((await all.journal.depth()).quarantined).toBe(0);
  });
});

test("an entry from a clock that is ahead extends no session", async () => {
  const all = world();
  const hub = all.isolate();
  const at = new Date(all.clock.now + 400 * DAY);
  await all.journal.append({ type: "receive", at, events: [from(anna, "a1")] }, { behind: false });
  const { results } = await hub.store.journal!.replay({ entries: 9, ms: 1_000 });
  expect(results).toMatchObject([{ session: { expires_at: new Date(all.clock.now + 7 * DAY) } }]);
});

describe("an erasure", () => {
  /** Anna has a session; a message of hers and one of Ben's were refused for good. */
  async function refused() {
    const all = world();
    const { session_id } = await browsing(all);
    const hub = all.isolate();
    for (const event of [from(anna, "CANARY"), byToken(hash(1), "CANARY"), from(ben, "b1")]) {
      await all.journal.append({ type: "receive", at: hub.now(), events: [event] }, { behind: false });
      const [{ id }] = (await all.journal.read(1)) as [{ id: string }];
      await all.journal.quarantine(id, "session_not_found");
    }
    return { all, hub, session_id };
  }

  test("reaches the quarantine and the cache, and leaves what is others'", async () => {
    const { all, hub, session_id } = await refused();
    const { sessions } = await erase(hub, { session_id }, "admin");
    expect(sessions).toBe(1);
    expect(await all.journal.depth()).toEqual({ depth: 0, quarantined: 1 });
    expect(all.cache.copies.size).toBe(0);
    expect(await all.cache.knows({ token_hash: hash(1) })).toBe(false);
  });

  test.for(["journal.", "store.", "cache."])("does nothing while %s… does not answer", async (port) => {
    const { all, hub, session_id } = await refused();
    all.fate((call) => (call.startsWith(port) ? "down" : undefined));
    const silent = { ...hub, cache: { ...hub.cache, ping: () => Promise.reject(unavailable) } };
    const asked = port === "cache." ? silent : hub;
    await expect(erase(asked, { session_id }, "admin")).rejects.toMatchObject(unavailable);
    all.fate(allUp);
    const found = await hub.store.sessions.restore({ token_hash: hash(1) }, undefined, hub.now());
    expect(found).toMatchObject({ session_id, data: { cart: ["tea"] } });
    expect((await all.journal.depth()).quarantined).toBe(3);
  });

  test.for(["journal.forget", "cache.drop"])(
    "that %s cuts off is not claimed, and says where",
    async (call) => {
      const { all, hub, session_id } = await refused();
      all.fate((made) => (made === call ? "down" : undefined));
      const cut = { ...hub, cache: { ...hub.cache, drop: async () => call !== "cache.drop" } };
      await expect(erase(cut, { session_id }, "admin")).rejects.toMatchObject(unavailable);
      expect(all.lines.at(-1)).toMatchObject({
        level: "error",
        event: call === "cache.drop" ? "cache.not_erased" : "journal.not_erased",
        fields: { session_ids: [session_id] },
      });
    },
  );
});
