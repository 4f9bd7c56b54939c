import { describe, expect, test } from "vitest";
import type { SessionCache } from "../../src/core/sessions/cache.ts";
import type { Session } from "../../src/core/sessions/session.ts";
import { anna, ben, day, hash } from "./given.ts";

/** A session as the store gives it. */
export function cached(over: Partial<Session> = {}): Session {
  return {
    session_id: "019b8b74-1801-7000-8000-000000000001",
    phone: anna.phone,
    telegram_chat_id: anna.telegram_chat_id,
    whatsapp_user_id: anna.whatsapp_user_id,
    visitor_id: anna.visitor_id,
    customer_id: "103",
    channel: "web",
    channels: ["web", "telegram"],
    status: "active",
    data: { cart: ["ü", 1.5, null] },
    metadata: {},
    version: 3,
    message_count: 7,
    created_at: day(0),
    updated_at: day(1),
    last_activity: day(1),
    expires_at: day(8),
    ...over,
  };
}

/** What every cache of sessions promises while it is there; it may forget anything at any time. */
export function cacheContract(name: string, make: () => Promise<SessionCache>): void {
  describe(name, () => {
    test("a session is found by its tokens, its id and the identities that people are known by", async () => {
      const cache = await make();
      const session = cached();
      await cache.put(hash(1), session);
      await cache.put(hash(2), session);
      const { session_id, phone, telegram_chat_id, whatsapp_user_id } = session;
      for (const who of [{ token_hash: hash(1) }, { token_hash: hash(2) }, { session_id }])
        expect(await cache.get(who)).toEqual(session);
      for (const identities of [
        { phone },
        { telegram_chat_id },
        { whatsapp_user_id },
        { phone: ben.phone, telegram_chat_id },
      ])
        expect(await cache.get({ identities } as never)).toEqual(session);
    });

    test("nobody else is found", async () => {
      const cache = await make();
      await cache.put(hash(1), cached());
      expect(await cache.get({ token_hash: hash(2) })).toBeUndefined();
      expect(await cache.get({ session_id: hash(1) })).toBeUndefined();
      expect(await cache.get({ identities: { phone: ben.phone } })).toBeUndefined();
      expect(await cache.get({ identities: { visitor_id: anna.visitor_id } })).toBeUndefined();
    });

    test("what was put last is what is found, whoever asks", async () => {
      const cache = await make();
      await cache.put(hash(1), cached());
      const { visitor_id, ...newer } = cached({ version: 4, data: {}, expires_at: day(9) });
      await cache.put(hash(2), newer);
      expect(await cache.get({ token_hash: hash(1) })).toEqual(newer);
      await cache.put(undefined, cached({ version: 5 }));
      expect((await cache.get({ token_hash: hash(2) }))?.version).toBe(5);
    });

    test("an identity that has left a session does not lead to it any more", async () => {
      const cache = await make();
      await cache.put(hash(1), cached());
      const { phone, ...without } = cached({ version: 4 });
      await cache.put(hash(1), without);
      expect(await cache.get({ identities: { phone: anna.phone } })).toBeUndefined();
      expect((await cache.get({ token_hash: hash(1) }))?.version).toBe(4);
    });

    test("a phone that was only claimed finds nobody", async () => {
      const cache = await make();
      const { phone, telegram_chat_id } = anna;
      await cache.put(hash(1), cached({ phone_verified: false }));
      expect(await cache.get({ identities: { phone } })).toBeUndefined();
      expect(await cache.get({ identities: { telegram_chat_id } })).toEqual(
        cached({ phone_verified: false }),
      );
    });

    test("news of a session that its device did not ask for do not bring a dead token back", async () => {
      const cache = await make();
      await cache.put(hash(1), cached());
      await cache.drop([hash(1)]);
      await cache.put(hash(1), cached({ version: 4 }), { used: false });
      expect(await cache.get({ token_hash: hash(1) })).toBeUndefined();
      await cache.put(hash(2), cached());
      await cache.put(hash(2), cached({ version: 5 }), { used: false });
      expect((await cache.get({ token_hash: hash(2) }))?.version).toBe(5);
    });

    test("a token that died finds nothing, and the others of its session still do", async () => {
      const cache = await make();
      await cache.put(hash(1), cached());
      await cache.put(hash(2), cached());
      await cache.drop([hash(1)]);
      expect(await cache.get({ token_hash: hash(1) })).toBeUndefined();
      expect(await cache.get({ token_hash: hash(2) })).toEqual(cached());
      await cache.drop([]);
    });

    test("a token that died stays dead, also when an answer to it from before comes late", async () => {
      const cache = await make();
      await cache.put(hash(1), cached());
      await cache.drop([hash(1), hash(2)]);
      for (const seed of [1, 2]) await cache.put(hash(seed), cached());
      for (const seed of [1, 2]) expect(await cache.get({ token_hash: hash(seed) })).toBeUndefined();
      await cache.put(hash(3), cached());
      expect(await cache.get({ token_hash: hash(3) })).toEqual(cached());
    });

    test("a session that has ended is found by nothing", async () => {
      const cache = await make();
      const { session_id, phone } = cached();
      await cache.put(hash(1), cached());
      await cache.put(hash(2), cached());
      await cache.drop([hash(1), hash(2)], { sessions: true });
      for (const who of [
        { token_hash: hash(1) },
        { token_hash: hash(2) },
        { session_id },
        { identities: { phone } },
      ])
        expect(await cache.get(who as never)).toBeUndefined();
      await cache.drop([hash(3)], { sessions: true });
    });
  });
}
